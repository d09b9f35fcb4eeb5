"""A table of text for people: on a page, in Markdown, in a terminal."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: What columns of numbers hold: 0.5, +1, 20.0 %, 0.912 (0.05), a dash or nothing.
_NUMBER = re.compile(r"[-+]?\d[\d.]*( ?%| \([\d.]+\))?|-?")


@dataclass(frozen=True)
class Table:
    """A titled table of text.

    Attributes:
        title: above it; empty for none.
        head: names of the columns.
        rows: cells, as many in each row as there are columns.
        strong: numbers of the rows that stand out.
        note: below it; empty for none.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    strong: Sequence[int] = ()
    note: str = ""

    def markdown(self, level: int = 3) -> str:
        """As Markdown, under a heading of a level."""
        lines = [_markdown_row(self.head), "|---" * len(self.head) + "|", *map(_markdown_row, self.rows)]
        title = [f"{'#' * level} {as_markdown(self.title)}\n"] if self.title else []
        return "\n".join([*title, *lines, *([f"\n{as_markdown(self.note)}"] if self.note else [])])

    def html(self, level: int = 2) -> str:
        """As HTML, under a heading of a level; a wide table scrolls by itself."""
        texts = [not all(_NUMBER.fullmatch(row[i]) for row in self.rows) for i in range(len(self.head))]
        rows = [_html_row("th", self.head, texts)]
        for number, row in enumerate(self.rows):
            rows.append(_html_row("td", row, texts, " class='strong'" if number in self.strong else ""))
        lines = [f"<h{level}>{html.escape(self.title)}</h{level}>"] if self.title else []
        lines += ["<div class='wide'><table>", *rows, "</table></div>"]
        return "\n".join([*lines, *([f"<p>{html.escape(self.note)}</p>"] if self.note else [])])

    def text(self) -> str:
        """For a terminal: the first column to the left, the others to the right."""
        rows = [self.head, *self.rows]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.head))]
        lines = [
            "  ".join(
                [f"{row[0]:<{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))]
            )
            for row in rows
        ]
        shown = [self.title, *(line.rstrip() for line in lines), self.note]
        return "\n".join(line for line in shown if line)


def as_markdown(text: str) -> str:
    """Text as Markdown that shows it: no name of a file, a class or a data set becomes a tag or a link."""
    return re.sub(r"([\\`*\[\]|])", r"\\\1", html.escape(" ".join(text.split()), quote=False))


def fenced(text: str) -> str:
    """Text as a block of code in Markdown, whatever it holds."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(as_markdown, cells))} |"


def _html_row(tag: str, cells: Sequence[str], texts: Sequence[bool], mark: str = "") -> str:
    opened = [f"<{tag} class='text'>" if is_text else f"<{tag}>" for is_text in texts]
    parts = [f"{tags}{html.escape(cell)}</{tag}>" for tags, cell in zip(opened, cells, strict=True)]
    return f"<tr{mark}>{''.join(parts)}</tr>"
