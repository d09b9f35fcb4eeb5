"""Videos: PyAV reads them where it is installed, OpenCV otherwise."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from ultrasam.errors import DataError
from ultrasam.predict.files import video_opencv, video_pyav
from ultrasam.predict.files.video_frame import VideoFrame, VideoSize


def frames(path: Path) -> Iterator[VideoFrame]:
    """Each frame that can be decoded, upright, in the order in which they are shown.

    With PyAV, frames whose damage FFmpeg painted over count as those that can't be.

    Raises:
        DataError: the file can't be read; or, after the frames that can be, which are missing.
    """
    _check_readable(path)
    yield from _reader().frames(path)


def size(path: Path) -> VideoSize:
    """How long and large a video is, without decoding it.

    Raises:
        DataError: it can't be read.
    """
    _check_readable(path)
    return _reader().size(path)


def _reader() -> type[video_pyav.Reader] | type[video_opencv.Reader]:
    return video_pyav.Reader if importlib.util.find_spec("av") else video_opencv.Reader


def _check_readable(path: Path) -> None:
    """Neither of them says well why it can't open a file."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise DataError(f"cannot read the video {path}: {error.strerror or error}") from error
