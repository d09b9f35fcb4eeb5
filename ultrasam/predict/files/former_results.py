"""What earlier runs left in the folder: where it is no result any more, it goes; what people changed stays.

A record names the files that were made with it, and a fingerprint of each. Only what is named, lies within
the folder and is still as it was written, to the byte, is removed.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from ultrasam.data import images
from ultrasam.data.files import write_json
from ultrasam.errors import DataError, OutputError
from ultrasam.predict.files.sources import Source

#: Length of a file and a digest of its bytes.
Fingerprint = list[Any]
Fingerprints = Mapping[str, Fingerprint]


def fingerprint(data: bytes) -> Fingerprint:
    """Of a file's bytes."""
    return [len(data), hashlib.blake2b(data, digest_size=12).hexdigest()]


class FormerResults:
    """The files of a run's folder, as its records know them.

    Args:
        out: the folder.

    Attributes:
        changed: names of those that should have gone and were changed since.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self._gone: list[Path] = []
        self.changed: list[str] = []

    @property
    def removed(self) -> int:
        """How many files of earlier runs went."""
        return len(self._gone)

    def put_aside(self, name: str, files: Mapping[str, bytes]) -> None:
        """Rename pictures of a frame that somebody has changed and that are about to be written anew.

        One that is no whole picture any more is damaged, and nobody's work.
        """
        known = _files(_read(self.out / "records" / f"{name}.json"))
        for file in known.keys() & files.keys():
            path = self.out / file
            if not self._is_ours(path) or _is_as_written(path, known[file]) or not _is_whole(path):
                continue
            if path.read_bytes() == files[file]:
                continue
            number = next(n for n in itertools.count(1) if not _aside(path, n).exists())
            try:
                aside = path.rename(_aside(path, number))
            except OSError as error:
                raise OutputError(
                    f"cannot rename {path}, which was changed: {error.strerror or error}"
                ) from error
            self.changed.append(aside.relative_to(self.out).as_posix())

    def replace_frame(self, name: str, files: Collection[str] = ()) -> None:
        """Remove what an earlier record of a frame names, but for ``files``; without any, the record too."""
        path = self.out / "records" / f"{name}.json"
        self._remove(_files(_read(path)), files)
        if not files:
            self._unlink(path)

    def replace_source(self, name: str, digest: str, frames: Sequence[str], made: Collection[str]) -> None:
        """Note what a source is made into, and remove what was made of it when other things were asked.

        Args:
            name: its output name.
            digest: of all that its results depend on.
            frames: names of those that were segmented.
            made: names of what was made of all of them.
        """
        former, files = self._source(name), self._fingerprints(made)
        frames = list(frames)
        if former.get("digest") == digest:
            # What was not asked for this time, or can't be read at present, is as true as it was.
            files = {**_files(former), **files}
            frames = list(dict.fromkeys([*_frames(former), *frames]))
        else:
            self._remove(_files(former), files)
            for frame in set(_frames(former)) - set(frames):
                self.replace_frame(frame)
        write_json(self._source_path(name), {"digest": digest, "frames": frames, "files": files})

    def replace_files(self, files: Mapping[str, str]) -> None:
        """Remove what was made of single files that are a clip together now.

        Args:
            files: their names as inputs, by the output names that they had alone.
        """
        for name, file_name in files.items():
            image = _read(self.out / "records" / f"{name}.json").get("image")
            if isinstance(image, dict) and image.get("file_name") == file_name:
                self.replace_frame(name)
                self._remove(_files(self._source(name)))
                self._unlink(self._source_path(name))

    def replace_tables(self, digests: Mapping[str, str], made: Collection[str]) -> None:
        """The same of what is made of all sources, whose digests by name are given."""
        path = self.out / "records" / ".sources" / ".tables.json"
        tables: dict[str, Any] = {
            name: {"files": {name: known}, "sources": dict(digests)}
            for name, known in self._fingerprints(made).items()
        }
        for name, table in _read(path).items():
            if name in tables or not isinstance(table, dict):
                continue
            sources = table.get("sources")
            of = sources.items() if isinstance(sources, dict) else ()
            if of and all(self._source(source).get("digest") == digest for source, digest in of):
                tables[name] = table
            else:
                self._remove(_files(table))
        if tables or path.exists():
            write_json(path, tables)

    def _remove(self, files: Fingerprints, but: Collection[str] = ()) -> None:
        for name, known in files.items():
            path = self.out / name
            if name in but or not _leads_inside(name):
                continue
            if self._is_ours(path) and _is_as_written(path, known):
                self._unlink(path)
                self._gone.append(path)
            elif _is_file(path):
                self.changed.append(name)

    def _is_ours(self, path: Path) -> bool:
        """Whether it is a file within the folder, which no run could have written elsewhere."""
        return _is_file(path) and not path.is_symlink() and path.resolve().is_relative_to(self.out.resolve())

    def _unlink(self, path: Path) -> None:
        if not self._is_ours(path):
            return
        try:
            path.unlink()
        except OSError as error:
            raise OutputError(f"cannot remove {path} of an earlier run: {error.strerror or error}") from error

    def _fingerprints(self, names: Collection[str]) -> dict[str, Fingerprint]:
        return {name: fingerprint((self.out / name).read_bytes()) for name in names}

    def _source(self, name: str) -> dict[str, Any]:
        return _read(self._source_path(name))

    def _source_path(self, name: str) -> Path:
        return self.out / "records" / ".sources" / f"{name}.json"


def without_results(files: Sequence[Source], out: Path) -> list[Source]:
    """Files to segment, but for those that earlier runs made, where their folder lies within the inputs.

    Args:
        files: from `sources.find`.
        out: the folder.
    """
    folder = out.resolve()
    within = {file: path for file in files if (path := file.path.resolve()).is_relative_to(folder)}
    if not within:
        return list(files)
    made: set[str] = set()
    for path in (out / "records").rglob("*.json"):
        record = _read(path)
        made.update(_files(record))
        made.update(record if path.name == ".tables.json" else ())
    return [f for f in files if f not in within or within[f].relative_to(folder).as_posix() not in made]


def _leads_inside(name: str) -> bool:
    path = PurePath(name)
    return not path.is_absolute() and ".." not in path.parts


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # no file can have so long a name
        return False


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.changed" + (f"_{number}" if number > 1 else ""))


def _is_whole(path: Path) -> bool:
    try:
        images.read_samples(path)
    except DataError:
        return False
    return True


def _is_as_written(path: Path, known: Fingerprint) -> bool:
    try:
        return fingerprint(path.read_bytes()) == known
    except OSError:
        return False


def _read(path: Path) -> dict[str, Any]:
    """A record; empty where there is none, or none that is whole."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _files(record: Mapping[str, Any]) -> dict[str, Fingerprint]:
    files = record.get("files")
    return files if isinstance(files, dict) else {}


def _frames(record: Mapping[str, Any]) -> list[str]:
    """Names of frames, whose own records may go: none that leads out of the folder of records."""
    frames = record.get("frames")
    listed = frames if isinstance(frames, list) else []
    return [name for name in listed if isinstance(name, str) and _leads_inside(name)]
