"""Embeddings of whole images with their objects' boxes, made once: what heads on the encoder learn from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ultrasam.data.boxes import tight_boxes
from ultrasam.data.images import mirror
from ultrasam.evaluate.prompting import read_checked
from ultrasam.evaluate.samples import Sample, read_samples
from ultrasam.phantom import simulate
from ultrasam.predict.predictor import Predictor

#: Sets whose license permits to ship what was made of them.
PERMITTED = ("bus_bra", "breast_usg", "hc", "ccaui", "usgra_seg", "dl_track")
#: Views of each real image: as it is, and parts of it.
VIEWS = 2
_SHAPE = (256, 16, 16)

#: Gives the name of a data set, an image (H, W, 3) uint8 RGB and its objects' boxes (n, 4) xyxy.
Job = Callable[[], tuple[str, np.ndarray, np.ndarray]]
_View = tuple[np.ndarray, np.ndarray]


def samples(
    folders: Sequence[Path], names: Sequence[str], split: str | None, limit: int | None = None
) -> list[Sample]:
    """Images of data sets, each folder with ``images`` and ``annotations/*.json``; of one part, or all."""
    found: list[Sample] = []
    for folder in folders:
        files = [f for f in sorted((folder / "annotations").glob("*.json")) if f.stem in names]
        if files:
            given = dict.fromkeys(files, folder / "images")
            found += read_samples(given, splits=[split] if split else (), limit=limit)[0]
    return found


class HeadData:
    """Rows of embeddings on disk.

    Attributes:
        features: (N, 256, 16, 16) float16.
        rows: N of ``set``, ``resized`` (h, w in the input), ``boxes`` in pixels of the input.
    """

    def __init__(self, folder: Path) -> None:
        lines = (folder / "rows.jsonl").read_text().splitlines()
        self.rows = [json.loads(line) for line in lines]
        self.features = np.memmap(folder / "features.f16", np.float16, "r", shape=(len(self.rows), *_SHAPE))


def make(folder: Path, jobs: Sequence[Job]) -> HeadData:
    """Encode views with the small model; what is there of an earlier run is gone on from."""
    folder.mkdir(parents=True, exist_ok=True)
    embedder = Predictor(engine="onnx", device="cpu").embedder
    listed, kept = folder / "rows.jsonl", folder / "features.f16"
    done = len(listed.read_text().splitlines()) if listed.is_file() else 0
    with kept.open("ab") as out, listed.open("a") as rows:
        out.truncate(done * int(np.prod(_SHAPE)) * 2)
        for job in tqdm(jobs[done:], initial=done, total=len(jobs), unit="view", mininterval=5):
            name, image, boxes = job()
            geometry = embedder.geometry(image)
            row = {
                "set": name,
                "resized": geometry.resized,
                "boxes": geometry.to_input(np.reshape(boxes, (-1, 4))).round(2).tolist(),
            }
            out.write(embedder.embed([image])[0].astype(np.float16).tobytes())
            out.flush()
            rows.write(json.dumps(row) + "\n")
            rows.flush()
    return HeadData(folder)


def mixed(jobs: Sequence[Job], weights: Sequence[float], seed: int) -> list[Job]:
    """Jobs in an order in which the first few are already of the mixture that weights make."""
    # The logarithms of Efraimidis and Spirakis's keys: the keys themselves are too small for any number.
    keys = np.log(np.random.default_rng(seed).random(len(jobs))) / np.asarray(weights)
    return [jobs[i] for i in np.argsort(-keys, kind="stable")]


def real(chosen: Sequence[Sample], views: int, seed: int) -> list[Job]:
    """Views of images with their objects' boxes."""

    def job(number: int, view: int) -> tuple[str, np.ndarray, np.ndarray]:
        item = chosen[number].item
        rng = np.random.default_rng([seed, number, view])
        return item.dataset, *_view(read_checked(item), tight_boxes(item.masks()), view, rng)

    return [partial(job, number, view) for number in range(len(chosen)) for view in range(views)]


def phantoms(number: int, seed: int) -> list[Job]:
    """Simulated images, as ``ultrasam data phantom`` makes them, with their objects' boxes."""

    def job(index: int) -> tuple[str, np.ndarray, np.ndarray]:
        made = simulate(seed, index, size=256)
        image = made.image if made.image.ndim == 3 else np.repeat(made.image[..., None], 3, axis=2)
        return "phantom", image, tight_boxes([item.mask for item in made.objects if item.mask.any()])

    return [partial(job, index) for index in range(number)]


def _view(image: np.ndarray, boxes: np.ndarray, number: int, rng: np.random.Generator) -> _View:
    if number == 0:
        return image, boxes
    image, boxes = _part(image, boxes, rng)
    if rng.random() < 0.5:
        image, _, boxes = mirror(image, [], boxes)
    gamma, gain = rng.uniform(0.7, 1.4), rng.uniform(0.8, 1.15)
    table = np.clip(255 * gain * (np.arange(256) / 255) ** gamma, 0, 255).astype(np.uint8)
    image = cv2.LUT(np.ascontiguousarray(image), table)
    return image, boxes


def _part(image: np.ndarray, boxes: np.ndarray, rng: np.random.Generator) -> _View:
    """A part of an image that shows most of at least one object; what it hardly shows is left out."""
    height, width = image.shape[:2]
    for _ in range(10):
        h, w = (max(int(side * rng.uniform(0.55, 1.0)), 32) for side in (height, width))
        y, x = rng.integers(0, max(height - h, 0) + 1), rng.integers(0, max(width - w, 0) + 1)
        cut = np.clip(boxes - [x, y, x, y], 0, [w, h, w, h])
        before, after = ((b[:, 2:] - b[:, :2]).clip(0).prod(axis=1) for b in (boxes, cut))
        kept = after >= 0.6 * before
        if kept.any():
            return np.ascontiguousarray(image[y : y + h, x : x + w]), cut[kept]
    return image, boxes
