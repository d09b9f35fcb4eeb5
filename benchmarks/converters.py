"""The converters: images a second, merging, and the audit for near-duplicates.

The naive way is what scripts of this kind do: PIL, one full-image mask a component, pycocotools on each,
indented JSON at the end.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask
from ultrasam.converters import Card, Category, Dataset, convert
from ultrasam.converters.engine.find import pairs
from ultrasam.converters.engine.recipes import binary_still

from .harness import Bench, main
from .machine import extra_memory

WIDTH, HEIGHT = 600, 400


def cases(root: Path):
    return pairs(root, "Images/*.png", "Masks/*.png")


def read(case):
    yield from binary_still("lesion")(case)


DATASET = Dataset("bench", Card("Bench"), (Category("lesion"),), cases, read)


def fabricate(root: Path, count: int) -> None:
    """Gray speckle pictures with 1-bit masks of one lesion, as in BUS-BRA."""
    from PIL import Image

    rng = np.random.default_rng(1)
    for folder in ("Images", "Masks"):
        (root / folder).mkdir(parents=True)
    for n in range(count):
        speckle = rng.rayleigh(40, (HEIGHT, WIDTH)).astype(np.float32)
        picture = np.clip(cv2.GaussianBlur(speckle, (0, 0), 1.2), 0, 255).astype(np.uint8)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        center = (int(rng.integers(150, 450)), int(rng.integers(120, 280)))
        cv2.ellipse(
            mask, center, (int(rng.integers(40, 110)), int(rng.integers(30, 90))), 20, 0, 360, 255, -1
        )
        Image.fromarray(picture).save(root / f"Images/{n:05d}.png")
        Image.fromarray(mask).convert("1").save(root / f"Masks/{n:05d}.png")


def naive(root: Path, out: Path, count: int) -> None:
    from PIL import Image
    from scipy import ndimage

    out.mkdir()
    images, annotations = [], []
    for path in list(root.glob("Images/*.png"))[:count]:
        picture = np.asarray(Image.open(path).convert("RGB"))
        mask = np.asarray(Image.open(root / "Masks" / path.name).convert("L"))
        Image.fromarray(picture).save(out / path.name)
        labels, count = ndimage.label(mask > 127, np.ones((3, 3)))
        images.append({"id": len(images), "file_name": path.name, "width": WIDTH, "height": HEIGHT})
        for label in range(1, count + 1):
            rle = coco_mask.encode(np.asfortranarray(labels == label, np.uint8))
            box, area = coco_mask.toBbox(rle).tolist(), int(coco_mask.area(rle))
            rle["counts"] = rle["counts"].decode()
            annotations.append({"segmentation": rle, "bbox": box, "area": area, "image_id": len(images) - 1})
    (out / "all.json").write_text(json.dumps({"images": images, "annotations": annotations}, indent=2))


def conversion(bench: Bench, folder: Path, count: int) -> None:
    cv2.setNumThreads(1)
    fabricate(folder / "raw", count)
    few = min(count, 100)
    ways: dict[str, tuple[Callable[[Path], object], int]] = {
        "naive": (lambda out: naive(folder / "raw", out, few), few),
        "one worker": (lambda out: convert(DATASET, folder / "raw", out), count),
        "two workers": (lambda out: convert(DATASET, folder / "raw", out, workers=2), count),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(bench.args.rounds or 3):
        for name, (work, images) in ways.items():
            start = time.perf_counter()
            work(folder / "out")
            rates[name].append(images / (time.perf_counter() - start))
            shutil.rmtree(folder / "out")
    title = f"{count} pairs of PNG files, {WIDTH} x {HEIGHT}"
    goals = {"one worker": 1.7}
    bench.record(title, "images/s", rates, ours="two workers", goals=goals, more_is_better=True)
    slowest = min(rates["one worker"])
    bench.fact("One worker, images a second in its slowest round", slowest, "at least 60", slowest >= 60)


def merging(bench: Bench, folder: Path, annotations: int) -> None:
    """`annotations` objects in 43 data sets, three an image."""
    from ultrasam.converters.engine.coco import write_json
    from ultrasam.converters.merge import merge

    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(mask, (250, 200), (150, 100), 20, 0, 360, 1, -1)
    rle = coco_mask.encode(np.asfortranarray(mask))
    rle["counts"] = rle["counts"].decode()
    each = annotations // 43
    for n in range(43):
        name = f"set{n:02d}"
        path = folder / "data" / name / "annotations"
        path.mkdir(parents=True)
        images = [
            {
                "id": i,
                "file_name": f"{i:06d}.png",
                "width": WIDTH,
                "height": HEIGHT,
                "dataset": name,
                "subject": f"s{i // 20}",
                "source": {"file": f"raw/{i}.png"},
                "split": "val" if i // 20 % 20 == 0 else "train",
            }
            for i in range(1, each // 3 + 2)
        ]
        objects = [
            {
                "id": i + 1,
                "image_id": i // 3 + 1,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [100, 100, 300, 200],
                "area": 60000,
                "segmentation": rle,
            }
            for i in range(each)
        ]
        categories = [{"id": 1, "name": "lesion", "supercategory": "x"}]
        coco = {"info": {"organ": "x"}, "images": images, "annotations": objects, "categories": categories}
        write_json(coco, path / "all.json")
    start = time.perf_counter()
    peak = extra_memory(lambda: merge(folder / "data", folder / "merged")) or float("nan")
    took = time.perf_counter() - start
    bench.fact(f"Merging {each * 43} objects of 43 data sets, seconds", took, "under 60", took < 60)
    bench.fact("Merging, extra memory in MiB", peak, "under 2048", peak < 2048)


def auditing(bench: Bench, folder: Path, count: int) -> None:
    """Distinct phantoms on two sides, and changed copies of some: recall and false pairs."""
    from ultrasam.converters.engine import audit

    from ultrasam.phantom import simulate

    cv2.setNumThreads(1)
    changes: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "resized": lambda i: cv2.resize(i, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA),
        "re-encoded": lambda i: cv2.imdecode(cv2.imencode(".jpg", i, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 0),
        "flipped": lambda i: i[:, ::-1],
        "cropped by 5 %": lambda i: i[round(0.05 * i.shape[0]) :, round(0.05 * i.shape[1]) :],
    }
    found: list[audit.Entry] = []
    truth: dict[tuple[str, str], str] = {}
    for n in range(count):
        image = simulate(21, n).image
        image = np.ascontiguousarray(image if image.ndim == 2 else image[..., 0])
        path = folder / f"p{n}.png"
        cv2.imwrite(str(path), image)
        found.append(audit.Entry("phantom", path.name, "train" if n % 2 else "val", str(n), path))
        if n % 5 == 0:
            kind = list(changes)[n // 5 % len(changes)]
            copy = folder / f"c{n}.png"
            cv2.imwrite(str(copy), np.ascontiguousarray(changes[kind](image)))
            found.append(audit.Entry("copy", copy.name, "test", str(n), copy))
            truth[path.name, copy.name] = kind
    start = time.perf_counter()
    hits = audit.near_duplicates(found)[0]
    took = time.perf_counter() - start
    names = {tuple(sorted((p.first.file_name, p.second.file_name), reverse=True)) for p in hits}
    bench.fact(f"Audit of {len(found)} images, {len(truth)} of them planted copies, seconds", took)
    for kind in changes:
        planted = {pair for pair, k in truth.items() if k == kind}
        recall = len(names & planted) / max(1, len(planted))
        bench.fact(f"Audit, recall of copies that were {kind}", recall, "at least 0.95", recall >= 0.95)
    false = len(names - set(truth))
    bench.fact("Audit, false pairs", str(false), "none", not false)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=1875, help="to convert (1875, as many as BUS-BRA has)")
    parser.add_argument("--annotations", type=int, default=280_000, help="to merge (280000)")
    parser.add_argument("--audit", type=int, default=1000, help="images to audit (1000)")


def measure(bench: Bench) -> None:
    parts = (
        (conversion, bench.args.images, 20),
        (merging, bench.args.annotations, 4300),
        (auditing, bench.args.audit, 20),
    )
    for work, number, few in parts:
        if number:
            with tempfile.TemporaryDirectory() as folder:
                work(bench, Path(folder), few if bench.quick else number)


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, "converters", add_arguments))
