"""A folder of pictures with a box each, segmented by workers side by side and one by one."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from ultrasam.machine import threads
from ultrasam.phantom import simulate

from .harness import Bench, main

#: Other pictures than these are copies of them.
DIFFERENT = 25


def fabricate(folder: Path, count: int) -> Path:
    """Simulated pictures of 800 x 600 pixels, and a table with a box round an object of each."""
    (folder / "pictures").mkdir()
    kinds = []
    for number in range(min(count, DIFFERENT)):
        phantom = simulate(7, number, size=800, color=True)
        x, y, width, height = cv2.boundingRect(phantom.objects[0].mask[:600].astype(np.uint8))
        data = cv2.imencode(".png", np.ascontiguousarray(phantom.image[:600, :, ::-1]))[1].tobytes()
        kinds.append((data, (x, y, x + width, y + height) if width and height else (200, 150, 500, 400)))
    rows = []
    for number in range(count):
        data, box = kinds[number % len(kinds)]
        (folder / "pictures" / f"{number:04d}.png").write_bytes(data)
        rows.append((f"{number:04d}.png", *box))
    with (folder / "boxes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "x1", "y1", "x2", "y2"), *rows])
    return folder / "boxes.csv"


def command(folder: Path, out: Path, engine: str, workers: int | None) -> float:
    """Seconds of ``ultrasam predict`` over the folder, process start included."""
    once = ["-m", "ultrasam", "predict", str(folder / "pictures"), "--prompts", str(folder / "boxes.csv")]
    more = ["--engine", engine, "--device", "cpu", "--out", str(out), "--quiet"]
    more += [] if workers is None else ["--workers", str(workers)]
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    start = time.perf_counter()
    subprocess.run([sys.executable, *once, *more], check=True, capture_output=True, env=environment)
    return time.perf_counter() - start


def contents(out: Path) -> dict[str, bytes]:
    """All files of a run."""
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def measure(bench: Bench) -> None:
    count = 6 if bench.quick else 500
    for engine in ("onnx", "torch"):
        rates: dict[str, list[float]] = {"one by one": [], "workers": []}
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            fabricate(folder, count)
            for number in range(bench.args.rounds or (1 if bench.quick else 3)):
                for who, workers in (("one by one", 1), ("workers", None)):
                    out = folder / f"{who} {number}"
                    rates[who].append(count / command(folder, out, engine, workers))
            unlike = _unlike(contents(folder / "one by one 0"), contents(folder / "workers 0"))
        bench.record(
            f"{count} pictures of 800 x 600 with a box each, from start to end, {engine}",
            "images/s",
            rates,
            ours="workers",
            goals={"one by one": 1.8},
            more_is_better=True,
        )
        bench.fact(f"{engine}: files of other bytes than one by one", unlike, "none", not unlike)
    bench.fact("cores", threads.usable_cores())


def _unlike(expected: dict[str, bytes], found: dict[str, bytes]) -> int:
    return sum(expected.get(name) != found.get(name) for name in expected.keys() | found.keys())


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, "folder"))
