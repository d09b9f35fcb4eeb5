"""What is already converted: one line per finished case, so that a killed run goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import TracebackType
from typing import Any

from .errors import ConverterError
from .types import Case, Dataset

ENGINE_VERSION = "1"
Record = dict[str, Any]


def fingerprint(case: Case) -> str:
    """Changes with any file of the case (name, size, time) and with what `cases` said about it."""
    parts: list[Any] = [case.key, case.label, repr(case.data)]
    for role, path in sorted(case.files.items()):
        try:
            stat = path.stat()
        except OSError:
            parts.append([role, path.name, None])
        else:
            parts.append([role, path.name, stat.st_size, stat.st_mtime_ns])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def header(dataset: Dataset, keep_empty: bool) -> Record:
    """What must agree for earlier results to be used again."""
    return {
        "dataset": dataset.name,
        "version": dataset.version,
        "engine": ENGINE_VERSION,
        "rule": repr(dataset.instances),
        "keep_empty": keep_empty,
    }


class Journal:
    """An append-only file of finished cases; a half-written last line is ignored."""

    def __init__(self, path: Path, head: Record, *, resume: bool) -> None:
        self.path = path
        self.done: dict[str, Record] = {}
        if resume and path.is_file():
            lines = path.read_text(encoding="utf-8").split("\n")[:-1]
            if lines and _parse(lines[0]) == head:
                records = (_parse(line) for line in lines[1:])
                self.done = {r["key"]: r for r in records if r is not None}
        try:
            self._file = path.with_name(f".{path.name}.new").open("w", encoding="utf-8")
            for record in (head, *self.done.values()):
                self._file.write(json.dumps(record) + "\n")
            self._file.flush()
            path.with_name(f".{path.name}.new").replace(path)
        except OSError as error:
            raise ConverterError(f"cannot write {path}: {error.strerror or error}") from error

    def add(self, record: Record) -> None:
        """Write one finished case; it counts once its line is complete."""
        self.done[record["key"]] = record
        try:
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()
        except OSError as error:
            raise ConverterError(f"cannot write {self.path}: {error.strerror or error}") from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _parse(line: str) -> Record | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
