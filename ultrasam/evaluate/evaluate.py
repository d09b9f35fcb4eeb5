"""All images through one model: in several processes if wanted, and on from where an earlier run stopped."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import ultrasam
from ultrasam.data.settings import forget_other_settings
from ultrasam.data.spread import AnyWorkers, each_done
from ultrasam.errors import ConfigError
from ultrasam.evaluate.adapting import adapted
from ultrasam.evaluate.examine import examine
from ultrasam.evaluate.prompting import Segmenter
from ultrasam.evaluate.protocol import Protocol
from ultrasam.evaluate.records import Record
from ultrasam.evaluate.results import SubjectCard
from ultrasam.evaluate.samples import Sample
from ultrasam.predict.embeddings_cache import fingerprint
from ultrasam.predict.per_worker import PerWorker
from ultrasam.predict.predictor import Predictor


@dataclass(frozen=True)
class Subject:
    """What is evaluated.

    Attributes:
        checkpoint: a weight file, or a name that `ultrasam.load` knows.
        options: of `Predictor`.
        published: repeat the published test's two passes and sizes.
        adapter: ``module:name`` of a foreign model: what the name gives for the checkpoint is a `Segmenter`.
    """

    checkpoint: str
    options: dict[str, Any] = field(default_factory=dict)
    published: bool = False
    adapter: str = ""

    def predictor(self) -> Segmenter:
        """Load it.

        Raises:
            ConfigError: the predictor has no such option, or there is no such adapter.
        """
        if self.adapter:
            return adapted(self.adapter, self.checkpoint, self.options)
        known = [name for name in inspect.signature(Predictor).parameters if name != "model"]
        unknown = [name for name in self.options if name not in known]
        if unknown:
            raise ConfigError(f"the predictor has no option {unknown[0]!r}; it has {', '.join(known)}")
        return (Predictor.as_published if self.published else Predictor)(self.checkpoint, **self.options)

    def elsewhere(self) -> Subject:
        """The same for workers that stand in another folder."""
        path = Path(self.checkpoint)
        return replace(self, checkpoint=str(path.absolute())) if path.exists() else self

    def describe(self, predictor: Segmenter) -> SubjectCard:
        """What the report says of it; other weights under the same name are another subject."""
        options = {**self.options, **({"adapter": self.adapter} if self.adapter else {})}
        return SubjectCard(
            checkpoint=Path(self.checkpoint).name,
            weights=fingerprint(predictor.model) if isinstance(predictor, Predictor) else "",
            options={name: str(value) for name, value in sorted(options.items())},
            closer=isinstance(predictor, Predictor) and predictor.closer,
            published=self.published,
            version=ultrasam.__version__,
        )


def examine_all(
    subject: Subject, samples: Sequence[Sample], protocol: Protocol, out: Path, workers: AnyWorkers = 1
) -> tuple[list[Record], SubjectCard]:
    """Examine every image; finished ones are read from ``out/records``, a file for each data set.

    Args:
        subject: the model.
        samples: the images.
        protocol: what is asked.
        out: folder of the evaluation; another subject or protocol starts anew in it.
        workers: processes, or an executor whose workers see the same files.

    Returns:
        The records, in the order of the images, and what the subject is.

    Raises:
        UltraSamError: images killed their workers; the message names them, and all others are kept.
    """
    folder = out / "records"
    predictor = subject.predictor()
    card = subject.describe(predictor)
    forget_other_settings(folder, {"subject": asdict(card), "protocol": protocol.to_json()}, ["*.jsonl"])
    done = {}
    for dataset in {sample.item.dataset for sample in samples}:
        found = _read(_file_of(folder, dataset))
        done.update({((dataset, name), stamp): record for (name, stamp), record in found.items()})
    # The organ takes no part in the work, so another name for it costs none.
    known = {
        s.key: replace(done[s.key, s.stamp()], organ=s.organ) for s in samples if (s.key, s.stamp()) in done
    }
    todo = [sample for sample in samples if sample.key not in known]
    if known:
        print(f"{len(known)} of {len(samples)} images were done before")
    there = [replace(s, item=replace(s.item, path=s.item.path.absolute())) for s in todo]
    model = PerWorker(subject.elsewhere().predictor, predictor)
    work = partial(_examine, model=model, protocol=protocol)
    made = each_done(
        work, there, workers, verb="evaluating", unit="image", name=lambda place: todo[place].item.path
    )
    for place, record in made:
        sample = todo[place]
        with _file_of(folder, sample.item.dataset).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record.to_json()) + "\n")
        known[sample.key] = record
    return [known[sample.key] for sample in samples], card


def _examine(sample: Sample, model: PerWorker[Segmenter], protocol: Protocol) -> Record:
    return examine(sample, model.get(), protocol)


def _file_of(folder: Path, dataset: str) -> Path:
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in dataset)
    return folder / f"{name}.jsonl"


def _read(path: Path) -> dict[tuple[str, int], Record]:
    """The records of a file; lines that are none, as where a run was killed, are done again."""
    if not path.is_file():
        return {}
    records, good = {}, []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = Record.from_json(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        records[record.name, record.stamp] = record
        good.append(line + "\n")
    path.write_text("".join(good), encoding="utf-8")
    return records
