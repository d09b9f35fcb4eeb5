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
from ultrasam.predict.automatic import Everything, find_everything
from ultrasam.predict.files import sources
from ultrasam.predict.files.file_records import Records, overlay_of
from ultrasam.predict.files.sources import Frame, Source
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.pixels import Window
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.propagate import next_prompts
from ultrasam.predict.quality import assess
from ultrasam.predict.segmentation import Segmentation
from ultrasam.report import draw


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
        follow: in a clip, prompt each frame with the mask of the one before.
        overlays: draw them.
        everything: what automatic masks are.
        quality: judge each prompted mask, see `ultrasam.predict.quality`.
    """

    multimask: bool = True
    window: Window | None = None
    spacing: tuple[float, float] | None = None
    follow: bool = False
    overlays: bool = True
    everything: Everything = field(default_factory=Everything)
    quality: bool = False


@dataclass
class Summary:
    """What a run did: images segmented, kept from an earlier run, without prompts, and failed."""

    done: int = 0
    kept: int = 0
    skipped: int = 0
    objects: int = 0
    failed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"{self.done} images segmented, {self.objects} objects"
        for count, what in (
            (self.kept, "kept from an earlier run"),
            (self.skipped, "without prompts"),
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
        before: Segmentation | None = None
        frames = sources.frames(source, name, self.options.window)
        while True:
            try:
                frame = next(frames, None)
                if frame is None:
                    break
                record, after = self._frame(source, frame, before)
            except OutputError as error:
                raise OutputError(f"{error}; what is done is kept: start again to go on") from error
            except UltraSamError as error:
                message = str(error)
                errors.append(message if source.file_name in message else f"{source.path}: {message}")
                continue
            before = after or before
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
                errors.append(f"{source.path}: {error}")
        return errors

    def _frame(
        self, source: Source, frame: Frame, before: Segmentation | None
    ) -> tuple[dict[str, Any] | None, Segmentation | None]:
        """The record of a frame, None where nothing is asked of it, and what the next frame may follow."""
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
        elif before is not None and asked is not None:
            asked = Asked(next_prompts(before), asked.categories)
        record, prediction = self._segment(frame, asked, digest)
        self.summary.done += 1
        self.summary.objects += len(record["annotations"])
        return record, prediction

    def _segment(
        self, frame: Frame, asked: Asked | None, digest: str
    ) -> tuple[dict[str, Any], Segmentation | None]:
        image = frame.read()
        prediction = None
        if asked is None:
            found = find_everything(self.predictor.encode(image), self.options.everything)
            annotations = found.coco(spacing=frame.spacing_of or self.options.spacing)
            masks = list(found.masks)
        else:
            prediction = self.predictor.segment_once(image, asked.objects, multimask=self.options.multimask)
            annotations = prediction.coco(spacing=frame.spacing_of or self.options.spacing)
            if self.options.quality:
                for entry, told in zip(annotations, self._judged(image, prediction), strict=True):
                    entry.update(told)
            for entry, category in zip(annotations, asked.categories, strict=True):
                entry["category_id"] = category
            masks = list(prediction.masks)
        files = {}
        for number, (entry, mask) in enumerate(zip(annotations, masks, strict=True)):
            entry["mask"] = f"masks/{frame.name}_{number:03d}.png"
            files[entry["mask"]] = images.encode_mask(mask)
        if self.options.overlays:
            overlay = draw.overlay(image, masks) if prediction is None else prediction.overlay(image)
            files[overlay_of(frame)] = images.encode_image(overlay)
        height, width = image.shape[:2]
        described = {"file_name": frame.file_name, "height": height, "width": width, "name": frame.name}
        if frame.number is not None:
            described["frame"] = frame.number
        record = {"settings": digest, "image": described, "annotations": annotations}
        self.records.keep(frame, record, files)
        return record, prediction

    def _judged(self, image: np.ndarray, found: Segmentation) -> list[dict[str, float]]:
        encoded = self.predictor.encode(image)
        return assess(encoded, found, multimask=self.options.multimask).entries()


def _told(errors: Sequence[str]) -> str:
    """What went wrong in a file, in one line: a clip may fail at each of its frames."""
    shown = dict.fromkeys([*errors[:2], errors[-1]])
    more = len(errors) - len(shown)
    return "; ".join(shown) + (f" (and {more} errors more)" if more else "")
