"""Videos by PyAV: every frame by its time stamp, so that what is missing has a number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ultrasam.errors import DataError
from ultrasam.predict.files.video_frame import (
    COUNTED,
    VideoFrame,
    VideoSize,
    check_size,
    check_whole,
    rows,
)

if TYPE_CHECKING:
    from av.container import InputContainer

#: Files are files: no list of addresses, no other file that one names.
_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "avi,mov,matroska,asf,mpeg,mpegvideo,mpegts,h264,hevc,m4v,mjpeg,gif",
}


class Reader:
    """See `ultrasam.predict.files.video`."""

    @staticmethod
    def frames(path: Path) -> Iterator[VideoFrame]:
        """Each frame that can be decoded."""
        stamps = _stamps(path)
        number_of = {stamp: number for number, stamp in enumerate(stamps)}
        read: set[int] = set()
        keys: list[int] = []
        with _open(path) as container:
            stream = container.streams.video[0]
            stated = int(stream.frames) if 0 < stream.frames < 2**40 else 0
            estimate = _by_duration(container, stream)
            # Better no frame than one whose damage is painted over.
            stream.codec_context.options = {"err_detect": "explode"}
            last = -1
            for frame in _decoded(container, stream):
                number = number_of.get(frame.pts, last + 1)
                if number in read or number < last:
                    number = last + 1
                last = number
                if frame.is_corrupt:
                    continue
                read.add(number)
                if frame.key_frame:
                    keys.append(number)
                time = None
                if frame.pts is not None and frame.time_base:
                    time = round(float((frame.pts - (stamps or [frame.pts])[0]) * frame.time_base), 6)
                yield VideoFrame(number, time, _upright(path, frame))
        whole = max(len(stamps), last + 1)
        lacking = rows([n for n in range(whole) if n not in read])
        known = stated if path.suffix.lower() in COUNTED else estimate
        slack = 0 if path.suffix.lower() in COUNTED else max(1, 0.02 * estimate)
        if known - whole > slack:
            lacking = _joined(lacking, (whole, known - 1))
        check_whole(path, len(read), lacking, stated, rows(_spoiled(read, keys)))

    @staticmethod
    def size(path: Path) -> VideoSize:
        """How long and large it is."""
        stamps = _stamps(path)
        with _open(path) as container:
            stream = container.streams.video[0]
            for frame in _decoded(container, stream):
                height, width = _upright(path, frame).shape[:2]
                return VideoSize(max(len(stamps), int(stream.frames), 1), height, width)
        raise DataError(f"{path} is not a readable video (damaged, or its codec is not at hand)")


def _open(path: Path) -> InputContainer:
    import av

    try:
        # With its whole path, since names may look like addresses.
        container = av.open(str(path.absolute()), options=_OPTIONS, metadata_errors="ignore")
    except (av.error.FFmpegError, ValueError) as error:
        raise DataError(f"{path} is not a readable video ({_reason(error)})") from error
    if not container.streams.video:
        container.close()
        raise DataError(f"{path} holds no video")
    context = container.streams.video[0].codec_context
    if context is None:
        container.close()
        raise DataError(f"{path}: its codec is not at hand")
    check_size(path, context.height, context.width)
    return container


def _stamps(path: Path) -> list[int]:
    """The time stamps of all frames in the order in which they are shown; nothing is decoded.

    Empty where frames have none of their own.
    """
    found = []
    with _open(path) as container:
        for packet in _packets(container, container.streams.video[0]):
            if packet.size and not packet.is_discard:
                found.append(packet.pts if packet.pts is not None else packet.dts)  # noqa: PERF401
    if any(stamp is None for stamp in found) or len(set(found)) < len(found):
        return []
    return sorted(found)


def _packets(container: InputContainer, stream: Any) -> Iterator[Any]:
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            return
        if packet is None:
            return
        yield packet


def _decoded(container: InputContainer, stream: Any) -> Iterator[Any]:
    import av

    for packet in _packets(container, stream):
        try:
            yield from packet.decode()
        # What is not decoded is missing in the end.
        except av.error.FFmpegError:
            continue


def _upright(path: Path, frame: Any) -> np.ndarray:
    """A frame as (H, W, 3) uint8 RGB, turned as its display matrix says."""
    check_size(path, frame.height, frame.width)
    image = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _by_duration(container: InputContainer, stream: Any) -> int:
    """How many frames the duration stands for, 0 where it is not known."""
    rate = stream.average_rate
    return round(container.duration / 1e6 * float(rate)) if container.duration and rate else 0


def _spoiled(read: set[int], keys: list[int]) -> list[int]:
    """Frames that are told as differences from ones of which some are missing, back to a whole picture."""
    found, whole = [], True
    for number in range(max(read, default=-1) + 1):
        whole = number in read and (whole or number in keys)
        if number in read and not whole:
            found.append(number)
    return found


def _joined(lacking: list[tuple[int, int]], end: tuple[int, int]) -> list[tuple[int, int]]:
    if lacking and lacking[-1][1] + 1 == end[0]:
        return [*lacking[:-1], (lacking[-1][0], end[1])]
    return [*lacking, end]


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
