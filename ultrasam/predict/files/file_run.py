"""Segment many files: masks as PNG, overlays, one COCO file; interrupted runs go on where they stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.data import images
from ultrasam.data.files import write_json
from ultrasam.errors import UltraSamError
from ultrasam.predict.files import sources
from ultrasam.predict.files.sources import Frame, Source
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.pixels import Window
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.segmentation import Segmentation


@dataclass(frozen=True)
class Asked:
    """What is asked of one picture: prompts, and the category of each object."""

    objects: list[ObjectPrompt]
    categories: list[int]


#: The prompts of a file, by its name relative to the input.
PromptsOf = Callable[[str], Asked]


@dataclass
class Summary:
    """What a run did: pictures segmented, taken over from an earlier run, without prompts, and failed."""

    done: int = 0
    kept: int = 0
    skipped: int = 0
    objects: int = 0
    failed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"{self.done} pictures segmented, {self.objects} objects"
        for count, what in ((self.kept, "kept from an earlier run"), (self.skipped, "without prompts")):
            text += f", {count} {what}" if count else ""
        return text + (f", {len(self.failed)} failed" if self.failed else "")


@dataclass
class FileRun:
    """One run over files.

    Attributes:
        predictor: the predictor.
        out: folder for ``masks/``, ``overlays/``, ``records/`` and ``predictions.json``.
        prompts_of: what is asked of each file; None for automatic masks of everything.
        categories: COCO's list of categories.
        settings: everything that changes a result; results of other settings are made again.
        multimask: keep the best of three masks.
        window: grey values shown as black and white.
        spacing: (x, y) mm a pixel for files that don't say.
        follow: in a clip, prompt each frame with the mask of the one before.
        overlays: draw them.
        automatic: options of the automatic generator.
    """

    predictor: Predictor
    out: Path
    prompts_of: PromptsOf | None
    categories: list[dict[str, Any]] = field(default_factory=lambda: [{"id": 1, "name": "object"}])
    settings: dict[str, Any] = field(default_factory=dict)
    multimask: bool = True
    window: Window | None = None
    spacing: tuple[float, float] | None = None
    follow: bool = False
    overlays: bool = True
    automatic: dict[str, Any] = field(default_factory=dict)
    summary: Summary = field(default_factory=Summary)

    def run(self, files: Sequence[Source], each: Callable[[Frame], None] = lambda frame: None) -> Summary:
        """Segment files; a file that can't be read is noted and the others go on.

        Args:
            files: from `sources.find`.
            each: called after every picture, for a progress bar.

        Raises:
            UltraSamError: not one picture could be segmented.
        """
        records: list[dict[str, Any]] = []
        for source, name in zip(files, sources.names(files), strict=True):
            try:
                records.extend(self._file(source, name, each))
            except UltraSamError as error:
                message = str(error)
                self.summary.failed.append(
                    message if source.file_name in message else f"{source.path}: {message}"
                )
        if self.summary.failed and not records:
            raise UltraSamError(self.summary.failed[0])
        self._write_coco(records)
        return self.summary

    def _file(self, source: Source, name: str, each: Callable[[Frame], None]) -> Iterator[dict[str, Any]]:
        before: Segmentation | None = None
        for frame in sources.frames(source, name, self.window):
            asked = self.prompts_of(source.file_name) if self.prompts_of else None
            if asked is not None and not asked.objects:
                self.summary.skipped += 1
                continue
            digest = self._digest(asked, source)
            record = None if self.follow and frame.number is not None else self._kept(frame, digest)
            if record is None:
                if asked is not None and before is not None and self.follow:
                    asked = Asked(_follow(before), asked.categories)
                record, before = self._segment(frame, asked, digest)
                self.summary.done += 1
                self.summary.objects += len(record["annotations"])
            else:
                self.summary.kept += 1
            each(frame)
            yield record

    def _segment(
        self, frame: Frame, asked: Asked | None, digest: str
    ) -> tuple[dict[str, Any], Segmentation | None]:
        picture = frame.read()
        masks: list[np.ndarray]
        overlay: np.ndarray | None
        if asked is None:
            annotations, masks, overlay = self._automatic(picture)
            found = None
        else:
            self.predictor.set_image(picture)
            found = self.predictor.segment(asked.objects, multimask=self.multimask)
            spacing = frame.spacing_of or self.spacing
            annotations = found.coco(spacing=spacing)
            for entry, category in zip(annotations, asked.categories, strict=True):
                entry["category_id"] = category
            masks = list(found.masks)
            overlay = found.overlay(picture) if self.overlays else None
        for number, (entry, mask) in enumerate(zip(annotations, masks, strict=True)):
            entry["mask"] = f"masks/{frame.name}_{number:03d}.png"
            images.write_mask(self.out / entry["mask"], mask)
        if overlay is not None:
            images.write_image(self.out / "overlays" / f"{frame.name}.png", overlay)
        height, width = picture.shape[:2]
        image = {"file_name": frame.file_name, "height": height, "width": width, "name": frame.name}
        if frame.number is not None:
            image["frame"] = frame.number
        record = {"settings": digest, "image": image, "annotations": annotations}
        write_json(self._record_path(frame), record)
        return record, found

    def _automatic(self, picture: np.ndarray) -> tuple[list[dict[str, Any]], list[np.ndarray], np.ndarray]:
        from ultrasam.data import coco
        from ultrasam.report import draw

        entries = self.predictor.automatic_masks(picture, **self.automatic)
        masks = [entry["segmentation"] for entry in entries]
        annotations = [
            {
                "category_id": 1,
                "segmentation": coco.encode(mask),
                "bbox": [float(v) for v in entry["bbox"]],
                "area": int(entry["area"]),
                "iscrowd": 0,
                "score": round(float(entry["predicted_iou"]), 6),
            }
            for entry, mask in zip(entries, masks, strict=True)
        ]
        return annotations, masks, draw.overlay(picture, masks)

    def _digest(self, asked: Asked | None, source: Source) -> str:
        """Of everything that a result depends on: settings, prompts, the file."""
        stat = source.path.stat()
        told = [self.settings, repr(asked), stat.st_size, stat.st_mtime_ns]
        text = json.dumps(told, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()

    def _record_path(self, frame: Frame) -> Path:
        return self.out / "records" / f"{frame.name}.json"

    def _kept(self, frame: Frame, digest: str) -> dict[str, Any] | None:
        """The record of an earlier run with the same settings and prompts, if it is whole."""
        try:
            record = json.loads(self._record_path(frame).read_text())
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) and record.get("settings") == digest else None

    def _write_coco(self, records: Sequence[dict[str, Any]]) -> None:
        pictures: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, record in enumerate(records, start=1):
            pictures.append({"id": number, **record["image"]})
            for entry in record["annotations"]:
                annotations.append({**entry, "id": len(annotations) + 1, "image_id": number})
        info = {"description": "segmented by ultrasam predict", **self.settings}
        content = {
            "info": info,
            "images": pictures,
            "annotations": annotations,
            "categories": self.categories,
        }
        write_json(self.out / "predictions.json", content)


def _follow(before: Segmentation) -> list[ObjectPrompt]:
    """The prompts of a clip's next frame: the last frame's boxes and logits, or its prompts where lost."""
    return [
        ObjectPrompt(box=box, mask=logits) if box[2] > box[0] else entry
        for box, logits, entry in zip(before.boxes, before.logits, before.objects, strict=True)
    ]
