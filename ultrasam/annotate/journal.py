"""Every change on the disk before it is answered: an append-only file of checksummed lines."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

from ultrasam.data.files import from_line, to_line
from ultrasam.errors import UltraSamError

Record = dict[str, Any]


class NotKeptError(UltraSamError):
    """A change could not be written, by no fault of its own: it can be tried again."""


class Journal:
    """The changes of a session, in order.

    The last line of a killed process may be half a line: it was not answered, and is left out. Other lines
    that are not whole come from a damaged disk: they are counted, and the file is kept as ``.damaged``.

    Args:
        path: the file; made with the first record.

    Attributes:
        path: the file.
        records: what the file held when it was opened.
        damaged: lines that were not whole.
        last: number of the last record; records are counted from 1.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[Record] = []
        self.damaged = 0
        try:
            self._read(path.read_bytes() if path.is_file() else b"")
            self._file = os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o644)
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
        except OSError as error:
            raise UltraSamError(
                f"cannot write {path}: {error.strerror or error}; choose a place for the labels with --out"
            ) from error
        self.last = max((int(record["n"]) for record in self.records), default=0)

    def _read(self, content: bytes) -> None:
        # After the last line end lies nothing, or what a killed process could not finish.
        self._size = content.rfind(b"\n") + 1
        found = [from_line(line) for line in content[: self._size].split(b"\n")[:-1]]
        self.records = [record for record in found if record is not None]
        self.damaged = len(found) - len(self.records)
        if self.damaged:
            shutil.copyfile(self.path, f"{self.path}.damaged")

    def __len__(self) -> int:
        """Bytes of the file."""
        return self._size

    def add(self, record: Record) -> int:
        """Write a record; it is on the disk when this returns.

        Returns:
            its number.

        Raises:
            NotKeptError: it cannot be written; the file is as it was.
        """
        line = to_line({"n": self.last + 1, **record}).encode()
        try:
            written = 0
            while written < len(line):
                written += os.write(self._file, line[written:])
            os.fsync(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
                os.lseek(self._file, self._size, os.SEEK_SET)
            raise NotKeptError(
                f"nothing was changed: cannot write {self.path} ({error.strerror or error})"
            ) from error
        self._size += len(line)
        self.last += 1
        return self.last

    def restart(self, beside: Path | None = None) -> None:
        """Begin an empty file; the old one is kept ``beside``, or not at all."""
        self.close()
        if beside is not None:
            self.path.replace(beside)
        else:
            self.path.unlink(missing_ok=True)
        last = self.last
        self.__init__(self.path)  # type: ignore[misc]
        self.last = last

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
