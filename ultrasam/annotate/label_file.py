"""The COCO file of a session: read, written whole or not, never over others' changes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ultrasam.data import coco, files
from ultrasam.errors import DataError, UltraSamError


class ChangedError(UltraSamError):
    """Another program has changed the file since it was read or written here."""


class _Stamp(NamedTuple):
    """What tells a file from one that was changed."""

    size: int
    time: int


class LabelFile:
    """A COCO file on the disk.

    Attributes:
        path: the file.
        content: what it held when it was read; COCO's lists, empty where there is no file.
        digest: of its bytes as they were read or written last; None without a file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content: dict[str, Any] = {"images": [], "annotations": [], "categories": []}
        self.digest: str | None = None
        self._stamp: _Stamp | None = None
        self.read()

    def read(self) -> None:
        """Read the file, if there is one.

        Raises:
            DataError: it is no COCO file.
        """
        self._stamp = self._now()
        self.digest = None if self._stamp is None else self._digest_now()
        if self._stamp is not None:
            self.content = coco.read(self.path).content

    @property
    def changed(self) -> bool:
        """Whether another program has written it; one that was taken away may be written again."""
        stamp = self._now()
        if stamp is None or stamp == self._stamp:
            return False
        if self._digest_now() == self.digest:
            self._stamp = stamp
            return False
        return True

    def write(self, content: Mapping[str, Any], before: Callable[[str], None]) -> None:
        """Write the file.

        Args:
            content: all of it.
            before: called with the new file's digest when all but the change of names is done.

        Raises:
            ChangedError: another program has changed it; it is as that program left it.
            UltraSamError: it can't be written, and why not; it is as it was.
        """
        data = json.dumps(content).encode()
        digest = _digest(data)
        with files.atomic(self.path) as part:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if self.changed:
                raise ChangedError(
                    f"{self.path} was changed by another program; it is not written over: "
                    "choose which of the two to keep"
                )
            before(digest)
        self.digest, self._stamp = digest, self._now()

    def keep_beside(self, word: str) -> Path:
        """Put the file as it is now beside itself, as NAME.word.json, or with a number where there is one."""
        number = 1
        while (place := self.path.with_suffix(f".{word}{'' if number == 1 else number}.json")).exists():
            number += 1
        if self.path.exists():
            files.write_bytes(place, self.path.read_bytes())
        return place

    def take_as_ours(self) -> None:
        """Whatever the file holds now may be written over."""
        self._stamp = self._now()
        self.digest = None if self._stamp is None else self._digest_now()

    def _now(self) -> _Stamp | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return _Stamp(stat.st_size, stat.st_mtime_ns)

    def _digest_now(self) -> str | None:
        try:
            return _digest(self.path.read_bytes())
        except OSError as error:
            raise DataError(f"cannot read {self.path}: {error.strerror or error}") from error


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
