"""What is done to the frames of a run: an earlier run's results taken over, or made and written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np

from ultrasam.data import images
from ultrasam.errors import OutputError, UltraSamError
from ultrasam.predict.automatic import Everything
from ultrasam.predict.files import frame_results
from ultrasam.predict.files.asked import Asked
from ultrasam.predict.files.calibration import Calibration
from ultrasam.predict.files.file_records import Records, overlay_of
from ultrasam.predict.files.frame_results import FrameResult
from ultrasam.predict.files.sources import Frame
from ultrasam.predict.pixels import Window
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.track import Follower

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """How files are segmented.

    Attributes:
        multimask: keep the best of three masks.
        window: gray values shown as black and white.
        spacing: (x, y) mm a pixel for files that don't say.
        follow: in a clip, follow the objects of its first frame; see `ultrasam.predict.track`.
        overlays: draw them.
        everything: what automatic masks are.
        quality: judge each mask that is not followed, see `ultrasam.predict.quality`.
        axis: x, y or z, along which the slices of volumes are counted.
    """

    multimask: bool = True
    window: Window | None = None
    spacing: tuple[float, float] | None = None
    follow: bool = False
    overlays: bool = True
    everything: Everything = field(default_factory=Everything)
    quality: bool = False
    axis: str = "z"


@dataclass(frozen=True)
class Done:
    """What came of a frame.

    Attributes:
        frame: the frame.
        record: what the run keeps of it, None where nothing is asked of it.
        kept: whether it was taken over from an earlier run.
    """

    frame: Frame
    record: dict[str, Any] | None = None
    kept: bool = False


@dataclass(frozen=True)
class ToDo:
    """A frame of a file.

    Attributes:
        frame: the frame.
        asked: what is asked of the file; None for automatic masks of everything.
        digest: of all that its results depend on.
        reading: held while it is read: decoders need not stand several threads in one file.
    """

    frame: Frame
    asked: Asked | None
    digest: str
    reading: threading.Lock


@dataclass(frozen=True)
class _Opened:
    """A frame to segment: what is asked of it, on which digest its record is kept, and its pixels."""

    frame: Frame
    asked: Asked | None
    digest: str
    image: np.ndarray
    calibration: Calibration


class FrameWork:
    """Segments frames; any number of threads may ask it at once.

    Args:
        predictor: the predictor.
        records: of the run.
        options: how files are segmented.
    """

    def __init__(self, predictor: Predictor, records: Records, options: Options) -> None:
        self.predictor, self.records, self.options = predictor, records, options

    @property
    def together(self) -> int:
        """Frames that it pays to segment together."""
        return self.predictor.engine.batch

    def do(self, frames: Sequence[ToDo]) -> list[Done | UltraSamError]:
        """Segment frames, each for itself; what is wrong with one stands in its place.

        Raises:
            OutputError: results can't be written.
        """
        begun = [_attempt(partial(self._begin, todo)) for todo in frames]
        opened = [entry for entry in begun if isinstance(entry, _Opened)]
        results = iter(zip(opened, self._results(opened), strict=True))
        return [self._end(*next(results)) if isinstance(entry, _Opened) else entry for entry in begun]

    def follow(
        self, todo: ToDo, follower: Follower | None
    ) -> tuple[Callable[[], Done | UltraSamError], Follower | None]:
        """Segment a frame of a clip by what is followed from those before it, or begin with it.

        Returns:
            what writes its results, and what follows its objects.

        Raises:
            UltraSamError: it can't be read or segmented.
        """
        asked = todo.asked
        if asked is not None and (not asked.objects or (todo.frame.number or 0) < asked.frame):
            return partial(Done, todo.frame), None
        opened = self._open(todo)
        if follower is None:
            result = self._result(opened)
            if result.masks:
                follower = Follower(
                    self.predictor, opened.image, dict(zip(result.numbers, result.masks, strict=True))
                )
        else:
            categories = asked.categories if asked else None
            result = frame_results.of_followed(follower, opened.image, categories, opened.calibration)
        write = partial(self._write, opened, result, followed=follower is not None)
        return partial(_attempt, write), follower

    def _begin(self, todo: ToDo) -> Done | _Opened:
        if todo.asked is not None and not todo.asked.objects:
            return Done(todo.frame)
        record = self.records.kept(todo.frame, todo.digest, overlay=self.options.overlays)
        return self._open(todo) if record is None else Done(todo.frame, record, kept=True)

    def _open(self, todo: ToDo) -> _Opened:
        calibration = (todo.frame.spacing_of or Calibration()).or_else(self.options.spacing)
        with todo.reading:
            image = todo.frame.read()
        return _Opened(todo.frame, todo.asked, todo.digest, image, calibration)

    def _results(self, opened: Sequence[_Opened]) -> Sequence[FrameResult | UltraSamError]:
        if len(opened) > 1 and all(entry.asked is not None for entry in opened):
            try:
                return self._of_prompts(opened)
            except UltraSamError:
                pass  # of which frame it is, each says for itself
        return [_attempt(partial(self._result, entry)) for entry in opened]

    def _result(self, opened: _Opened) -> FrameResult:
        if opened.asked is not None:
            return self._of_prompts([opened])[0]
        everything, quality = self.options.everything, self.options.quality
        return frame_results.of_everything(
            self.predictor, opened.image, everything, opened.calibration, quality=quality
        )

    def _of_prompts(self, opened: Sequence[_Opened]) -> list[FrameResult]:
        asked = [entry.asked or Asked([], []) for entry in opened]
        return frame_results.of_prompts(
            self.predictor,
            [entry.image for entry in opened],
            [entry.objects for entry in asked],
            [entry.categories for entry in asked],
            [entry.calibration for entry in opened],
            multimask=self.options.multimask,
            quality=self.options.quality,
        )

    def _end(self, opened: _Opened, result: FrameResult | UltraSamError) -> Done | UltraSamError:
        if isinstance(result, UltraSamError):
            return result
        return _attempt(partial(self._write, opened, result))

    def _write(self, opened: _Opened, result: FrameResult, *, followed: bool = False) -> Done:
        """Write the results of a frame."""
        frame, files = opened.frame, {}
        for number, entry, mask in zip(result.numbers, result.annotations, result.masks, strict=True):
            entry |= opened.calibration.told(entry["bbox"])
            entry["mask"] = f"masks/{frame.name}_{number:03d}.png"
            files[entry["mask"]] = images.encode_mask(mask)
            if followed:
                entry["track_id"] = number
        if self.options.overlays:
            files[overlay_of(frame)] = images.encode_image(result.draw())
        height, width = opened.image.shape[:2]
        described = {"file_name": frame.file_name, "height": height, "width": width, "name": frame.name}
        if frame.number is not None:
            described["frame"] = frame.number
        if frame.time is not None:
            described["time"] = frame.time
        if followed:
            described["lost"] = result.lost
        record = {"settings": opened.digest, "image": described, "annotations": result.annotations}
        self.records.keep(frame, record, files)
        return Done(frame, record)


def _attempt(work: Callable[[], T]) -> T | UltraSamError:
    """What work gives, or what is wrong with the frame that it is about."""
    try:
        return work()
    except OutputError:
        raise
    except UltraSamError as error:
        return error
