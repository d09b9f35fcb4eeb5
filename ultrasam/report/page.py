"""The one kind of page that all reports are: a single HTML file that holds its pictures and can be mailed."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import ultrasam
from ultrasam.data.files import write_text
from ultrasam.data.images import read_image
from ultrasam.report.table import Table

#: What a page consists of: tables, and HTML as the functions below make it.
Part = str | Table
#: Pictures on pages are at most so many pixels wide; those in files are not touched.
_WIDTH, _PAIR_WIDTH = 440, 720
#: Plots carry ink for white paper, see `ultrasam.report.plot`; here they take the page's.
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { margin: .5rem 0; } h2 { margin: 2rem 0 .5rem; } h3 { margin: 1rem 0 .3rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; margin: .5rem 0; }
th, td { padding: .2rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #8885; }
th { vertical-align: bottom; } .text, th:first-child, td:first-child { text-align: left; }
th, td.text { white-space: normal; }
th:first-child, td:first-child { padding-left: 0; } tr.strong td { font-weight: 600; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .8rem; }
.grid.pairs { grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)); }
figure { margin: 0; } img { width: 100%; display: block; }
.row > div { display: flex; gap: .3rem; } .row figure { flex: 1; }
figcaption { font-size: .8rem; opacity: .75; overflow-wrap: anywhere; }
.curves { display: flex; flex-wrap: wrap; gap: 1rem; }
.curves svg { flex: 1 1 min(26rem, 100%); max-width: 34rem; height: auto; }
svg text { fill: currentColor; } svg .paper { fill: none; } svg .rule { stroke: #8885; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; }
footer { margin-top: 2rem; font-size: .8rem; opacity: .75; }
"""


def write_page(
    path: Path, title: str, parts: Iterable[Part], settings: Mapping[str, Any] | None = None
) -> Path:
    """Write a page and return its path.

    Args:
        path: the HTML file.
        title: its heading, as plain text.
        parts: in order.
        settings: what the report was made with, at the end.
    """
    body = [part.html() if isinstance(part, Table) else part for part in parts]
    if settings is not None:
        body += [heading("Settings"), preformatted(json.dumps(settings, indent=1))]
    footer = f"<footer>Made by UltraSam {ultrasam.__version__}. Not a medical device.</footer>"
    write_text(
        path,
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>{heading(title, 1)}\n"
        + "\n".join(body)
        + f"\n{footer}</body></html>\n",
    )
    return path


def heading(text: str, level: int = 2) -> str:
    """A heading of plain text."""
    return f"<h{level}>{html.escape(text)}</h{level}>"


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def preformatted(text: str) -> str:
    """Plain text whose lines stay as they are."""
    return f"<pre>{html.escape(text)}</pre>"


def curves(plots: Iterable[str]) -> str:
    """Plots side by side."""
    return f"<div class='curves'>{''.join(plots)}</div>"


def picture(image: np.ndarray, caption: str, width: int = _WIDTH) -> str:
    """An image (H, W, 3) uint8 RGB as a JPEG inside the page, shrunk to a width."""
    if image.shape[1] > width:
        height = max(1, round(image.shape[0] * width / image.shape[1]))
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 75])[1]
    source = f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode('ascii')}"
    text = html.escape(caption)
    return f"<figure><img alt='{text}' src='{source}'><figcaption>{text}</figcaption></figure>"


def grid(figures: Iterable[str], kind: str = "") -> str:
    """Figures side by side; those of the kind ``pairs`` are about twice as wide."""
    return f"<div class='grid {kind}'>{''.join(figures)}</div>"


def beside(figures: Iterable[str], caption: str) -> str:
    """Figures that belong together, in one row above their caption."""
    below = f"<figcaption>{html.escape(caption)}</figcaption>"
    return f"<figure class='row'><div>{''.join(figures)}</div>{below}</figure>"


def gallery(files: Sequence[Path], kind: str = "") -> str:
    """Picture files side by side, under their names; see `grid`."""
    width = _PAIR_WIDTH if kind == "pairs" else _WIDTH
    return grid((picture(read_image(path), path.stem, width) for path in files), kind)
