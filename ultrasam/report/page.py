"""Self-contained HTML pages: one head, tables, pictures inside the page."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

import cv2
import numpy as np

#: Of all pages.
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ccc; }
th:first-child, td:first-child { text-align: left; } tr.strong td, tr.model td { font-weight: 600; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); gap: .8rem; }
figure { margin: 0; } img { width: 100%; } figcaption { font-size: .8rem; color: #555; }
svg { width: 100%; max-width: 34rem; height: auto; } .curves { display: flex; flex-wrap: wrap; gap: 1rem; }
.curves svg { flex: 1 1 26rem; } pre { white-space: pre-wrap; }
"""


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page; the parts are HTML."""
    head = f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{html.escape(title)}</title>"
    return "\n".join([f"{head}<style>{STYLE}</style>", *parts, "</html>"])


def table(head: Sequence[str], rows: Sequence[Sequence[str]], strong: Sequence[int] = ()) -> str:
    """A table of plain texts; rows whose number is in ``strong`` stand out."""
    lines = ["<table><tr>" + "".join(f"<th>{html.escape(text)}</th>" for text in head) + "</tr>"]
    for number, row in enumerate(rows):
        mark = " class='strong'" if number in strong else ""
        lines.append(f"<tr{mark}>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>")
    return "\n".join([*lines, "</table>"])


def picture(image: np.ndarray, caption: str) -> str:
    """An image (H, W, 3) uint8 RGB inside the page, as JPEG."""
    data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
    return embed(data.tobytes(), "jpeg", caption)


def embed(data: bytes, kind: str, caption: str) -> str:
    """An encoded image inside the page; ``kind`` is png or jpeg."""
    text = html.escape(caption)
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return f"<figure><img alt='{text}' src='{source}'><figcaption>{text}</figcaption></figure>"


def grid(figures: Sequence[str]) -> str:
    """Figures side by side."""
    return f"<div class='grid'>{''.join(figures)}</div>"
