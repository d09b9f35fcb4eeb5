"""One image and a model: every question of the protocol, and how well each answer fits."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ultrasam.data import coco
from ultrasam.data.degrade import degrade
from ultrasam.errors import CheckpointError
from ultrasam.evaluate import metrics
from ultrasam.evaluate.baselines import ellipse_in_box, grow_region
from ultrasam.evaluate.prompting import read_checked
from ultrasam.evaluate.protocol import BOX_NOISE, POINT_NOISE, STRENGTHS, Condition, Protocol
from ultrasam.evaluate.samples import Sample
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.segmentation import Segmentation
from ultrasam.preprocess import Geometry
from ultrasam.prompts.clicks import error_click
from ultrasam.prompts.noise import disturb_box, off_centre
from ultrasam.prompts.sample import central_point

#: What is known of one image: JSON all through.
Record = dict[str, Any]


def examine(sample: Sample, predictor: Predictor, protocol: Protocol) -> Record:
    """Ask everything of one image.

    Returns:
        ``name``, ``stamp``, ``dataset``, ``organ``, ``size``, ``spacing``, ``truth`` (run-length codes),
        ``boxes`` (xyxy), ``seconds`` (``encode`` the image, ``box`` or ``point`` for all its objects),
        ``clicks`` (x, y, label of each object) and ``answers``: condition -> ``masks`` (run-length codes),
        ``scores`` (predicted IoU), ``iou``, ``hd95`` (pixels; the image's diagonal where nothing was found),
        ``boundary_f``, and ``hd95_mm`` where the spacing is known, a value for each object.

    Raises:
        DataError: the image is unreadable or of another size.
        CheckpointError: the model predicts NaN.
    """
    return _Examination(sample, predictor, protocol).run()


class _Examination:
    def __init__(self, sample: Sample, predictor: Predictor, protocol: Protocol) -> None:
        self.sample, self.predictor, self.protocol = sample, predictor, protocol
        self.image = read_checked(sample.item)
        self.shape = sample.item.size
        self.truth = sample.item.masks()
        self.boxes = sample.item.boxes()
        here = Geometry(self.shape, self.shape, max(self.shape))
        self.points = np.array([central_point(mask, here) for mask in self.truth])
        self.answers: dict[str, dict[str, Any]] = {}
        self.seconds: dict[str, float] = {}
        self.clicks: list[list[list[float]]] = []

    def run(self) -> Record:
        start = time.perf_counter()
        self.predictor.set_image(self.image)
        self.seconds["encode"] = time.perf_counter() - start
        for prompt in self.protocol.single:
            start = time.perf_counter()
            found = self._ask(prompt, self.boxes if prompt == "box" else self.points)
            self.seconds[prompt] = time.perf_counter() - start
            self._keep(Condition(prompt), found.masks, found.scores)
        if "clicks" in self.protocol.prompts:
            self._session()
        if self.protocol.baselines:
            self._baselines()
        if self.protocol.noise:
            self._noise()
        for kind in self.protocol.degradations:
            self._degraded(kind)
        sample = self.sample
        return {
            "name": sample.name,
            "stamp": sample.stamp(),
            "dataset": sample.item.dataset,
            "organ": sample.organ,
            "size": list(self.shape),
            "spacing": sample.spacing,
            "truth": [coco.encode(mask)["counts"] for mask in self.truth],
            "boxes": self.boxes.tolist(),
            "points": self.points.tolist(),
            "clicks": self.clicks,
            "seconds": self.seconds,
            "answers": self.answers,
        }

    def _random(self, kind: str) -> np.random.Generator:
        """Random numbers of this image and this kind of disturbance: the same for each of its steps."""
        return np.random.default_rng([self.protocol.seed, zlib.crc32(f"{self.sample.name} {kind}".encode())])

    def _ask(self, prompt: str, places: Sequence[np.ndarray] | np.ndarray) -> Segmentation:
        """Boxes (4,) or points (2,) in the image, one for each object."""
        if prompt == "box":
            objects = [ObjectPrompt(box=box) for box in places]
        else:
            # `ObjectPrompt` takes pixel indices: half a pixel less than where a place in the image is.
            objects = [ObjectPrompt(points=point[None] - 0.5) for point in places]
        return self._segment(objects, self.protocol.multimask)

    def _segment(self, objects: list[ObjectPrompt], multimask: bool) -> Segmentation:
        found = self.predictor.segment(objects, multimask=multimask)
        if not np.isfinite(found.scores).all() or not bool(found.logits.isfinite().all()):
            raise CheckpointError(
                f"the model's answer for {self.sample.name} is not a number; are its weights damaged, "
                "or its precision too low?"
            )
        return found

    def _keep(self, condition: Condition, masks: Sequence[np.ndarray] | np.ndarray, scores: Any) -> None:
        tolerance = metrics.boundary_tolerance(self.shape)
        diagonal, spacing = math.hypot(*self.shape), self.sample.spacing
        pairs = list(zip(masks, self.truth, strict=True))
        distances = [metrics.border_distances(mask, true) for mask, true in pairs]
        answer = {
            "masks": [coco.encode(mask)["counts"] for mask in masks],
            "scores": [float(score) for score in scores],
            "iou": [metrics.iou(mask, true) for mask, true in pairs],
            "hd95": [min(d.hausdorff(), diagonal) for d in distances],
            "boundary_f": [d.f_score(tolerance) for d in distances],
        }
        if spacing is not None:
            most = math.hypot(self.shape[1] * spacing[0], self.shape[0] * spacing[1])
            answer["hd95_mm"] = [
                min(metrics.border_distances(mask, true, spacing).hausdorff(), most) for mask, true in pairs
            ]
        self.answers[str(condition)] = answer

    def _session(self) -> None:
        """Clicks in the middle of the largest error, one after the other, the last mask fed back."""
        n = len(self.truth)
        masks = [np.zeros(self.shape, dtype=bool) for _ in range(n)]
        scores = np.zeros(n)
        logits: list[Any] = [None] * n
        self.clicks = [[] for _ in range(n)]
        for number in range(1, self.protocol.clicks + 1):
            rows = []
            for i in range(n):
                click = error_click(masks[i], self.truth[i])
                # A mask without an error is left as it is, as a user would.
                if click is not None:
                    self.clicks[i].append([float(click[0][0]), float(click[0][1]), click[1]])
                    rows.append(i)
            if rows:
                objects = [self._clicked(i, logits[i]) for i in rows]
                found = self._segment(objects, number == 1 or self.protocol.multimask)
                for place, i in enumerate(rows):
                    masks[i], scores[i] = found.masks[place], found.scores[place]
                    logits[i] = found.logits[place]
            self._keep(Condition(f"click{number}"), masks, scores)

    def _clicked(self, i: int, logits: Any) -> ObjectPrompt:
        clicks = np.array(self.clicks[i])
        return ObjectPrompt(points=clicks[:, :2] - 0.5, labels=clicks[:, 2], mask=logits)

    def _baselines(self) -> None:
        ones = np.ones(len(self.truth))
        if "box" in self.protocol.prompts:
            self._ellipses(Condition("ellipse"), self.boxes)
        if "point" in self.protocol.prompts:
            grown = [grow_region(self.image, point) for point in self.points]
            self._keep(Condition("region"), grown, ones)

    def _ellipses(self, condition: Condition, boxes: Sequence[np.ndarray] | np.ndarray) -> None:
        self._keep(condition, [ellipse_in_box(box, self.shape) for box in boxes], np.ones(len(self.truth)))

    def _noise(self) -> None:
        steps = [("box", kind, step) for kind, levels in BOX_NOISE.items() for step in levels]
        steps += [("point", kind, step) for kind, levels in POINT_NOISE.items() for step in levels]
        for prompt, kind, step in steps:
            if prompt not in self.protocol.prompts:
                continue
            rng = self._random(kind)
            if prompt == "box":
                places = [disturb_box(kind, box, step, self.shape, rng) for box in self.boxes]
            else:
                pairs = zip(self.truth, self.points, strict=True)
                places = [off_centre(mask, point, step, rng) for mask, point in pairs]
            found = self._ask(prompt, places)
            self._keep(Condition(prompt, kind, step), found.masks, found.scores)
            if prompt == "box" and self.protocol.baselines:
                self._ellipses(Condition("ellipse", kind, step), places)

    def _degraded(self, kind: str) -> None:
        for strength in STRENGTHS:
            self.predictor.set_image(degrade(self.image, kind, strength, self._random(kind)))
            for prompt in self.protocol.single:
                found = self._ask(prompt, self.boxes if prompt == "box" else self.points)
                self._keep(Condition(prompt, kind, strength), found.masks, found.scores)
