"""Label Studio's protocol of machine learning backends: health, setup, predict.

What a user does with a smart tool (clicks, a rectangle, a brush stroke) comes as the results of a context, in
percent of the image; what is found goes back as a brush region.
"""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

import ultrasam
from ultrasam.data.boxes import tight_box
from ultrasam.errors import DataError, PromptError, UltraSamError
from ultrasam.predict import masks
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.serve.brush_rle import decode_brush, encode_brush
from ultrasam.serve.image_service import ImageService
from ultrasam.serve.labeling_config import BrushTag, brush_tag
from ultrasam.serve.task_images import TaskImages
from ultrasam.serve.uploads import Picture

ROOT = "/label-studio"
PREDICT = f"{ROOT}/predict"
VERSION = f"ultrasam-{ultrasam.__version__}"
_log = logging.getLogger(__name__)
#: Labels of points that are outside, whatever the tool says of them.
_OUTSIDE = ("background", "negative")


class Tasks(BaseModel):
    """What Label Studio asks for; of its other fields nothing is needed."""

    tasks: list[dict[str, Any]] = []
    label_config: str = ""
    params: dict[str, Any] | None = None


@dataclass
class _Said:
    """What a user says of one object, in pixels."""

    points: list[tuple[float, float]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    box: tuple[float, float, float, float] | None = None
    label: str | None = None


class LabelStudio:
    """Answers tasks.

    Args:
        engine: the model.
        images: reads the images of tasks.
    """

    def __init__(self, engine: ImageService, images: TaskImages | None = None) -> None:
        self._engine, self._images = engine, images or TaskImages()

    def predict(self, request: Tasks) -> dict[str, Any]:
        """One prediction where a user has said something; none for tasks as they are opened.

        Raises:
            DataError: the labeling interface, or the image of a task, can't be used.
            PromptError: the user's results make no sense.
        """
        context = (request.params or {}).get("context") or {}
        results = context.get("result") if isinstance(context, dict) else None
        if not results or not request.tasks:
            # A list for each task: Label Studio would keep an empty prediction and show it beside others.
            return {"results": [[] for _ in request.tasks], "model_version": VERSION}
        if len(request.tasks) > 1:
            raise DataError("a user's results are for one task, and several came with them")
        tag, task = brush_tag(request.label_config), request.tasks[0]
        data = task.get("data")
        if not isinstance(data, dict) or tag.key not in data:
            raise DataError(f"the task's data has no '{tag.key}', where the labeling interface looks")
        pictures = self._engine.add(self._images.read(data[tag.key]))
        if len(pictures) > 1:
            raise DataError(f"the task's image is a clip of {len(pictures)} frames: give it one")
        return {"results": [self._answer(pictures[0], results, tag)], "model_version": VERSION}

    def _answer(self, picture: Picture, results: Any, tag: BrushTag) -> dict[str, Any]:
        height, width = picture.pixels.shape[:2]
        said = _said(results, tag.image, (height, width))
        if said.box is None and 1 not in said.labels:
            raise PromptError("there is neither a point inside nor a rectangle: click into the object first")
        prompt = ObjectPrompt(said.points or None, said.labels or None, said.box)
        answer = self._engine.prompt(picture, [prompt], multimask=said.box is None and len(said.points) == 1)
        best = int(answer.iou[0].argmax())
        (mask,) = masks.draw([answer.masks[0][best]], (height, width))
        score = round(float(answer.iou[0, best]), 4)
        region = {
            "id": uuid.uuid4().hex[:10],
            "from_name": tag.name,
            "to_name": tag.image,
            "type": "brushlabels",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "origin": "prediction",
            "score": score,
        }
        if mask.any():
            label = tag.label_for(said.label)
            region["value"] = {"format": "rle", "rle": encode_brush(mask), "brushlabels": [label]}
        return {"result": [region] if mask.any() else [], "score": score, "model_version": VERSION}


def add_routes(app: FastAPI, tasks: LabelStudio) -> None:
    """The protocol's addresses, below `ROOT`."""

    @app.get(f"{ROOT}/health", tags=["Label Studio"])
    async def label_studio_health() -> dict[str, str]:
        """Asked before the backend is connected."""
        return {"status": "UP", "model_class": "UltraSam"}

    @app.post(f"{ROOT}/setup", tags=["Label Studio"])
    async def label_studio_setup() -> dict[str, str]:
        """Which model answers; the address and token that Label Studio sends are not taken from here."""
        return {"model_version": VERSION}

    @app.get(f"{ROOT}/versions", tags=["Label Studio"])
    async def label_studio_versions() -> dict[str, list[str]]:
        """The versions of the model that one may choose from."""
        return {"versions": [VERSION]}

    @app.post(PREDICT, tags=["Label Studio"])
    def label_studio_predict(request: Tasks) -> dict[str, Any]:
        """A brush region for the points, rectangles and brush strokes of a context."""
        try:
            return tasks.predict(request)
        except UltraSamError as error:
            # Label Studio tells its user the status alone; the reason stands in the terminal.
            _log.warning("ultrasam: Label Studio's request: %s", error)
            raise


def _said(results: Any, image: str, size: tuple[int, int]) -> _Said:
    """The results of a context on an image of ``size`` (H, W)."""
    if not isinstance(results, list) or not all(isinstance(entry, dict) for entry in results):
        raise PromptError("the context's result must be a list of results")
    said = _Said()
    for number, entry in enumerate(results):
        if entry.get("to_name", image) != image:
            continue
        kind, value = str(entry.get("type", "")).lower(), entry.get("value")
        where = f"result {number} ({kind or 'without type'})"
        if not isinstance(value, dict):
            raise PromptError(f"{where} has no value")
        if entry.get("image_rotation"):
            raise PromptError(f"{where} is on a turned image: turn it back first")
        if kind.startswith("keypoint"):
            _add_point(said, entry, value, where, size)
        elif kind.startswith("rectangle"):
            said.box = _box(value, where, size)
        elif kind.startswith("brush"):
            mask = decode_brush(value.get("rle") or (), size)
            said.box = tuple(tight_box(mask).tolist()) if mask.any() else said.box
        else:
            raise PromptError(f"{where} is no prompt: points, rectangles and brush strokes are")
        if not _is_outside(entry, value):
            said.label = _label(value) or said.label
    return said


def _add_point(
    said: _Said, entry: Mapping[str, Any], value: Mapping[str, Any], where: str, size: tuple[int, int]
) -> None:
    x, y = _pixels(value, ("x", "y"), where, size)
    said.points.append((x, y))
    said.labels.append(0 if _is_outside(entry, value) else 1)


def _is_outside(entry: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    positive = entry.get("is_positive", value.get("is_positive"))
    if positive is not None and not positive:
        return True
    return (_label(value) or "").lower() in _OUTSIDE


def _label(value: Mapping[str, Any]) -> str | None:
    for name in ("keypointlabels", "rectanglelabels", "brushlabels", "labels"):
        names = value.get(name)
        if isinstance(names, list) and names and isinstance(names[0], str):
            return names[0]
    return None


def _box(value: Mapping[str, Any], where: str, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """A rectangle as x1, y1, x2, y2; the box round a turned one, which turns about its corner."""
    x, y, width, height = _pixels(value, ("x", "y", "width", "height"), where, size)
    turn = math.radians(_number(value.get("rotation") or 0, where))
    along, down = (math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))
    corners = np.array([x, y]) + [
        (a * width * along[0] + b * height * down[0], a * width * along[1] + b * height * down[1])
        for a in (0, 1)
        for b in (0, 1)
    ]
    low = np.clip(corners.min(axis=0), 0, size[::-1])
    high = np.clip(corners.max(axis=0), 0, size[::-1])
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _pixels(value: Mapping[str, Any], names: Sequence[str], where: str, size: tuple[int, int]) -> list[float]:
    """Percent of the image's width and height, in turn, as pixels."""
    sides = (size[1], size[0], size[1], size[0])
    return [_number(value.get(n), where) * side / 100 for n, side in zip(names, sides, strict=False)]


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise PromptError(f"{where} has {value!r:.40} where a number of percent or degrees is needed")
    return float(value)
