"""Segment many files: masks as PNG, overlays, one COCO file; interrupted runs go on where they stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ultrasam.data import images
from ultrasam.errors import OutputError, UltraSamError
from ultrasam.predict.automatic import Everything
from ultrasam.predict.files import frame_results, sources
from ultrasam.predict.files.calibration import Calibration
from ultrasam.predict.files.file_records import Records, overlay_of
from ultrasam.predict.files.frame_results import FrameResult
from ultrasam.predict.files.sources import Frame, Source
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.pixels import Window
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.track import Follower


@dataclass(frozen=True)
class Asked:
    """What is asked of one image: prompts, and the category of each object."""

    objects: list[ObjectPrompt]
    categories: list[Any]


#: The prompts of a file, by its name relative to the input.
PromptsOf = Callable[[str], Asked]


class Product(Protocol):
    """Something that is made of a whole file, once its frames are segmented."""

    def make(self, source: Source, name: str, records: Sequence[dict[str, Any]]) -> None:
        """Write it.

        Args:
            source: the file.
            name: its output name.
            records: what the run keeps of each frame, in order: ``image``, and ``annotations`` whose
                ``mask`` names a PNG in the run's folder.

        Raises:
            UltraSamError: it can't be made of this file; the run notes that and goes on.
            OutputError: it can't be written; the run ends.
        """


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


@dataclass
class Summary:
    """What a run did: images segmented, taken over from an earlier run, without prompts, and failed.

    ``lost`` counts, of objects that are followed, the frames in which they were not found.
    """

    done: int = 0
    kept: int = 0
    skipped: int = 0
    objects: int = 0
    lost: int = 0
    failed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"{self.done} images segmented, {self.objects} objects"
        for count, what in (
            (self.kept, "kept from an earlier run"),
            (self.skipped, "without prompts"),
            (self.lost, "times lost"),
        ):
            text += f", {count} {what}" if count else ""
        return text + (f", {len(self.failed)} failed" if self.failed else "")


class FileRun:
    """One run over files.

    Args:
        predictor: the predictor.
        out: folder for ``masks/``, ``overlays/``, ``records/`` and ``predictions.json``.
        prompts_of: what is asked of each file; None for automatic masks of everything.
        categories: COCO's list of categories.
        settings: everything that changes a result; results of other settings are made again.
        options: how files are segmented.
        products: what else is made of each file whose frames could be segmented, if only some of them.
    """

    def __init__(
        self,
        predictor: Predictor,
        out: Path,
        prompts_of: PromptsOf | None,
        *,
        categories: list[dict[str, Any]],
        settings: dict[str, Any],
        options: Options,
        products: Sequence[Product] = (),
    ) -> None:
        self.products = products
        self.predictor, self.out, self.prompts_of, self.options = predictor, out, prompts_of, options
        self.records = Records(out, settings, categories)
        self.summary = Summary()

    def run(self, files: Sequence[Source], each: Callable[[Frame], None] = lambda frame: None) -> Summary:
        """Segment files; what can't be read of one is noted and the others go on.

        Interrupted, it writes ``predictions.json`` of what is done.

        Args:
            files: from `sources.find`.
            each: called after every image, for a progress bar.

        Raises:
            UltraSamError: not one image could be segmented; the message holds the reason of each file.
            OutputError: a result can't be written; what is done is kept.
        """
        records: list[dict[str, Any]] = []
        try:
            for source, name in zip(files, sources.names(files), strict=True):
                # One by one: the frames before an interruption are kept.
                for record in self._file(source, name, each):
                    records.append(record)  # noqa: PERF402
        except BaseException:
            with contextlib.suppress(OutputError):
                if records:
                    self.records.write_coco(records)
            raise
        if self.summary.failed and not records:
            raise UltraSamError("\n".join(self.summary.failed))
        self.records.write_coco(records)
        return self.summary

    def _file(self, source: Source, name: str, each: Callable[[Frame], None]) -> Iterator[dict[str, Any]]:
        """The records of a file's frames; here alone a run goes on after an error."""
        errors: list[str] = []
        made: list[dict[str, Any]] = []
        follower: Follower | None = None
        frames = sources.frames(source, name, self.options.window, self.options.axis)
        while True:
            try:
                frame = next(frames, None)
                if frame is None:
                    break
                record, follower = self._frame(source, frame, follower)
            except OutputError as error:
                raise OutputError(f"{error}; what is done is kept: start again to go on") from error
            except UltraSamError as error:
                errors.append(_named(source, error))
                continue
            if record is None:
                self.summary.skipped += 1
                continue
            each(frame)
            made.append(record)
            yield record
        errors += self._products(source, name, made)
        if errors:
            self.summary.failed.append(_told(errors))

    def _products(self, source: Source, name: str, records: list[dict[str, Any]]) -> list[str]:
        """Make all products of a file; what went wrong."""
        errors = []
        for product in self.products if records else ():
            try:
                product.make(source, name, records)
            except OutputError as error:
                raise OutputError(f"{error}; what is done is kept: start again to go on") from error
            except UltraSamError as error:
                errors.append(_named(source, error))
        return errors

    def _frame(
        self, source: Source, frame: Frame, follower: Follower | None
    ) -> tuple[dict[str, Any] | None, Follower | None]:
        """The record of a frame, None where nothing is asked of it, and what follows its objects."""
        asked = self.prompts_of(source.file_name) if self.prompts_of else None
        if asked is not None and not asked.objects:
            return None, None
        digest = self.records.digest(asked, source)
        followed = self.options.follow and frame.number is not None
        if not followed:
            record = self.records.kept(frame, digest, overlay=self.options.overlays)
            if record is not None:
                self.summary.kept += 1
                return record, None
        image = frame.read()
        calibration = (frame.spacing_of or Calibration()).or_else(self.options.spacing)
        if follower is not None:
            categories = asked.categories if asked else None
            result = frame_results.of_followed(follower, image, categories, calibration)
        elif asked is None:
            result = frame_results.of_everything(
                self.predictor, image, self.options.everything, calibration, quality=self.options.quality
            )
        else:
            result = frame_results.of_prompts(
                self.predictor,
                image,
                asked.objects,
                asked.categories,
                calibration,
                multimask=self.options.multimask,
                quality=self.options.quality,
            )
        if followed and follower is None and result.masks:
            follower = Follower(self.predictor, image, dict(enumerate(result.masks)))
        for entry in result.annotations:
            entry |= calibration.told(entry["bbox"])
        return self._kept(frame, digest, image, result, followed=follower is not None), follower

    def _kept(
        self, frame: Frame, digest: str, image: np.ndarray, result: FrameResult, *, followed: bool
    ) -> dict[str, Any]:
        """Write the results of a frame; its record."""
        files = {}
        for number, entry, mask in zip(result.numbers, result.annotations, result.masks, strict=True):
            entry["mask"] = f"masks/{frame.name}_{number:03d}.png"
            files[entry["mask"]] = images.encode_mask(mask)
            if followed:
                entry["track_id"] = number
        if self.options.overlays:
            files[overlay_of(frame)] = images.encode_image(result.draw())
        height, width = image.shape[:2]
        described = {"file_name": frame.file_name, "height": height, "width": width, "name": frame.name}
        if frame.number is not None:
            described["frame"] = frame.number
        if frame.time is not None:
            described["time"] = frame.time
        if followed:
            described["lost"] = result.lost
        record = {"settings": digest, "image": described, "annotations": result.annotations}
        self.records.keep(frame, record, files)
        self.summary.done += 1
        self.summary.objects += len(result.annotations)
        self.summary.lost += len(result.lost)
        return record


def _named(source: Source, error: UltraSamError) -> str:
    """What went wrong, with the file that it is about."""
    return str(error) if source.file_name in str(error) else f"{source.path}: {error}"


def _told(errors: Sequence[str]) -> str:
    """What went wrong in a file, in one line: a clip may fail at each of its frames."""
    shown = dict.fromkeys([*errors[:2], errors[-1]])
    more = len(errors) - len(shown)
    return "; ".join(shown) + (f" (and {more} errors more)" if more else "")
