"""Videos by OpenCV, where PyAV is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2

from ultrasam.data import images
from ultrasam.errors import DataError
from ultrasam.predict.files.video_frame import (
    COUNTED,
    VideoFrame,
    VideoSize,
    check_size,
    check_whole,
    rows,
)

#: Reading goes on after a frame that can't be decoded, up to so many one after the other.
_PATIENCE = 256


class Reader:
    """See `ultrasam.predict.files.video`."""

    @staticmethod
    def frames(path: Path) -> Iterator[VideoFrame]:
        """Each frame that can be decoded."""
        # No other backend: one would take a file name that ends in digits for a series of images.
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        seen: list[int] = []
        try:
            check_size(path, capture.get(cv2.CAP_PROP_FRAME_HEIGHT), capture.get(cv2.CAP_PROP_FRAME_WIDTH))
            stated, rate = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
            stated = int(stated) if 0 < stated < 1e10 else 0
            number, failed, began = -1, 0, 0.0
            # At the end reading fails for good.
            while failed < _PATIENCE and not (failed and stated and number + failed >= stated):
                more, image = capture.read()
                if not more:
                    failed += 1
                    continue
                milliseconds = capture.get(cv2.CAP_PROP_POS_MSEC)
                number = max(number + 1 + failed, _by_time(milliseconds, rate, stated))
                began = milliseconds if not seen else began
                failed = 0
                seen.append(number)
                yield VideoFrame(number, round((milliseconds - began) / 1000, 6), images.as_rgb(image))
        except cv2.error as error:
            raise DataError(f"{path}: OpenCV cannot go on reading it ({error.err})") from error
        finally:
            capture.release()
        check_whole(path, len(seen), _lacking(path, seen, stated), stated)

    @staticmethod
    def size(path: Path) -> VideoSize:
        """How long and large it is."""
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        try:
            names = (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
            count, height, width = (int(capture.get(name)) for name in names)
        finally:
            capture.release()
        if width < 1 or height < 1:
            raise DataError(f"{path} is not a readable video (damaged, or its codec is not at hand)")
        return VideoSize(max(count, 1), height, width)


def _lacking(path: Path, seen: list[int], stated: int) -> list[tuple[int, int]]:
    if not seen:
        return []
    there = set(seen)
    lacking = rows([n for n in range(seen[-1] + 1) if n not in there])
    shortage = stated - seen[-1] - 1
    # A number that is a duration's estimate counts where it is far off alone.
    if shortage > (0 if path.suffix.lower() in COUNTED else max(1, 0.02 * stated)):
        lacking.append((seen[-1] + 1, stated - 1))
    return lacking


def _by_time(milliseconds: float, rate: float, stated: int) -> int:
    """The number that a frame's time gives it, which tells of frames lost without a word before it.

    -1 where the times do not lie a frame apart each, as in videos of varying rate.
    """
    number = milliseconds * rate / 1000
    return round(number) if 0 <= number < stated and abs(number - round(number)) < 0.05 else -1
