"""File names as other tools write them, matched to the files that are there.

Windows writes backslashes, URL encoders ``%20``, Label Studio ``/data/local-files/?d=...`` and eight letters
before an uploaded name; annotators leave the folders of their own machine; Macs take accented letters apart.
A name is matched where exactly one file fits and no other name does, and never across folders that differ.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

Parts = tuple[str, ...]
#: Files of a folder that are looked through for names that do not lead to one.
MOST_FILES = 1_000_000
_UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)")


@dataclass
class Matched:
    """Which files are meant by names.

    Attributes:
        found: name -> the file.
        ambiguous: name -> the files, or names of one file, that can't be told apart.
    """

    found: dict[str, str] = field(default_factory=dict)
    ambiguous: dict[str, list[str]] = field(default_factory=dict)


def match(names: Iterable[str], files: Sequence[str]) -> Matched:
    """Match names to files, both relative to wherever they start; the same name may come several times."""
    result, there = Matched(), Counter(files)
    by_name: dict[str, list[tuple[Parts, str]]] = defaultdict(list)
    for file in files:
        parts = _parts(file)
        if parts:
            by_name[parts[-1]].append((parts, file))
    wanted: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        fitting = [name] * there[name] if name in there else _fitting(name, by_name)
        if len(fitting) == 1:
            wanted[fitting[0]].append(name)
        elif fitting:
            result.ambiguous[name] = fitting
    for file, its in wanted.items():
        exact = [name for name in its if name == file]
        if len(its) == 1 or exact:
            result.found.update({name: file for name in exact or its})
        for name in its:
            if name not in result.found:
                result.ambiguous[name] = sorted({*its, file})
    return result


def locate(folder: Path, names: Iterable[str]) -> tuple[dict[str, Path], dict[str, list[str]]]:
    """The image files below a folder that names mean.

    Returns:
        name -> file, and of those that are ambiguous, name -> the files that fit.
    """
    names = list(dict.fromkeys(names))
    found = {name: folder / name for name in names if is_file(folder / name)}
    missing = [name for name in names if name not in found]
    if not missing:
        return found, {}
    files = list(islice(_files(folder), MOST_FILES + 1))
    if len(files) > MOST_FILES:
        return found, {}
    # Files that have a name of their own are not for others.
    taken = {os.path.normpath(path) for path in found.values()}
    matched = match(missing, [f for f in files if os.path.normpath(folder / f) not in taken])
    return found | {name: folder / file for name, file in matched.found.items()}, matched.ambiguous


def is_file(path: Path) -> bool:
    """Whether a file is there; False for names that no file can have."""
    # pathlib's own raises where a name is too long.
    return os.path.isfile(path)  # noqa: PTH113


def _files(folder: Path) -> Iterator[str]:
    for root, folders, files in os.walk(folder):
        folders.sort()
        inside = Path(root).relative_to(folder)
        yield from ((inside / file).as_posix() for file in sorted(files))


def _fitting(name: str, by_name: dict[str, list[tuple[Parts, str]]]) -> list[str]:
    """The files that a name can mean, those of the first way to read it that leads to any."""
    for parts in _ways(name):
        near = [(its, file) for its, file in by_name.get(parts[-1], ()) if _tail(parts, its)]
        same = [file for its, file in near if its == parts]
        if same:
            return same
        longest = max((len(its) for its, _ in near), default=0)
        # With more folders than the name has, files are equally far; with fewer, the nearest is meant.
        best = [file for its, file in near if len(its) >= min(longest, len(parts))]
        if best:
            return best
    return []


def _tail(first: Parts, second: Parts) -> bool:
    """Whether one is the end of the other."""
    least = min(len(first), len(second))
    return first[-least:] == second[-least:]


def _ways(name: str) -> Iterator[Parts]:
    """The ways to read a name, the plainest first."""
    plain = name.replace("\\", "/")
    asked = re.search(r"[?&]d=([^&]*)", plain)
    if asked:
        texts = [unquote(asked.group(1)).replace("\\", "/")]
    else:
        texts = [plain, unquote(plain), unquote(plain.partition("?")[0])]
    seen = set()
    for text in texts:
        parts = _parts(text)
        for way in (parts, (*parts[:-1], _UPLOAD.sub("", parts[-1], count=1)) if parts else parts):
            if way and way not in seen:
                seen.add(way)
                yield way


def _parts(name: str) -> Parts:
    """Folders and name, with cases and composed letters made alike and without what is before a ``..``."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    parts = [part for part in text.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts:
        parts = parts[len(parts) - parts[::-1].index("..") :]
    return tuple(parts[1:] if len(parts) > 1 and re.fullmatch(r"[a-z]:", parts[0]) else parts)
