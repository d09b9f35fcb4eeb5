"""Zip archives in several volumes (`x.z01`, `x.z02`, ..., `x.zip`), which the standard library refuses.

Some downloads name the last volume `x.change2zip`. Members are read in the order of the central directory,
which says the volume and the offset at which each begins; a member may go on in the next volume.
"""

from __future__ import annotations

import struct
import time
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from .errors import ArchiveError

CHUNK = 1 << 20


class Member(NamedTuple):
    """One entry of the central directory."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    modified: float
    start: int


class SplitZip:
    """The volumes of one archive as one long file."""

    def __init__(self, last: Path) -> None:
        self.last = last
        self.volumes = [*self.parts(last), last]
        sizes = [path.stat().st_size for path in self.volumes]
        self.starts = [0, *accumulate(sizes)]

    @staticmethod
    def parts(last: Path) -> list[Path]:
        """The volumes before the last one, in order; none for a plain zip."""
        found = []
        base = last.name.removesuffix(".zip").removesuffix(".change2zip")
        for number in range(1, 1000):
            path = last.with_name(f"{base}.z{number:02d}")
            if not path.is_file():
                break
            found.append(path)
        return found

    @classmethod
    def members(cls, last: Path) -> Iterator[tuple[str, float, Iterator[bytes]]]:
        """Name, time and content of every file."""
        archive = cls(last)
        for member in archive.directory():
            if not member.name.endswith("/"):
                yield member.name, member.modified, archive.content(member)

    def read(self, start: int, length: int) -> bytes:
        """Bytes of the joined file."""
        result = b""
        while length > 0 and start < self.starts[-1]:
            volume = bisect_right(self.starts, start) - 1
            with self.volumes[volume].open("rb") as file:
                file.seek(start - self.starts[volume])
                chunk = file.read(min(length, self.starts[volume + 1] - start))
            result += chunk
            start += len(chunk)
            length -= len(chunk)
        return result

    def directory(self) -> list[Member]:
        """The central directory."""
        tail = self.read(max(0, self.starts[-1] - 65557), 65557)
        at = tail.rfind(b"PK\5\6")
        if at < 0:
            raise ArchiveError(f"{self.last}: no end of a zip archive; a volume is missing or cut off")
        disk, first, _, count, size, offset = struct.unpack("<4H2L", tail[at + 4 : at + 20])
        if 0xFFFF in (disk, first, count) or 0xFFFFFFFF in (size, offset):
            first, count, size, offset = self._directory64(tail, at)
        if disk != 0xFFFF and disk + 1 != len(self.volumes):
            raise ArchiveError(f"{self.last}: {disk + 1} volumes expected, {len(self.volumes)} found")
        data = self.read(self.starts[first] + offset, size)
        members = []
        position = 0
        for _ in range(count):
            member, position = self._entry(data, position)
            members.append(member)
        return members

    def _directory64(self, tail: bytes, at: int) -> tuple[int, int, int, int]:
        disk, offset = struct.unpack("<LQ", tail[at - 16 : at - 4])
        record = self.read(self.starts[disk] + offset, 56)
        if record[:4] != b"PK\6\6":
            raise ArchiveError(f"{self.last}: broken zip64 directory")
        first = struct.unpack("<L", record[20:24])[0]
        _, count, size, start = struct.unpack("<4Q", record[24:56])
        return first, count, size, start

    def _entry(self, data: bytes, at: int) -> tuple[Member, int]:
        if data[at : at + 4] != b"PK\1\2":
            raise ArchiveError(f"{self.last}: broken zip directory")
        values = struct.unpack("<6H3L5H2L", data[at + 4 : at + 46])
        flags, method, clock, day, crc, packed, size = values[2:9]
        names, extras, comments, disk = values[9:13]
        offset = values[15]
        raw_name = data[at + 46 : at + 46 + names]
        name = raw_name.decode("utf-8" if flags & 0x800 else "cp437")
        extra = data[at + 46 + names : at + 46 + names + extras]
        wide = {"size": size, "packed": packed, "offset": offset}
        wide, disk = _zip64(extra, wide, disk)
        stamp = (1980 + (day >> 9), day >> 5 & 15, day & 31, clock >> 11, clock >> 5 & 63, clock % 32 * 2)
        modified = time.mktime((*stamp, 0, 0, -1))
        start = self.starts[disk] + wide["offset"]
        member = Member(name, raw_name, flags, method, crc, wide["packed"], wide["size"], modified, start)
        return member, at + 46 + names + extras + comments

    def content(self, member: Member) -> Iterator[bytes]:
        """The unpacked bytes, checked against the checksum."""
        head = self.read(member.start, 30)
        if head[:4] != b"PK\3\4" or member.flags & 1 or member.method not in (0, 8):
            raise ArchiveError(f"{self.last}: {member.name!r} is damaged, encrypted or of an unknown method")
        names, extras = struct.unpack("<2H", head[26:30])
        if self.read(member.start + 30, names) != member.raw_name:
            raise ArchiveError(f"{self.last}: {member.name!r} has another name in its own header")
        position, left = member.start + 30 + names + extras, member.packed
        unpacker = zlib.decompressobj(-15) if member.method == 8 else None
        crc = 0
        while left > 0:
            chunk = self.read(position, min(left, CHUNK))
            if not chunk:
                raise ArchiveError(f"{self.last}: {member.name!r} is cut off")
            position, left = position + len(chunk), left - len(chunk)
            while chunk:
                data = unpacker.decompress(chunk, 8 * CHUNK) if unpacker else chunk
                crc = zlib.crc32(data, crc)
                yield data
                chunk = unpacker.unconsumed_tail if unpacker else b""
        if crc != member.crc:
            raise ArchiveError(f"{self.last}: {member.name!r} fails its checksum")


def _zip64(extra: bytes, values: dict[str, int], disk: int) -> tuple[dict[str, int], int]:
    """Replace the fields that do not fit 32 bits by those of the zip64 extra field."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack("<2H", extra[at : at + 4])
        body = extra[at + 4 : at + 4 + length]
        at += 4 + length
        if kind != 1:
            continue
        for name in ("size", "packed", "offset"):
            if values[name] == 0xFFFFFFFF:
                values[name], body = struct.unpack("<Q", body[:8])[0], body[8:]
        if disk == 0xFFFF:
            disk = struct.unpack("<L", body[:4])[0]
    return values, disk
