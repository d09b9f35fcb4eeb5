"""A clip's overlays as a video that plays anywhere."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.data import files, images
from ultrasam.errors import DataError, UltraSamError
from ultrasam.predict.files.sources import Source

#: In this order: what is at hand depends on how FFmpeg was built. The last one is a codec of its own.
_ENCODERS = ("libx264", "libopenh264", "mpeg4")
#: Time stamps are milliseconds; frames of clips without times are so far apart.
_CLOCK, _APART = 1000, 40


def check_installed() -> None:
    """Raise `UltraSamError` where PyAV is not installed."""
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise UltraSamError("--video needs PyAV: pip install 'ultrasam[video]'") from error


class OverlayVideo:
    """A `Product` of ``ultrasam predict``: ``videos/NAME.mp4`` of each clip.

    H.264 (yuv420p), or MPEG-4 where no encoder of that is at hand. Frames are shown when the clip shows them;
    where it does not say, 25 a second. Where frames are missing, the one before stays.

    Args:
        out: the run's folder, with the overlays.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self.made: list[str] = []

    def make(self, source: Source, name: str, records: Sequence[dict[str, Any]]) -> None:
        """Encode a clip; a single image makes none.

        Raises:
            DataError: an overlay can't be read, or the video not encoded.
            OutputError: it can't be written.
        """
        if len(records) < 2 or "frame" not in records[0]["image"]:
            return
        # MP4 needs a file that it can go back in.
        with tempfile.TemporaryDirectory(prefix="ultrasam-video-") as folder:
            path = Path(folder) / "overlay.mp4"
            _encode(path, [(self._out / f"overlays/{r['image']['name']}.png", _stamp(r)) for r in records])
            files.write_bytes(self._out / "videos" / f"{name}.mp4", path.read_bytes())
            self.made.append(f"videos/{name}.mp4")


def _stamp(record: dict[str, Any]) -> int:
    image = record["image"]
    return image["frame"] * _APART if "time" not in image else round(image["time"] * _CLOCK)


def _encode(path: Path, pictures: Sequence[tuple[Path, int]]) -> None:
    import av

    first = _even(images.read_image(pictures[0][0]))
    try:
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream(_encoder(), rate=Fraction(_CLOCK, _APART))
            stream.height, stream.width = first.shape[:2]
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = Fraction(1, _CLOCK)
            last = -1
            for picture, stamp in pictures:
                image = _even(images.read_image(picture))
                if image.shape != first.shape:
                    raise DataError(f"{picture} is of another size than the clip's first frame")
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                last = max(stamp, last + 1)
                frame.pts, frame.time_base = last, Fraction(1, _CLOCK)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except av.error.FFmpegError as error:
        raise DataError(f"its overlay video can't be encoded: {error}") from error


def _encoder() -> str:
    import av

    for name in _ENCODERS:
        try:
            av.Codec(name, "w")
        except (av.error.FFmpegError, ValueError):
            continue
        return name
    raise DataError("PyAV comes without an encoder of H.264 or MPEG-4 here")


def _even(image: np.ndarray) -> np.ndarray:
    """With an even number of rows and columns, as the color format asks; the last ones are repeated."""
    height, width = image.shape[:2]
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
