"""Two columns of names, ours and theirs, and renaming in both directions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

_NUMBER = re.compile(r"\\\{(\w+)\\\}")


@dataclass(frozen=True)
class Table:
    """Beginnings of names, one row each: (ours, theirs); ``{n}`` stands for a number, ``{s}`` for a word.

    The first row that fits a name's beginning is used; a name that fits none stays as it is.
    """

    rows: tuple[tuple[str, str], ...]

    def to_ours(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Parameters with their names under ours."""
        return {_rename(name, ((b, a) for a, b in self.rows)): value for name, value in state.items()}

    def to_theirs(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Parameters with our names under theirs."""
        return {_rename(name, self.rows): value for name, value in state.items()}


def _rename(name: str, rows: Iterable[tuple[str, str]]) -> str:
    for old, new in rows:
        found = re.match(_pattern(old), name)
        if found:
            return new.format(**found.groupdict()) + name[found.end() :]
    return name


def _pattern(template: str) -> str:
    def group(match: re.Match[str]) -> str:
        return rf"(?P<{match[1]}>{'[^.]+' if match[1] == 's' else r'[0-9]+'})"

    return _NUMBER.sub(group, re.escape(template))
