"""Files of a run segmented in other processes, on this machine or others; the run makes the rest of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ultrasam.data.spread import AnyWorkers, Lost, finished
from ultrasam.predict.files.asked import Asked
from ultrasam.predict.files.file_run import FileRun
from ultrasam.predict.files.frame_work import Options
from ultrasam.predict.files.run_summary import Segmented
from ultrasam.predict.files.sources import Source
from ultrasam.predict.per_worker import PerWorker
from ultrasam.predict.predictor import Predictor


@dataclass(frozen=True)
class _Job:
    """What all files of a run have in common."""

    predictor: PerWorker[Predictor]
    out: Path
    categories: list[dict[str, Any]]
    settings: dict[str, Any]
    options: Options


@dataclass(frozen=True)
class _File:
    """A file, its output name, and what is asked of it; None for masks of everything."""

    source: Source
    name: str
    asked: Asked | None


@dataclass(frozen=True)
class Elsewhere:
    """Workers that segment a run's files, a file in one piece: a clip is followed from frame to frame.

    Attributes:
        make: the predictor; picklable, with files by their absolute names.
        workers: processes, or an executor whose workers see the same files.
    """

    make: Callable[[], Predictor]
    workers: AnyWorkers

    def segment(self, run: FileRun, files: Sequence[tuple[Source, str]]) -> Iterator[Segmented]:
        """What becomes of each file, in their order.

        Raises:
            OutputError: a result can't be written.
        """
        job = _Job(
            predictor=PerWorker(self.make),
            out=run.records.out.absolute(),
            categories=run.records.categories,
            settings=run.records.settings,
            options=run.options,
        )
        asked = [_File(_absolute(source), name, run.asked(source)) for source, name in files]
        waiting: dict[int, Segmented] = {}
        following = 0
        for place, made in finished(partial(_segment, job), asked, self.workers, together=1):
            if isinstance(made, Lost):
                made = Segmented(errors=[f"{files[place][0].path}: {made.reason}"])
            waiting[place] = made
            while following in waiting:
                yield waiting.pop(following)
                following += 1


def _segment(job: _Job, file: _File) -> Segmented:
    asked = file.asked
    run = FileRun(
        job.predictor.get(),
        job.out,
        None if asked is None else (lambda name: asked),
        categories=job.categories,
        settings=job.settings,
        options=job.options,
    )
    return run.segment(file.source, file.name)


def _absolute(source: Source) -> Source:
    """Workers may stand in another folder."""
    series = tuple(path.absolute() for path in source.series)
    return replace(source, path=source.path.absolute(), series=series)
