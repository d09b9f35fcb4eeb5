"""Any samples of shards by number, from a folder or from object storage (fsspec)."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import fsspec
import numpy as np
from fsspec.core import url_to_fs
from numpy.typing import NDArray

from ultrasam.data.shards import shard_index
from ultrasam.data.shards.shard_index import INDEX, TABLE, ShardIndex
from ultrasam.errors import DataError


@dataclass(frozen=True)
class StoredSample:
    """An image with its objects.

    Attributes:
        entry: of the image in its COCO file.
        annotations: its objects; masks are compressed run lengths.
        ending: what its ``pixels`` are, see `ultrasam.data.shards.stored_pixels`.
        packed: its part of the tar file.
        span: first byte of its pixels there, and the byte after the last.
        where: shard and image, for messages.
    """

    entry: dict[str, Any]
    annotations: list[dict[str, Any]]
    ending: str
    packed: bytes
    span: tuple[int, int]
    where: str

    @property
    def pixels(self) -> memoryview:
        """The stored image, without copying it."""
        return memoryview(self.packed)[self.span[0] : self.span[1]]


def file_system(place: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a place, in this process, and the place in it.

    Raises:
        DataError: there is none for such an address, or its package is not installed.
    """
    try:
        system, root = url_to_fs(place)
    except (ImportError, ValueError) as error:
        raise DataError(
            f"{place} can't be read: {error}. For s3://: pip install 'ultrasam[cloud]', for gs:// gcsfs"
        ) from error
    return system, root.rstrip("/")


