"""What is already converted: one line per finished case, so that a killed run goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import TracebackType
from typing import Any

from .errors import ConverterError
from .lines import from_line, to_line
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
    """An append-only file of finished cases; every line carries its checksum, and only whole ones count.

    Attributes:
        done: Finished cases by key.
        damaged: Lines that were not whole; the last one of a killed run is not counted.
    """

    def __init__(self, path: Path, head: Record, *, resume: bool) -> None:
        self.path = path
        self.done: dict[str, Record] = {}
        self.damaged = 0
        if resume and path.is_file():
            self._read(head)
        try:
            self._file = path.with_name(f".{path.name}.new").open("w", encoding="utf-8")
            self._file.writelines(to_line(record) for record in (head, *self.done.values()))
            self._file.flush()
            path.with_name(f".{path.name}.new").replace(path)
        except OSError as error:
            raise ConverterError(f"cannot write {path}: {error.strerror or error}") from error

    def _read(self, head: Record) -> None:
        try:
            first, *lines = self.path.read_bytes().split(b"\n")
        except OSError as error:
            raise ConverterError(f"cannot read {self.path}: {error.strerror or error}") from error
        if not first:
            return
        # After the last line end lies nothing, or what a killed run could not finish.
        lines = lines[:-1]
        records = [from_line(line) for line in lines]
        whole = [record for record in records if record is not None]
        known = from_line(first)
        if known == head:
            self.done = {record["key"]: record for record in whole}
        if known is None or known == head:
            self.damaged = len(records) - len(whole) + (known is None)

    def add(self, record: Record) -> None:
        """Write one finished case; it counts once its line is complete."""
        self.done[record["key"]] = record
        try:
            self._file.write(to_line(record))
            self._file.flush()
        except OSError as error:
            raise ConverterError(f"cannot write {self.path}: {error.strerror or error}") from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
