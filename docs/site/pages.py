"""Pages of the site that lie elsewhere in the source, and links out of the documents."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
#: Page of the site -> file of the source.
ELSEWHERE = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
    "model_card.md": "ultrasam/weights/README.md",
}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#:]+)(#[^)]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie outside of docs/."""
    for page, source in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links at pages of the site; what is no page is named without a link."""
    here = PurePosixPath(page.file.src_uri)
    where = PurePosixPath(ELSEWHERE.get(page.file.src_uri, f"docs/{page.file.src_uri}")).parent
    pages = {source: target for target, source in ELSEWHERE.items()}

    def pointed(match: re.Match[str]) -> str:
        image, text, link, anchor = match[1], match[2], match[3], match[4] or ""
        named = os.path.normpath(where / link)
        target = pages.get(named) or named.removeprefix("docs/")
        if files.get_file_from_path(target):
            return f"{image}[{text}]({os.path.relpath(target, here.parent)}{anchor})"
        # A file of the source, not of the site; what exists nowhere is left for the builder to find.
        return text if (ROOT / named).exists() else match[0]

    return _LINK.sub(pointed, markdown)
