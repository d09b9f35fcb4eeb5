"""One image and a model: every question of the protocol, and how well each answer fits."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ultrasam.data import coco
from ultrasam.data.degrade import degrade
from ultrasam.errors import CheckpointError
from ultrasam.evaluate import metrics
from ultrasam.evaluate.prompting import Baselines, Segmenter, as_prompts, central_points, read_checked
from ultrasam.evaluate.protocol import (
    BASELINES,
    BOX_NOISE,
    POINT_NOISE,
    SONOBASE,
    SONOBASE_CLICKS,
    SONOBASE_SEEDS,
    STRENGTHS,
    Condition,
    Protocol,
)
from ultrasam.evaluate.records import Answer, Record
from ultrasam.evaluate.samples import Sample
from ultrasam.evaluate.sonobase import noised_box
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.prompts.clicks import error_click
from ultrasam.prompts.noise import disturb_box, off_center
from ultrasam.prompts.sample import pick


def examine(sample: Sample, predictor: Segmenter, protocol: Protocol) -> Record:
    """Ask everything of one image.

    Raises:
        DataError: the image is unreadable or of another size.
        CheckpointError: the model predicts NaN.
    """
    return _Examination(sample, predictor, protocol).run()


@dataclass
class _State:
    """Where the n objects of a session are: masks (H, W) bool, predicted IoU (n,), logits to feed back."""

    masks: list[np.ndarray]
    scores: np.ndarray
    logits: list[Any]

    def take(self, rows: Iterable[int], answers: Any) -> None:
        """The answers for some of the objects."""
        for place, i in enumerate(rows):
            self.masks[i], self.scores[i] = answers.masks[place], answers.scores[place]
            # A foreign model may have none to feed back.
            self.logits[i] = answers.logits[place] if hasattr(answers, "logits") else None


def _clicked(first: ObjectPrompt | None, clicks: np.ndarray, logits: Any) -> ObjectPrompt:
    """An object's clicks (K, 3) x, y, label, beside what it began with."""
    points, labels = clicks[:, :2], clicks[:, 2]
    if first is not None and first.points is not None:
        points = np.concatenate([first.points, points])
        labels = np.concatenate([np.ones(len(first.points)), labels])
    return ObjectPrompt(points, labels, None if first is None else first.box, logits)


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
        if self.protocol.sonobase:
            self._sonobase()
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
        finite = logits is None or np.isfinite(logits).all()
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
        self.clicks = [[] for _ in range(n if self.protocol.session else 0)]
        state = _State([np.zeros(self.shape, dtype=bool) for _ in range(n)], np.zeros(n), [None] * n)
        for number, condition in enumerate(self.protocol.session):
            self._click(state, [None] * n, self.clicks, number == 0 or self.protocol.multimask)
            self._keep(condition, state.masks, state.scores)

    def _click(
        self,
        state: _State,
        first: Sequence[ObjectPrompt | None],
        clicks: list[list[list[float]]],
        multimask: bool,
    ) -> None:
        """One click more for each object, beside the prompt that it began with, and the masks then."""
        rows = []
        for i, target in enumerate(self.targets):
            click = error_click(state.masks[i], target)
            # A mask without an error is left as it is, as a user would.
            if click is not None:
                clicks[i].append([float(click[0][0]), float(click[0][1]), click[1]])
                rows.append(i)
        if rows:
            objects = [_clicked(first[i], np.array(clicks[i]), state.logits[i]) for i in rows]
            state.take(rows, self._segment(objects, multimask))

    def _sonobase(self) -> None:
        """Inexact prompts of three seeds, corrected; see `ultrasam.evaluate.sonobase`."""
        for prompt in self.protocol.single:
            for seed in SONOBASE_SEEDS:
                rng = self._random(f"{SONOBASE} {prompt} {seed}")
                if prompt == "box":
                    places = [noised_box(box, self.shape, rng) for box in self.places["box"]]
                else:
                    places = [pick(mask, rng) for mask in self.targets]
                first = as_prompts(prompt, places)
                n = len(first)
                state = _State([np.zeros(self.shape, dtype=bool)] * n, np.zeros(n), [None] * n)
                state.take(range(n), self._segment(first, self.protocol.multimask))
                clicks: list[list[list[float]]] = [[] for _ in first]
                for number in range(SONOBASE_CLICKS[-1] + 1):
                    if number:
                        self._click(state, first, clicks, self.protocol.multimask)
                    if number in SONOBASE_CLICKS:
                        name = f"{prompt}+{number}" if number else prompt
                        self._keep(Condition(name, SONOBASE, seed), state.masks, state.scores)

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
