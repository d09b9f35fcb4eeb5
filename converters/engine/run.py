"""Convert one data set: cases in parallel, resumable, the same bytes for any number of workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from . import split as splitting
from .alone import alone
from .archive import discard, prepare
from .coco import digest, to_coco, write_json, write_splits
from .errors import CaseError, ConverterError, TreeError
from .expectations import unheeded, warnings
from .find import walk
from .journal import ENGINE_VERSION, Journal, Record, fingerprint, header
from .types import SPLITS, Case, Dataset, Skip
from .work import convert_case, lost_case, relative
from .workers import AnyWorkers, Lost, finished


@dataclass
class Report:
    """What was converted and, line by line, what was not.

    Attributes:
        skips: Left out on purpose, reason -> how many.
        notes: Done to what was kept (specks dropped, masks resized), note -> how many.
        failures: Cases that could not be converted: key, file, reason.
        warnings: What a reader should know of the whole (counts that differ from the card).
        resumed: Cases taken from an earlier run; not written to disk.
        again: Cases of an earlier run that are converted again, for a damaged journal or output; not written
            to disk.
    """

    dataset: str
    cases: int = 0
    images: int = 0
    annotations: int = 0
    by_category: dict[str, int] = field(default_factory=dict)
    by_split: dict[str, int] = field(default_factory=dict)
    skips: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    resumed: int = 0
    again: Counter[str] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        """Whether every case was converted or left out on purpose."""
        return not self.failures

    def summary(self) -> str:
        """The report for a terminal."""
        lines = [
            f"{self.dataset}: {self.images} images with {self.annotations} objects in {self.cases} cases"
        ]
        if self.by_split:
            lines.append("  " + ", ".join(f"{name} {count}" for name, count in self.by_split.items()))
        lines += [f"  left out: {count} x {reason}" for reason, count in sorted(self.skips.items())]
        lines += [f"  note: {count} x {note}" for note, count in sorted(self.notes.items())]
        lines += [f"  converted again: {count} x {reason}" for reason, count in sorted(self.again.items())]
        lines += [f"  warning: {text}" for text in self.warnings]
        lines += [f"  failed: {f['file']}: {f['reason']}" for f in self.failures[:20]]
        if len(self.failures) > 20:
            lines.append(f"  and {len(self.failures) - 20} more, see report.json")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Everything that does not depend on how the run went."""
        values = {key: value for key, value in vars(self).items() if key not in ("resumed", "again")}
        return {
            **values,
            "skips": dict(sorted(self.skips.items())),
            "notes": dict(sorted(self.notes.items())),
        }


def convert(
    dataset: Dataset,
    source: Path | None,
    out: Path,
    *,
    workers: AnyWorkers = 1,
    resume: bool = True,
    limit: int | None = None,
    strict: bool = False,
    keep_empty: bool | None = None,
    seed: str = splitting.SEED,
    val: float | None = None,
    progress: bool = False,
    keep_raw: bool = False,
) -> Report:
    """Convert a data set from its raw folder to PNG and COCO under `out/<dataset.name>` (see coco.py).

    Args:
        dataset: Any `Dataset`, registered or made on the spot; with several workers its functions must be
            picklable unless it is a registered one.
        source: The raw folder or the archive as downloaded; None for a data set that needs no files.
        out: The folder that holds one folder per data set.
        workers: Processes, or an executor whose workers see the same folders; the bytes written do not depend
            on it.
        resume: Take up finished cases of an earlier run with unchanged raw files.
        limit: Convert only the first cases, to try.
        strict: Stop at the first case that fails.
        keep_empty: Overrides the data set's own rule for images without objects.
        seed: Seed of the split.
        val: Share of the training subjects for validation where there is no official validation part
            (`split.VAL_FRACTION`).
        progress: Show a bar.
        keep_raw: Keep what was unpacked, under `out/.raw`.

    Raises:
        TreeError: The raw root is not laid out as expected.
        ConverterError: Nothing could be converted, or the output cannot be written.
    """
    if not isinstance(workers, int):
        # Workers elsewhere may stand in another folder.
        source, out = source and Path(source).absolute(), Path(out).absolute()
    folder, work = Path(out) / dataset.name, Path(out) / ".raw" / dataset.name
    report = Report(dataset.name)
    with alone(folder):
        try:
            root = Path() if source is None else prepare(dataset, Path(source), work)
            cases = _cases(dataset, root, report, limit, strict)
        except OSError as error:
            raise ConverterError(f"{error.filename}: cannot be read: {error.strerror or error}") from error
        keep = dataset.keep_empty if keep_empty is None else keep_empty
        task = partial(convert_case, dataset, root=root, images=folder / "images", keep_empty=keep)
        with _journal(folder, header(dataset, keep), resume) as journal:
            records = _records(task, cases, journal, report, workers, strict, progress)
        share = splitting.VAL_FRACTION if val is None else val
        sides = splitting.assign_cases(cases, dataset.name, seed=seed, val=share)
        done = [records[c.key] for c in cases]
        _finish(dataset, folder, done, sides, _count_files(source and root), report)
        report.warnings += warnings(dataset, cases, report.images, whole=limit is None)
        report.warnings += unheeded(cases, sides, report.skips, val, keep_empty)
        write_json(report.to_json(), folder / "report.json", indent=1)
        if source is not None and not keep_raw:
            discard(work)
    return report


