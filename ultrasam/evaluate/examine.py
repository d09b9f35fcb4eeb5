"""One image and a model: every question of the protocol, and how well each answer fits."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ultrasam.data import coco
from ultrasam.data.degrade import degrade
from ultrasam.errors import CheckpointError
from ultrasam.evaluate import metrics
from ultrasam.evaluate.prompting import Baselines, Segmenter, as_prompts, central_points, read_checked
from ultrasam.evaluate.protocol import BASELINES, BOX_NOISE, POINT_NOISE, STRENGTHS, Condition, Protocol
from ultrasam.evaluate.records import Answer, Record
from ultrasam.evaluate.samples import Sample
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.prompts.clicks import error_click
from ultrasam.prompts.noise import disturb_box, off_center


def examine(sample: Sample, predictor: Segmenter, protocol: Protocol) -> Record:
    """Ask everything of one image.

    Raises:
        DataError: the image is unreadable or of another size.
        CheckpointError: the model predicts NaN.
    """
    return _Examination(sample, predictor, protocol).run()


class _Examination:
    def __init__(self, sample: Sample, predictor: Segmenter, protocol: Protocol) -> None:
        self.sample, self.predictor, self.protocol = sample, predictor, protocol
        self.image = read_checked(sample.item)
        self.shape = sample.item.size
        self.targets = sample.item.masks()
        self.places = {"box": sample.item.boxes(), "point": central_points(self.targets)}
        self.baselines = Baselines()
        self.baselines.set_image(self.image)
        self.answers: dict[Condition, Answer] = {}
        self.seconds: dict[str, float] = {}
        self.clicks: list[list[list[float]]] = []

    def run(self) -> Record:
        start = time.perf_counter()
        self.predictor.set_image(self.image)
        self.seconds["encode"] = time.perf_counter() - start
        for prompt in self.protocol.single:
            start = time.perf_counter()
            answers = self._ask(prompt, self.places[prompt])
            self.seconds[prompt] = time.perf_counter() - start
            self._keep(Condition(prompt), answers.masks, answers.scores)
        self._session()
        if self.protocol.baselines:
            for prompt in self.protocol.single:
                self._ask_baseline(prompt, self.places[prompt])
        if self.protocol.noise:
            self._noise()
        for kind in self.protocol.degradations:
            self._degraded(kind)
        sample = self.sample
        return Record(
            name=sample.name,
            stamp=sample.stamp(),
            dataset=sample.item.dataset,
            organ=sample.organ,
            size=self.shape,
            spacing=sample.spacing,
            targets=[coco.encode(mask) for mask in self.targets],
            boxes=self.places["box"],
            points=self.places["point"],
            clicks=[np.array(clicks).reshape(-1, 3) for clicks in self.clicks],
            seconds=self.seconds,
            answers=self.answers,
        )

    def _random(self, kind: str) -> np.random.Generator:
        """Random numbers of this image and this kind of disturbance: the same for each of its steps."""
        return np.random.default_rng([self.protocol.seed, zlib.crc32(f"{self.sample.name} {kind}".encode())])

    def _ask(self, prompt: str, places: Iterable[np.ndarray]) -> Any:
        """Boxes (4,) or points (2,) in the image, one for each object."""
        return self._segment(as_prompts(prompt, places), self.protocol.multimask)

    def _segment(self, objects: list[ObjectPrompt], multimask: bool) -> Any:
        answers = self.predictor.segment(objects, multimask=multimask)
        logits = getattr(answers, "logits", None)
        finite = logits is None or bool(logits.isfinite().all())
        if not np.isfinite(answers.scores).all() or not finite:
            raise CheckpointError(
                f"the model's answer for {self.sample.name} is not a number; are its weights damaged, "
                "or its precision too low?"
            )
        return answers

    def _ask_baseline(
        self, prompt: str, places: Iterable[np.ndarray], kind: str = "", step: float = 0.0
    ) -> None:
        answers = self.baselines.segment(as_prompts(prompt, places))
        self._keep(Condition(BASELINES[prompt].name, kind, step), answers.masks, answers.scores)

    def _keep(
        self, condition: Condition, masks: Sequence[np.ndarray] | np.ndarray, scores: np.ndarray
    ) -> None:
        (height, width), spacing = self.shape, self.sample.spacing
        tolerance, diagonal = metrics.boundary_tolerance(self.shape), math.hypot(height, width)
        pairs = list(zip(masks, self.targets, strict=True))
        distances = [metrics.border_distances(mask, target) for mask, target in pairs]
        millimeters = []
        if spacing is not None:
            most = math.hypot(width * spacing[0], height * spacing[1])
            several = [metrics.border_distances(mask, target, spacing) for mask, target in pairs]
            millimeters = [min(d.hausdorff(), most) for d in several]
        self.answers[condition] = Answer(
            masks=[coco.encode(mask) for mask in masks],
            scores=np.array(scores, dtype=np.float64),
            iou=np.array([metrics.iou(mask, target) for mask, target in pairs]),
            hd95=np.array([min(d.hausdorff(), diagonal) for d in distances]),
            boundary_f=np.array([d.f_score(tolerance) for d in distances]),
            hd95_mm=np.array(millimeters),
        )

    def _session(self) -> None:
        """Clicks in the middle of the largest error, one after the other, the last mask fed back."""
        n = len(self.targets)
        masks = [np.zeros(self.shape, dtype=bool) for _ in range(n)]
        scores = np.zeros(n)
        logits: list[Any] = [None] * n
        self.clicks = [[] for _ in range(n if self.protocol.session else 0)]
        for number, condition in enumerate(self.protocol.session):
            rows = []
            for i in range(n):
                click = error_click(masks[i], self.targets[i])
                # A mask without an error is left as it is, as a user would.
                if click is not None:
                    self.clicks[i].append([float(click[0][0]), float(click[0][1]), click[1]])
                    rows.append(i)
            if rows:
                objects = [self._clicked(i, logits[i]) for i in rows]
                answers = self._segment(objects, number == 0 or self.protocol.multimask)
                for place, i in enumerate(rows):
                    masks[i], scores[i] = answers.masks[place], answers.scores[place]
                    # A foreign model may have none to feed back.
                    logits[i] = answers.logits[place] if hasattr(answers, "logits") else None
            self._keep(condition, masks, scores)

    def _clicked(self, i: int, logits: Any) -> ObjectPrompt:
        clicks = np.array(self.clicks[i])
        return replace(as_prompts("point", [clicks[:, :2]])[0], labels=clicks[:, 2], mask=logits)

    def _noise(self) -> None:
        steps = [("box", kind, step) for kind, levels in BOX_NOISE.items() for step in levels]
        steps += [("point", kind, step) for kind, levels in POINT_NOISE.items() for step in levels]
        for prompt, kind, step in steps:
            if prompt not in self.protocol.prompts:
                continue
            rng = self._random(kind)
            if prompt == "box":
                places = [disturb_box(kind, box, step, self.shape, rng) for box in self.places["box"]]
            else:
                pairs = zip(self.targets, self.places["point"], strict=True)
                places = [off_center(mask, point, step, rng) for mask, point in pairs]
            answers = self._ask(prompt, places)
            self._keep(Condition(prompt, kind, step), answers.masks, answers.scores)
            if prompt == "box" and self.protocol.baselines:
                self._ask_baseline(prompt, places, kind, step)

    def _degraded(self, kind: str) -> None:
        for strength in STRENGTHS:
            self.predictor.set_image(degrade(self.image, kind, strength, self._random(kind)))
            for prompt in self.protocol.single:
                answers = self._ask(prompt, self.places[prompt])
                self._keep(Condition(prompt, kind, strength), answers.masks, answers.scores)
