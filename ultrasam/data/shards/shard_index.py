"""The index of a folder of shards: what is in it, where samples lie, how to know that all is there."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ultrasam.errors import DataError

#: Its number changes with what a reader has to know.
VERSION = 1
INDEX, TABLE = "index.json", "samples.bin"
#: Where a sample lies: its shard, the first byte and the number of bytes in it, their CRC-32; its objects.
ROW = np.dtype(
    [("shard", "<u4"), ("objects", "<u4"), ("start", "<u8"), ("bytes", "<u4"), ("crc", "<u4")], align=False
)
_NAME = re.compile(r"[\w-]+\.tar")


@dataclass(frozen=True)
class Shard:
    """One tar file.

    Attributes:
        name: of the file, beside the index.
        samples: how many it holds.
        size: in bytes.
        sha256: of its bytes.
    """

    name: str
    samples: int
    size: int
    sha256: str


@dataclass(frozen=True)
class ShardIndex:
    """All of a folder's shards.

    Attributes:
        shards: in order.
        rows: (n,) of `ROW`, the samples in the COCO file's order.
        about: what is said of the data: ``info`` and ``credits``, ``categories``, how ``pixels`` are stored.
    """

    shards: Sequence[Shard]
    rows: NDArray[Any]
    about: Mapping[str, Any] = field(default_factory=dict)

    def to_bytes(self) -> tuple[bytes, bytes]:
        """The contents of ``index.json`` and ``samples.bin``."""
        table = self.rows.tobytes()
        listed = [
            {"name": shard.name, "samples": shard.samples, "bytes": shard.size, "sha256": shard.sha256}
            for shard in self.shards
        ]
        content = {
            "ultrasam_shards": VERSION,
            "samples": len(self.rows),
            "objects": int(self.rows["objects"].sum()),
            "table": {"name": TABLE, "sha256": hashlib.sha256(table).hexdigest()},
            **self.about,
            "shards": listed,
        }
        return json.dumps(content, indent=1, ensure_ascii=False).encode(), table


def parse(place: str, index: bytes, table: bytes) -> ShardIndex:
    """An index that was read.

    Args:
        place: of the shards, for messages.
        index: the content of ``index.json``.
        table: of ``samples.bin``.

    Raises:
        DataError: it is of another version, damaged, or its two files do not belong together.
    """
    where = f"{place}/{INDEX}"
    try:
        content = json.loads(index)
        version = content["ultrasam_shards"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{where} is no index of shards, or damaged") from error
    if version != VERSION:
        raise DataError(
            f"{where} is of version {version}, and version {VERSION} is read here: write the shards anew "
            "with 'ultrasam data export COCO --to webdataset', or read them with the UltraSam that wrote them"
        )
    if len(table) % ROW.itemsize or hashlib.sha256(table).hexdigest() != _digest(content):
        raise DataError(f"{place}/{TABLE} is damaged, or of other shards than {INDEX} beside it")
    rows = np.frombuffer(table, ROW)
    try:
        shards = [
            Shard(entry["name"], int(entry["samples"]), int(entry["bytes"]), str(entry["sha256"]))
            for entry in content["shards"]
        ]
        whole = content["samples"] == len(rows) == sum(shard.samples for shard in shards) > 0
        named = all(_NAME.fullmatch(shard.name) for shard in shards)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where} is damaged: {error!r} among its shards") from error
    if not whole or not named or not _inside(rows, shards):
        raise DataError(f"{where} is damaged: its shards and samples contradict each other")
    return ShardIndex(
        shards, rows, {k: v for k, v in content.items() if k in ("info", "credits", "categories")}
    )


def _digest(content: Mapping[str, Any]) -> Any:
    table = content.get("table")
    return table.get("sha256") if isinstance(table, dict) else None


def _inside(rows: NDArray[Any], shards: Sequence[Shard]) -> bool:
    """Whether each sample lies within its shard."""
    if int(rows["shard"].max()) >= len(shards):
        return False
    if not all(0 <= shard.size < 2**63 for shard in shards):
        return False
    sizes = np.array([shard.size for shard in shards], np.uint64)
    return bool((rows["start"] + rows["bytes"] <= sizes[rows["shard"]]).all())