def _journal(folder: Path, head: Record, resume: bool) -> Journal:
    """The journal of an output folder, which is made."""
    try:
        (folder / "images").mkdir(parents=True, exist_ok=True)
        (folder / "annotations").mkdir(exist_ok=True)
    except OSError as error:
        raise ConverterError(f"cannot write to {folder}: {error.strerror or error}") from error
    return Journal(folder / ".journal", head, resume=resume)


def _records(
    task: partial[Record],
    cases: Sequence[Case],
    journal: Journal,
    report: Report,
    workers: AnyWorkers,
    strict: bool,
    progress: bool,
) -> dict[str, Record]:
    """The record of every case, from an earlier run or made now."""
    images = task.keywords["images"]
    records = {c.key: r for c in cases if (r := _earlier(journal, c, images, report)) is not None}
    report.resumed = len(records)
    report.again.update({"damaged line of the journal": journal.damaged} if journal.damaged else {})
    todo = [case for case in cases if case.key not in records]
    done = finished(task, todo, workers)
    for place, made in tqdm(done, report.dataset, total=len(todo), disable=not progress, unit="case"):
        record = (
            lost_case(todo[place], made.reason, task.keywords["root"]) if isinstance(made, Lost) else made
        )
        if record["error"] is not None and strict:
            raise CaseError(record["error"]["file"], record["error"]["reason"])
        records[record["key"]] = record
        if record["error"] is None:
            journal.add(record)
    return records


def _cases(dataset: Dataset, root: Path, report: Report, limit: int | None, strict: bool) -> list[Case]:
    cases: dict[str, Case] = {}
    for case in _listed(dataset, root):
        if isinstance(case, Skip):
            report.skips[case.reason] += case.count
        elif isinstance(case, CaseError):
            if strict:
                raise case
            failure = {"file": relative(Path(case.file), root), "reason": case.reason}
            report.failures.append({"key": "", **failure})
        elif case.key in cases:
            raise ConverterError(f"{dataset.name}: two cases have the key {case.key!r}")
        else:
            cases[case.key] = case
    if not cases and not report.failures:
        raise TreeError(f"{dataset.name}: no case found in {root}; see: ultrasam convert info {dataset.name}")
    return [cases[key] for key in sorted(cases)][:limit]


def _listed(dataset: Dataset, root: Path) -> Iterator[Case | Skip | CaseError]:
    try:
        yield from dataset.cases(root)
    except (ValueError, KeyError, TypeError) as error:  # a list or table of the data set itself is broken
        what = f"{type(error).__name__}: {error}"
        raise ConverterError(
            f"{dataset.name}: a list or table under {root} is not as expected: {what}"
        ) from error


def _earlier(journal: Journal, case: Case, images: Path, report: Report) -> Record | None:
    """The record of an earlier run if the raw files are unchanged and all its images are as they were."""
    record = journal.done.get(case.key)
    if record is None or record["print"] != fingerprint(case):
        return None
    for image in record["images"]:
        try:
            whole = digest((images / image["file_name"]).read_bytes()) == image["digest"]
        except OSError:
            whole = False
        if not whole:
            report.again["damaged or missing image"] += 1
            return None
    return record


def _count_files(source: Path | None) -> int:
    return (
        sum(path.is_file() and path.name != ".complete" for path in walk(source)) if source is not None else 0
    )


def _finish(
    dataset: Dataset,
    folder: Path,
    records: Sequence[Record],
    sides: dict[str, str],
    files: int,
    report: Report,
) -> None:
    report.cases = len(records)
    entries = []
    for record in records:
        if record["error"] is not None:
            report.failures.append({"key": record["key"], **record["error"]})
            continue
        report.skips.update(record["skips"])
        report.notes.update(record["notes"])
        for image in record["images"]:
            entry = {key: value for key, value in image.items() if key != "digest"}
            entries.append({**entry, "split": sides[record["key"]]})
    if not entries:
        first = "; ".join(f"{f['file']}: {f['reason']}" for f in report.failures[:3])
        raise ConverterError(f"{dataset.name}: nothing was converted. {first or dict(report.skips)}")
    twice = [name for name, count in Counter(e["file_name"] for e in entries).items() if count > 1]
    if twice:
        raise ConverterError(f"{dataset.name}: two images would be written to {twice[0]}")
    coco = to_coco(entries, dataset.categories, _info(dataset, files, len(records)))
    _remove_strays(folder, {image["file_name"] for image in coco["images"]})
    write_splits(coco, folder / "annotations")
    report.images, report.annotations = len(coco["images"]), len(coco["annotations"])
    names = {c["id"]: c["name"] for c in coco["categories"]}
    found = Counter(names[a["category_id"]] for a in coco["annotations"])
    report.by_category = {name: found[name] for name in names.values()}
    counted = Counter(image["split"] for image in coco["images"])
    report.by_split = {name: counted[name] for name in (*SPLITS, "held_out") if counted[name]}


def _info(dataset: Dataset, files: int, cases: int) -> dict[str, Any]:
    card = dataset.card
    return {
        "description": card.title,
        "url": card.link,
        "dataset": dataset.name,
        "version": f"{ENGINE_VERSION}.{dataset.version}",
        "licence": card.license or "not stated",
        "access": card.access,
        "organ": card.organ,
        "commercial": card.commercial,
        "citation": card.citation,
        "benchmark": dataset.benchmark,
        "raw_files": files,
        "cases": cases,
    }


def _remove_strays(folder: Path, keep: set[str]) -> None:
    """Remove what killed or earlier runs left, so that the image folder holds what the files list."""
    images = [path for path in (folder / "images").glob("*.png") if path.name not in keep]
    for path in (*images, *folder.glob(".*.part"), *folder.glob("*/.*.part")):
        path.unlink()
