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
from ultrasam.predict.files.asked import Asked, PromptsOf
from ultrasam.predict.files.calibration import Calibration
from ultrasam.predict.files.file_records import Records, overlay_of
from ultrasam.predict.files.former_results import FormerResults
from ultrasam.predict.files.frame_results import FrameResult
from ultrasam.predict.files.run_summary import Summary
from ultrasam.predict.files.sources import Frame, Source
from ultrasam.predict.pixels import Window
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.track import Follower


class Product(Protocol):
    """Something that is made of a whole file, once its frames are segmented.

    Attributes:
        made: names of all that it has written, in the run's folder; one that lies in no folder there is a
            table to which each file adds.
    """

    made: list[str]

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
        quality: judge each prompted mask, see `ultrasam.predict.quality`.
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
        self.former = FormerResults(out)
        self.records = Records(out, settings, categories, self.former)
        self._digests: dict[str, str] = {}
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
            self._settle_tables()
        except BaseException as error:
            with contextlib.suppress(OutputError):
                if records:
                    self.records.write_coco(records)
            if isinstance(error, OutputError):
                raise OutputError(f"{error}; what is done is kept: start again to go on") from error
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
        asked = self.prompts_of(source.file_name) if self.prompts_of else None
        try:
            digest = self.records.digest(asked, source)
        except UltraSamError as error:
            self.summary.failed.append(_named(source, error))
            return
        frames = sources.frames(source, name, self.options.window, self.options.axis)
        while True:
            try:
                frame = next(frames, None)
                if frame is None:
                    break
                record, follower = self._frame(frame, asked, digest, follower)
            except OutputError:
                raise
            except UltraSamError as error:
                errors.append(_named(source, error))
                continue
            if record is None:
                self.summary.skipped += 1
                continue
            each(frame)
            made.append(record)
            yield record
        errors += self._products(source, name, digest, made)
        if errors:
            self.summary.failed.append(_told(errors))

    def _products(self, source: Source, name: str, digest: str, records: list[dict[str, Any]]) -> list[str]:
        """Make all products of a file; what went wrong."""
        errors = []
        before = [len(product.made) for product in self.products]
        for product in self.products if records else ():
            try:
                product.make(source, name, records)
            except OutputError:
                raise
            except UltraSamError as error:
                errors.append(_named(source, error))
        made = [n for p, start in zip(self.products, before, strict=True) for n in p.made[start:] if "/" in n]
        self.former.replace_source(name, digest, [record["image"]["name"] for record in records], made)
        self._digests[name] = digest
        return errors

    def _settle_tables(self) -> None:
        """What is made of all files, and what came of earlier runs."""
        tables = {name for product in self.products for name in product.made if "/" not in name}
        self.former.replace_tables(self._digests, sorted(tables))
        self.summary.removed, self.summary.changed = self.former.removed, self.former.changed

    def _frame(
        self, frame: Frame, asked: Asked | None, digest: str, follower: Follower | None
    ) -> tuple[dict[str, Any] | None, Follower | None]:
        """The record of a frame, None where nothing is asked of it, and what follows its objects."""
        followed = self.options.follow and frame.number is not None
        if asked is not None and (not asked.objects or (followed and (frame.number or 0) < asked.frame)):
            return None, None
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
            result = frame_results.of_everything(self.predictor, image, self.options.everything, calibration)
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
            follower = Follower(self.predictor, image, dict(zip(result.numbers, result.masks, strict=True)))
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