class ShardStore:
    """A folder of shards, wherever it lies.

    Every read says which bytes it wants and knows their checksum, so samples come in any order, nothing is
    kept on the disk, and what is missing, cut off or damaged is an error instead of other data. It may be
    handed to other processes: each has its own connection.

    Args:
        place: a folder, or an address that fsspec knows: ``s3://bucket/folder``, ``gs://``, ``memory://``.

    Attributes:
        place: as given.
        index: what is there.

    Raises:
        DataError: there is no whole set of shards, it may not be read, is of another version or damaged.
    """

    def __init__(self, place: str) -> None:
        self.place = str(place).rstrip("/")
        index, table = (self._whole(name) for name in (INDEX, TABLE))
        self.index: ShardIndex = shard_index.parse(self.place, index, table)
        self._compare_sizes()

    def __len__(self) -> int:
        return len(self.index.rows)

    @property
    def with_objects(self) -> NDArray[np.int64]:
        """The numbers of the samples that have an object."""
        return np.flatnonzero(self.index.rows["objects"])

    def summary(self) -> str:
        """One line on what is there."""
        rows, shards = self.index.rows, self.index.shards
        empty = len(rows) - len(self.with_objects)
        text = f"{self.place}: {len(rows) - empty} images with {int(rows['objects'].sum())} objects"
        text += f" in {len(shards)} shards of {sum(shard.size for shard in shards) / 2**20:.1f} MiB"
        return f"{text}; left out: {empty} images without an object" if empty else text

    def read(self, numbers: Sequence[int]) -> list[StoredSample]:
        """Some samples, fetched at once where the storage can do that.

        Raises:
            DataError: a shard is missing, may not be read, is cut off or damaged; the message names it.
        """
        rows = self.index.rows[np.asarray(numbers, np.int64)]
        names = [self.index.shards[row["shard"]].name for row in rows]
        starts = rows["start"].tolist()
        ends = (rows["start"] + rows["bytes"]).tolist()
        system, root = file_system(self.place)
        paths = [f"{root}/{name}" for name in names]
        found = system.cat_ranges(paths, starts, ends, on_error="return")
        return [self._sample(name, row, data) for name, row, data in zip(names, rows, found, strict=True)]

    def verify(self) -> list[str]:
        """What is wrong with whole shards, by their checksums: a line each."""
        system, root = file_system(self.place)
        wrong = []
        for shard in self.index.shards:
            digest = hashlib.sha256()
            try:
                with system.open(f"{root}/{shard.name}") as file:
                    for block in iter(lambda: file.read(2**22), b""):
                        digest.update(block)
            except OSError as error:
                wrong.append(f"{shard.name} can't be read: {error}")
                continue
            if digest.hexdigest() != shard.sha256:
                wrong.append(f"{shard.name} is damaged: its checksum differs")
        return wrong

    def _whole(self, name: str) -> bytes:
        system, root = file_system(self.place)
        (found,) = system.cat_ranges([f"{root}/{name}"], [None], [None], on_error="return")
        if isinstance(found, FileNotFoundError):
            raise DataError(
                f"{self.place} is no whole set of shards: {name} is not there, and it is written last. Write "
                "them with 'ultrasam data export COCO --to webdataset'"
            ) from found
        return self._bytes(name, found)

    def _bytes(self, name: str, found: Any) -> bytes:
        """What a read gave, or why it gave nothing."""
        if isinstance(found, FileNotFoundError):
            raise DataError(f"{self.place}: {name} is missing") from found
        if isinstance(found, PermissionError):
            raise DataError(f"{self.place}: {name} may not be read with these rights ({found})") from found
        if isinstance(found, BaseException):
            raise DataError(f"{self.place}: {name} can't be read: {found}") from found
        return bytes(found)

    def _compare_sizes(self) -> None:
        """All shards are there, and as long as they were written."""
        system, root = file_system(self.place)
        shards = self.index.shards
        try:
            sizes = system.sizes([f"{root}/{shard.name}" for shard in shards])
        except FileNotFoundError as error:
            lost = next((s.name for s in shards if s.name in str(error)), "a shard")
            raise DataError(f"{self.place}: {lost} is missing") from error
        except OSError as error:
            raise DataError(f"{self.place}: the shards may not be read: {error}") from error
        for shard, size in zip(shards, sizes, strict=True):
            if size != shard.size:
                raise DataError(
                    f"{self.place}: {shard.name} has {size:,} of its {shard.size:,} bytes: it was cut off or "
                    "replaced; copy it again"
                )

    def _sample(self, name: str, row: Any, found: Any) -> StoredSample:
        data = self._bytes(name, found)
        where = f"{self.place}/{name} at {row['start']}"
        if len(data) != row["bytes"]:
            raise DataError(f"{where}: the shard is cut off: {len(data)} of {row['bytes']} bytes are there")
        if crc32(data) != row["crc"]:
            raise DataError(f"{where}: the shard is damaged (its checksum differs); copy it again")
        try:
            said, stored = tarfile.TarFile(fileobj=io.BytesIO(data)).getmembers()
            spans = [(m.offset_data, m.offset_data + m.size) for m in (said, stored)]
            content = json.loads(data[slice(*spans[0])])
            entry, annotations = dict(content["image"]), list(content["annotations"])
            ending = stored.name[stored.name.index(".") :]
        except (tarfile.TarError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{where}: this is no sample of shards: {error}") from error
        return StoredSample(entry, annotations, ending, data, spans[1], f"{where}: image {entry.get('id')}")


class ShardStores:
    """Several folders of shards as one, in the order of their names.

    Args:
        place: of one, as for `ShardStore`; or with ``*`` for parts of names: ``s3://bucket/*/train``.

    Raises:
        DataError: as `ShardStore`, or there is none.
    """

    def __init__(self, place: str) -> None:
        places = [place]
        if "*" in place:
            system, root = file_system(place)
            found = system.glob(f"{root}/{INDEX}")
            places = sorted(system.unstrip_protocol(path)[: -len(INDEX) - 1] for path in found)
            if not places:
                raise DataError(f"there are no shards at {place}: none of the folders has an {INDEX}")
        self.stores = [ShardStore(place) for place in places]
        self._starts = np.cumsum([0, *map(len, self.stores)])

    @property
    def with_objects(self) -> NDArray[np.int64]:
        """As `ShardStore.with_objects`, of all."""
        pairs = zip(self.stores, self._starts, strict=False)
        return np.concatenate([store.with_objects + start for store, start in pairs])

    def summary(self) -> str:
        """A line for each."""
        return "\n".join(store.summary() for store in self.stores)

    def read(self, numbers: Sequence[int]) -> list[StoredSample]:
        """As `ShardStore.read`."""
        given = np.asarray(numbers, np.int64)
        which = np.searchsorted(self._starts, given, side="right") - 1
        samples: dict[int, StoredSample] = {}
        for number in np.unique(which):
            places = np.flatnonzero(which == number)
            its = self.stores[number].read((given[places] - self._starts[number]).tolist())
            samples.update(zip(places.tolist(), its, strict=True))
        return [samples[place] for place in range(len(given))]
