"""Finding the raw tree and enumerating its cases."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from .errors import CaseError, TreeError
from .types import Case, Dataset

JUNK = {"__MACOSX", ".DS_Store", "Thumbs.db"}
DEPTH = 4
Name = Callable[[Path], str | None]


def glob(root: Path, pattern: str) -> list[Path]:
    """Files that match, in natural order, without what file managers leave behind.

    Case does not matter (`*.png` finds `1.PNG`); `{a,b}` means either; `**/` any folders; `a|b` both
    patterns together.
    """
    if "|" in pattern:
        return sorted({p for part in pattern.split("|") for p in glob(root, part)}, key=natural)
    found = [root]
    for part in pattern.split("/"):
        if part == "**":
            found = [folder for top in found for folder in (top, *_folders(top))]
            continue
        wanted = re.compile(_translate(part), re.IGNORECASE)
        found = [p for top in found if top.is_dir() for p in top.iterdir() if wanted.fullmatch(p.name)]
    return sorted({p for p in found if p.is_file() and not junk(p, root)}, key=natural)


def walk(top: Path) -> list[Path]:
    """All files and folders under a folder, sorted.

    Raises:
        TreeError: A folder in it cannot be read: half a data set would pass for a whole one.
    """

    def refuse(error: OSError) -> None:
        raise TreeError(
            f"{error.filename}: cannot be read ({error.strerror}); make it readable and run again"
        )

    entries = os.walk(top, onerror=refuse)
    return sorted(Path(folder, name) for folder, *names in entries for name in chain(*names))


def natural(path: Path) -> list[tuple[int, int, str]]:
    """A sort key by which 2.png comes before 10.png."""
    parts = re.split(r"(\d+)", path.as_posix())
    return [(0, int(p), p) if p.isdecimal() and p.isascii() else (1, 0, p) for p in parts]


def junk(path: Path, root: Path) -> bool:
    """Whether a path is a resource fork, a thumbnail or otherwise no data."""
    return any(part in JUNK or part.startswith("._") for part in path.relative_to(root).parts)


def _folders(top: Path) -> Iterator[Path]:
    if top.is_dir():
        yield from (p for p in walk(top) if p.is_dir() and p.name not in JUNK)


def _translate(name: str) -> str:
    special = {"*": ".*", "?": ".", "{": "(?:", "}": ")", ",": "|"}
    inside = False
    result = ""
    for c in name:
        inside = c == "{" or (inside and c != "}")
        result += re.escape(c) if c == "," and not inside else special.get(c, re.escape(c))
    return result


def locate(dataset: Dataset, top: Path) -> Path | None:
    """The folder under `top` (up to four levels down, shallowest first) that all of `needs` match."""
    if not dataset.needs:
        return top
    level = [top]
    for _ in range(DEPTH + 1):
        for folder in level:
            if all(glob(folder, pattern) for pattern in dataset.needs):
                return folder
        level = [p for folder in level for p in sorted(folder.iterdir()) if p.is_dir() and p.name not in JUNK]
        if len(level) > 200:  # many folders side by side are patients, not wrappers
            return None
    return None


def missing(dataset: Dataset, top: Path) -> TreeError:
    """What was found and what was missed, as an error."""
    level, near, depth = [top], dataset.needs, 0
    while level and depth <= DEPTH:  # the folder in which the most was found tells best what is missing
        for folder in level[:50]:
            lacking = tuple(pattern for pattern in dataset.needs if not glob(folder, pattern))
            near = min(near, lacking, key=len)
        level = [p for folder in level[:50] for p in sorted(folder.iterdir()) if p.is_dir()]
        depth += 1
    entries = sorted(p.name + "/" * p.is_dir() for p in top.iterdir() if p.name not in JUNK)
    found = ", ".join(entries[:8]) + (f" and {len(entries) - 8} more" if len(entries) > 8 else "")
    return TreeError(
        f"{dataset.name}: no {' and no '.join(near)} under {top} (found there: {found or 'nothing'}).\n"
        f"The expected tree is shown by: ultrasam convert info {dataset.name}"
    )


def stem(path: Path) -> str:
    """The file name without its ending."""
    return path.stem


def match(
    images: Iterable[Path], masks: Iterable[Path], image: Name = stem, mask: Name = stem
) -> Iterator[tuple[Path, Path] | CaseError]:
    """Pair images and masks by name; what has no partner, or two, is given as an error.

    Args:
        images: The image files, whose order is kept.
        masks: The mask files.
        image: Gives an image's key, None for a file to leave alone.
        mask: Gives a mask's key likewise.
    """
    waiting: dict[str, Path] = {}
    for path in masks:
        name = mask(path)
        if name is None:
            continue
        if name in waiting:
            yield CaseError(path, f"second mask for {name!r}")
            continue
        waiting[name] = path
    seen: set[str] = set()
    for path in images:
        name = image(path)
        if name is None:
            continue
        partner = waiting.get(name)
        if partner is None:
            yield CaseError(path, "image without mask")
        elif name in seen:
            yield CaseError(path, f"second image for {name!r}")
        else:
            yield path, partner
        seen.add(name)
    yield from (CaseError(path, "mask without image") for name, path in waiting.items() if name not in seen)


def pairs(
    root: Path,
    images: str,
    masks: str,
    image: Name = stem,
    mask: Name = stem,
    make: Callable[[str, Path], dict[str, str | None]] | None = None,
    prefix: str = "",
) -> Iterator[Case | CaseError]:
    """Cases of image files with one mask file each, found by two globs.

    The case key is `prefix` and the image's key; `make(key, path)` gives further fields of the case, such
    as subject, split or label.
    """
    for found in match(glob(root, images), glob(root, masks), image, mask):
        if isinstance(found, CaseError):
            yield found
            continue
        name = image(found[0]) or ""
        fields = make(name, found[0]) if make else {}
        yield Case(prefix + name, {"image": found[0], "mask": found[1]}, **fields)
