"""What a worker does with one case: read it, write its PNG files, give back its record."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from .coco import write_png
from .errors import CaseError, ConverterError
from .instances import to_annotations
from .journal import Record, fingerprint
from .types import Case, Dataset, Frame, Skip

NO_OBJECT = "image without foreground"


def stem(key: str) -> str:
    """A file name for a case key: readable, portable and as unique as the key."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", key.replace("/", "__"))
    if plain == key.replace("/", "__") and "__" not in key and len(plain) <= 120:
        return plain
    return f"{plain[:100]}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def convert_case(dataset: Dataset, case: Case, root: Path, images: Path, keep_empty: bool) -> Record:
    """Convert one case; whatever is wrong with it ends in the record and not in an exception."""
    written: list[Path] = []
    record: Record = {"key": case.key, "print": fingerprint(case), "images": [], "error": None}
    skips: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    names = {category.name for category in dataset.categories}
    try:
        for item in dataset.read(case):
            if isinstance(item, Skip):
                skips[item.reason] += item.count
                continue
            found, dropped = to_annotations(item, names, dataset.instances)
            notes.update(dropped)
            notes.update(item.notes)
            if not found and not keep_empty:
                skips[NO_OBJECT] += 1
                continue
            name = stem(case.key) + ("" if item.index is None else f"_{item.index:05d}") + ".png"
            if images / name in written:
                raise ValueError(f"two frames have the index {item.index}")
            written.append(images / name)
            written_as = write_png(item.image, images / name)
            entry = _image(dataset, case, item, root, name)
            record["images"].append({**entry, "digest": written_as, "annotations": found})
    except Exception as error:  # one bad case must not end the run; it is reported with its file
        for path in written:
            with suppress(OSError):
                path.unlink()
        record.update(images=[], error=_reason(case, error, root))
        return record
    record.update(skips=dict(sorted(skips.items())), notes=dict(sorted(notes.items())))
    return record


def lost_case(case: Case, reason: str, root: Path) -> Record:
    """The record of a case that killed its workers."""
    error = _reason(case, ConverterError(reason), root)
    return {"key": case.key, "print": fingerprint(case), "images": [], "error": error}


def _image(dataset: Dataset, case: Case, frame: Frame, root: Path, name: str) -> dict[str, Any]:
    source: dict[str, Any] = {
        "file": relative(case.files["image"], root) if "image" in case.files else case.key
    }
    if frame.index is not None:
        source["frame"] = frame.index
    entry: dict[str, Any] = {
        "file_name": name,
        "width": int(frame.image.shape[1]),
        "height": int(frame.image.shape[0]),
        "dataset": dataset.name,
        "subject": case.subject,
        "source": source,
    }
    return {**entry, **frame.extra}


def _reason(case: Case, error: Exception, root: Path) -> dict[str, str]:
    if isinstance(error, CaseError):
        return {"file": relative(Path(error.file), root), "reason": error.reason}
    files = ", ".join(relative(path, root) for path in case.files.values()) or case.key
    text = str(error) or type(error).__name__
    known = isinstance(error, ConverterError | OSError | ValueError)
    return {"file": files, "reason": text if known else f"{type(error).__name__}: {text}"}


def relative(path: Path, root: Path) -> str:
    """The path as the user knows it: below the raw root where it lies there."""
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.as_posix()
