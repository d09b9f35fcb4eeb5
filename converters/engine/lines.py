"""Records as lines of a file, each with its checksum: what was not written whole is told from what was."""

from __future__ import annotations

import json
import zlib
from typing import Any


def to_line(record: dict[str, Any]) -> str:
    """A record as a line of text, its end included."""
    text = json.dumps(record)
    return f"{_sum(text)} {text}\n"


def from_line(line: bytes) -> dict[str, Any] | None:
    """The record of a line without its end, None where it is not the line that was written."""
    try:
        sum_of, text = line.decode("utf-8").split(" ", 1)
    except ValueError:
        return None
    return dict(json.loads(text)) if sum_of == _sum(text) else None


def _sum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"
