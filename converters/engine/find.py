"""Enumerating cases: globs, pairs, groups and tables under a raw root."""

from __future__ import annotations

import re
from pathlib import Path

from .errors import TreeError
from .types import Dataset

JUNK = {"__MACOSX", ".DS_Store", "Thumbs.db"}


def glob(root: Path, pattern: str) -> list[Path]:
    """Files that match, sorted by path, without what file managers leave behind.

    Case does not matter (`*.png` finds `1.PNG`).
    """
    folders, _, name = pattern.rpartition("/")
    wanted = re.compile(_translate(name), re.IGNORECASE)
    parents = [root] if not folders else [p for p in root.glob(folders) if p.is_dir()]
    found = {p for parent in parents for p in parent.iterdir() if wanted.fullmatch(p.name)}
    return sorted(p for p in found if not junk(p, root) and p.is_file())


def junk(path: Path, root: Path) -> bool:
    """Whether a path is a resource fork, a thumbnail or otherwise no data."""
    parts = path.relative_to(root).parts
    return any(part in JUNK or part.startswith("._") for part in parts)


def _translate(name: str) -> str:
    return "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in name)


def check_tree(dataset: Dataset, root: Path) -> None:
    """Raise a `TreeError` that says what is missing and what was found instead."""
    if not root.is_dir():
        raise TreeError(f"{dataset.name}: {root} is no folder")
    missing = [pattern for pattern in dataset.needs if not glob(root, pattern)]
    if missing:
        found = ", ".join(sorted(p.name + "/" * p.is_dir() for p in root.iterdir())[:8]) or "nothing"
        raise TreeError(
            f"{dataset.name}: {root} lacks {', '.join(missing)} (found: {found}).\n"
            f"The expected tree: ultrasam convert info {dataset.name}"
        )
