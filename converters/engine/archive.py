"""Archives as they are downloaded: zip (split too), tar, rar and 7z, nested, and nothing unsafe."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tarfile
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any

from .errors import ArchiveError
from .find import JUNK, locate, missing, walk
from .splitzip import SplitZip
from .types import Dataset

KINDS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".rar", ".7z", ".change2zip")
NESTING = 4
#: Refuse what unpacks to more than this: compressed images and label volumes stay far below.
BOMB_RATIO = 300
BOMB_FLOOR = 1 << 30
BOMB_FILES = 2_000_000
CHUNK = 1 << 20


class Budget:
    """What may still be unpacked; all archives of a data set, and those in them, share one."""

    def __init__(self, archives: Iterable[Path]) -> None:
        files = [part for archive in archives for part in (archive, *SplitZip.parts(archive))]
        self.bytes = max(BOMB_FLOOR, BOMB_RATIO * sum(path.stat().st_size for path in files))
        self.files = BOMB_FILES

    def check(self, archive: Path, sizes: Sequence[int], into: Path) -> None:
        """Refuse what an archive itself says that it holds, before anything of it is written."""
        if sum(sizes) > self.bytes or len(sizes) > self.files:
            raise self._exceeded(archive)
        free = shutil.disk_usage(into).free
        if sum(sizes) > free:
            raise ArchiveError(
                f"{archive}: needs {sum(sizes) / 2**30:.1f} GiB to unpack, {free / 2**30:.1f} GiB are free "
                f"beside {into}"
            )

    def take(self, archive: Path, *, files: int = 0, size: int = 0) -> None:
        """Count what is written, whatever was said before."""
        self.files -= files
        self.bytes -= size
        if self.files < 0 or self.bytes < 0:
            raise self._exceeded(archive)

    def _exceeded(self, archive: Path) -> ArchiveError:
        return ArchiveError(
            f"{archive}: with what is in it and beside it, unpacks to more than {BOMB_RATIO} times the "
            f"download (and {BOMB_FLOOR / 2**30:.0f} GiB) or to more than {BOMB_FILES} files, refused; if it "
            "is what you think it is, unpack it yourself and give the folder"
        )


def is_archive(path: Path) -> bool:
    """Whether the name says archive; parts of a split zip belong to their last part."""
    return path.is_file() and path.name.lower().endswith(KINDS)


def prepare(dataset: Dataset, source: Path, work: Path) -> Path:
    """Give the raw root of a data set from a folder or an archive, unpacking what has to be.

    A folder that already has the expected tree is used where it is. Otherwise its archives are unpacked
    into `work`, beside links to its other files.

    Raises:
        ArchiveError: An archive is broken or unsafe.
        TreeError: The tree is not as expected, with what was found and what was missed.
    """
    if not source.exists():
        raise ArchiveError(f"{dataset.name}: {source} does not exist")
    if source.is_dir():
        root = locate(dataset, source)
        if root is not None:
            return root
        if not any(is_archive(path) for path in walk(source)):
            raise missing(dataset, source)
    elif not is_archive(source):
        raise ArchiveError(f"{source}: neither a folder nor an archive ({', '.join(KINDS)})")
    tree = work / hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:12]
    if not (tree / ".complete").is_file():
        shutil.rmtree(tree, ignore_errors=True)
        try:
            tree.mkdir(parents=True)
            _unpack_all(source, tree)
            (tree / ".complete").touch()
        except BaseException:
            # What a refused archive left may fill the disk.
            discard(tree)
            raise
    root = locate(dataset, tree)
    if root is None:
        error = missing(dataset, tree)
        discard(tree)
        raise error
    return root


def _unpack_all(source: Path, tree: Path) -> None:
    if source.is_dir():
        budget = Budget(path for path in walk(source) if is_archive(path))
        _mirror(source, tree)
    else:
        budget = Budget([source])
        unpack(source, tree, budget)
    _nested(tree, budget)


def unpack(archive: Path, into: Path, budget: Budget | None = None) -> None:
    """Unpack one archive into an existing folder.

    Args:
        archive: The file.
        into: The folder.
        budget: What it may unpack to, shared with other archives; its own where None.

    Raises:
        ArchiveError: Broken, encrypted, of an unknown kind, with members that lie outside of the folder or
            are links, or that unpack to far more than archives of images do.
    """
    budget = budget or Budget([archive])
    try:
        budget.check(archive, _announced(archive), into)
        for name, modified, stream in _members(archive):
            target = into / _safe(archive, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            budget.take(archive, files=1)
            _copy(stream, target, budget, archive)
            os.utime(target, (modified, modified))
    except ArchiveError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise ArchiveError(f"{archive}: cannot be unpacked: {reason}") from error
    except Exception as error:  # each format has its own errors; all mean that the archive is broken
        raise ArchiveError(f"{archive}: broken archive: {str(error) or type(error).__name__}") from error


def _safe(archive: Path, name: str) -> Path:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name) or not path.parts:
        raise ArchiveError(f"{archive}: unsafe member {name!r}")
    return Path(*path.parts)


def _copy(stream: IO[bytes] | Iterator[bytes], target: Path, budget: Budget, archive: Path) -> None:
    read = getattr(stream, "read", None)
    chunks: Any = iter(lambda: read(CHUNK), b"") if read else stream
    with target.open("wb") as file:
        for chunk in chunks:
            budget.take(archive, size=len(chunk))
            file.write(chunk)


def _announced(archive: Path) -> list[int]:
    """Bytes of each file, where the archive has a directory that says so."""
    if not archive.name.lower().endswith((".zip", ".change2zip")):
        return []
    if SplitZip.parts(archive):
        return [member.size for member in SplitZip(archive).directory()]
    with zipfile.ZipFile(archive) as opened:
        return [member.file_size for member in opened.infolist()]


def _members(archive: Path) -> Iterator[tuple[str, float, Any]]:
    """Name, time and content of every file in the archive."""
    name = archive.name.lower()
    if name.endswith((".zip", ".change2zip")):
        yield from SplitZip.members(archive) if SplitZip.parts(archive) else _zip(archive)
    elif name.endswith((".rar", ".7z")):
        yield from _libarchive(archive)
    else:
        with tarfile.open(archive) as opened:
            for member in opened:
                if member.isdir():
                    continue
                if not member.isfile():
                    raise ArchiveError(f"{archive}: {member.name!r} is no plain file, refused")
                yield member.name, member.mtime, opened.extractfile(member)


def _zip(archive: Path) -> Iterator[tuple[str, float, Any]]:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            if member.is_dir():
                continue
            if member.flag_bits & 1:
                raise ArchiveError(f"{archive}: encrypted; unpack it with its password first")
            if (member.external_attr >> 16) & 0o170000 == 0o120000:
                raise ArchiveError(f"{archive}: {member.filename!r} is a link, refused")
            modified = time.mktime((*member.date_time, 0, 0, -1))
            with opened.open(member) as stream:
                yield member.filename, modified, stream


def _libarchive(archive: Path) -> Iterator[tuple[str, float, Any]]:
    try:
        import libarchive
    except (ImportError, OSError, TypeError, AttributeError) as error:
        raise ArchiveError(
            f"{archive}: rar and 7z need libarchive (apt install libarchive13, brew install libarchive), "
            "or unpack it yourself and give the folder"
        ) from error
    with libarchive.file_reader(str(archive)) as opened:
        for member in opened:
            if member.isdir:
                continue
            if not member.isfile:
                raise ArchiveError(f"{archive}: {member.pathname!r} is no plain file, refused")
            yield member.pathname, float(member.mtime or 0), member.get_blocks()


def _mirror(source: Path, tree: Path) -> None:
    """The folder again, with links to its files."""
    for path in walk(source):
        target = tree / path.relative_to(source)
        if path.is_file() and path.name not in JUNK:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path.resolve())


def _nested(tree: Path, budget: Budget) -> None:
    """Unpack the archives in a tree, and those in them, each where it lies."""
    for _ in range(NESTING):
        found = [path for path in walk(tree) if is_archive(path)]
        if not found:
            return
        for path in found:
            folder = _folder_for(path)
            folder.mkdir()
            unpack(path, folder, budget)
            for part in [path, *SplitZip.parts(path)]:
                part.unlink()
            _lift(folder)
    if any(is_archive(path) for path in walk(tree)):
        raise ArchiveError(f"archives nested deeper than {NESTING} levels, refused")


def _folder_for(path: Path) -> Path:
    name = path.name
    for kind in sorted(KINDS, key=len, reverse=True):
        if name.lower().endswith(kind):
            name = name[: -len(kind)]
            break
    folder = path.with_name(name)
    while folder.exists():
        folder = folder.with_name(folder.name + "_")
    return folder


def _lift(folder: Path) -> None:
    """`a.zip` that holds the one folder `a` becomes `a/...` and not `a/a/...`."""
    entries = [path for path in folder.iterdir() if path.name not in JUNK]
    if len(entries) == 1 and entries[0].is_dir() and entries[0].name == folder.name:
        inner = entries[0].rename(folder.with_name(folder.name + ".lift"))
        shutil.rmtree(folder)
        inner.rename(folder)


def discard(work: Path) -> None:
    """Remove what was unpacked, and the folders round it where nothing else is in them."""
    with suppress(OSError):
        shutil.rmtree(work)
        for folder in work.parents[:2]:
            folder.rmdir()
