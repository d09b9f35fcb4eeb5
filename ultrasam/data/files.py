"""Files written whole or not at all: who reads one, or starts again after a kill, never sees half of it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ultrasam.converters.engine.atomic import replacing
from ultrasam.converters.engine.lines import from_line, to_line
from ultrasam.converters.engine.names import locate
from ultrasam.errors import OutputError

__all__ = [
    "atomic",
    "from_line",
    "locate",
    "open_atomic",
    "to_line",
    "write_bytes",
    "write_json",
    "write_text",
]


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary path that becomes ``path`` when the block ends well; folders are made.

    Raises:
        OutputError: it cannot be written, and why not; ``path`` is as it was.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            yield part
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def open_atomic(path: str | Path) -> Iterator[BinaryIO]:
    """The same, as an open file.

    Better for ``torch.save``: given a path, it does not say why it failed.
    """
    with atomic(path) as part, part.open("wb") as file:
        yield file


def write_bytes(path: str | Path, data: bytes | Iterable[bytes]) -> None:
    """Write a file, in pieces where it is given so."""
    with open_atomic(path) as file:
        file.writelines([data] if isinstance(data, bytes) else data)


def write_text(path: str | Path, text: str) -> None:
    """Write a text in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: str | Path, content: Any, indent: int | None = None) -> None:
    """Write JSON."""
    write_text(path, json.dumps(content, indent=indent))
