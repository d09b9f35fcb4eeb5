"""A COCO file and its images as shards."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from ultrasam.data.files import open_atomic, write_bytes
from ultrasam.data.shards.shard_index import INDEX, ROW, TABLE, Shard, ShardIndex
from ultrasam.errors import OutputError

#: Bytes of a shard, about.
SHARD_SIZE = 256 * 2**20
#: How a tar file ends.
_END = bytes(2 * tarfile.BLOCKSIZE)
_OURS = re.compile(r"shard-\d{6,}\.tar")


@dataclass(frozen=True)
class NewSample:
    """What is written of an image.

    Attributes:
        entry: its entry of the COCO file.
        annotations: its objects, masks as compressed run lengths.
        ending: says what ``data`` are, ``.pgm`` for example.
        data: its pixels.
    """

    entry: Mapping[str, Any]
    annotations: Sequence[Mapping[str, Any]]
    ending: str
    data: bytes


def write(
    out: Path, samples: Iterable[NewSample], about: Mapping[str, Any], shard_size: int = SHARD_SIZE
) -> ShardIndex:
    """Write samples as shards. The index comes last: without it nothing is read, so half is nothing.

    Args:
        out: the folder; shards that were in it are replaced.
        samples: in order.
        about: what the index says of them.
        shard_size: bytes after which a new shard begins.

    Raises:
        OutputError: the folder can't be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / INDEX).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror or error}") from error
    rows: list[tuple[int, ...]] = []
    shards: list[Shard] = []
    numbered = enumerate(samples)
    following = next(numbered, None)
    while following is not None:
        path, before, digest = out / f"shard-{len(shards):06d}.tar", len(rows), hashlib.sha256()
        with open_atomic(path) as file:
            while following is not None and file.tell() < shard_size:
                number, sample = following
                data = _packed(f"{number:09d}", sample)
                row = (len(shards), len(sample.annotations), file.tell(), len(data), crc32(data))
                rows.append(row)
                file.write(data)
                digest.update(data)
                following = next(numbered, None)
            file.write(_END)
            digest.update(_END)
            size = file.tell()
        shards.append(Shard(path.name, len(rows) - before, size, digest.hexdigest()))
    for path in out.glob("shard-*.tar"):
        # Those of an earlier export; what else lies there is somebody's.
        if _OURS.fullmatch(path.name) and path.name not in {shard.name for shard in shards}:
            path.unlink()
    index = ShardIndex(shards, np.array(rows, ROW), about)
    listed, table = index.to_bytes()
    write_bytes(out / TABLE, table)
    write_bytes(out / INDEX, listed)
    return index


def _packed(key: str, sample: NewSample) -> bytes:
    """A sample's part of a tar file."""
    said = {"image": sample.entry, "annotations": list(sample.annotations)}
    members = {".json": json.dumps(said, ensure_ascii=False).encode(), sample.ending: sample.data}
    packed = io.BytesIO()
    tar = tarfile.TarFile(fileobj=packed, mode="w")
    for ending, data in members.items():
        member = tarfile.TarInfo(key + ending)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()
