"""Annotations of a huge COCO file, ready for a worker: our arrays beside mmdet's CocoDataset.

Each measurement is a process of its own, as a rank or worker is; time and memory are counted after imports.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .harness import Bench, main
from .machine import extra_memory

SIZE = (600, 800)


def fabricate(folder: Path, count: int) -> Path:
    """One object an image; masks of about 400 bytes, as those of ragged lesions are."""
    from ultrasam.data import coco

    rng = np.random.default_rng(0)
    codes = []
    for _ in range(64):
        angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        radius = 90 * (1 + 0.03 * rng.standard_normal(60))
        points = np.stack([400 + radius * np.cos(angle), 300 + radius * np.sin(angle)], 1).astype(np.int32)
        codes.append(coco.encode(cv2.fillPoly(np.zeros(SIZE, np.uint8), [points], 1).astype(bool)))
    # One real file under all names: the readers look whether images are there.
    (folder / "images").mkdir()
    cv2.imwrite(str(folder / "images/0.png"), np.zeros(SIZE, np.uint8))
    images = [
        {"id": i, "file_name": "0.png", "height": SIZE[0], "width": SIZE[1], "dataset": f"set{i % 43}"}
        for i in range(1, count + 1)
    ]
    objects = [
        {"id": i, "image_id": i, "category_id": 1, "bbox": [305, 205, 190, 190], "area": 25000, "iscrowd": 0}
        | {"segmentation": codes[i % 64]}
        for i in range(1, count + 1)
    ]
    content = {"images": images, "annotations": objects, "categories": [{"id": 1, "name": "object"}]}
    (folder / "train.json").write_text(json.dumps(content, separators=(",", ":")))
    return folder / "train.json"


def mmdet(path: Path) -> Any:
    from mmdet.datasets import CocoDataset

    return CocoDataset(
        ann_file=str(path),
        data_prefix={"img": str(path.parent / "images")},
        metainfo={"classes": ("object",)},
        filter_cfg={"filter_empty_gt": True},
        pipeline=[],
    )


def ours(path: Path) -> Any:
    from ultrasam.mm.datasets.prompt_dataset import PromptDataset

    return PromptDataset(img_size=1024, ann_file=str(path), data_prefix={"img": str(path.parent / "images")})


def _once(make: Callable[[Path], Any], path: Path) -> tuple[float, float]:
    took = []

    def work() -> Any:
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            dataset = make(path)
            entry = dataset.get_data_info(len(dataset) // 2)
        took.append(time.perf_counter() - start)
        assert entry["height"] == SIZE[0]
        return dataset

    memory = extra_memory(work)
    return took[0], float("nan") if memory is None else memory


def once(make: Callable[[Path], Any], path: Path) -> tuple[float, float]:
    """Seconds and MiB of a process of its own, which has its imports from this one."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        return pool.submit(_once, make, path).result()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--annotations", type=int, default=280_000, help="in the file (280000)")


def measure(bench: Bench) -> None:
    from mmengine.registry import init_default_scope

    import ultrasam.mm  # noqa: F401

    init_default_scope("mmdet")
    count = 20_000 if bench.quick else bench.args.annotations
    ways = {"mmdet CocoDataset": mmdet, "ultrasam": ours}
    with tempfile.TemporaryDirectory() as folder:
        path = fabricate(Path(folder), count)
        first, peak = once(ours, path)  # reads the JSON file and leaves the arrays
        rounds = bench.args.rounds or 3
        found = {name: [once(way, path) for _ in range(rounds)] for name, way in ways.items()}
        size = path.stat().st_size / 2**20
    title = f"{count} annotations in {size:.0f} MiB of JSON: ready for a worker"
    seconds = {name: [s for s, _ in values] for name, values in found.items()}
    memory = {name: [m for _, m in values] for name, values in found.items()}
    bench.record(title, "s", seconds, ours="ultrasam", goals={"mmdet CocoDataset": 12.0})
    bench.record(
        "Extra memory of the process", "MiB", memory, ours="ultrasam", goals={"mmdet CocoDataset": 4.0}
    )
    slowest, most = max(seconds["ultrasam"]), max(memory["ultrasam"])
    bench.fact("Slowest start, seconds", slowest, "at most 0.5", slowest <= 0.5)
    bench.fact("Most extra memory, MiB", most, "at most 200", most <= 200)
    bench.fact("The very first start of all, which writes the arrays, seconds", first)
    bench.fact("The same, extra memory in MiB", peak)


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, "annotations", add_arguments))
