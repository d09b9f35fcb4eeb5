"""Work over executors: conversion by two processes, by two workers of Dask, and by jobs of submitit.

Dask's workers run before the clock does, as a cluster's do; processes and jobs are started within it. Where
SLURM answers ('sinfo'), its jobs are measured too.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
from ultrasam.converters import convert
from ultrasam.converters.engine.executors import from_option

from .converters import DATASET, fabricate
from .harness import Bench, main

COUNT = 2


def _convert(raw: Path, out: Path, executor: str, workers: int | None) -> None:
    convert(DATASET, raw, out, workers=from_option(executor, workers, out.parent))


def _slurm_answers() -> bool:
    return (
        bool(shutil.which("sinfo"))
        and not subprocess.run(["sinfo"], capture_output=True, check=False).returncode
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=1875, help="to convert (1875, as many as BUS-BRA has)")


def measure(bench: Bench) -> None:
    from distributed import LocalCluster

    cv2.setNumThreads(1)
    count = 40 if bench.quick else bench.args.images
    cluster = LocalCluster(n_workers=COUNT, threads_per_worker=1, dashboard_address=None, host="127.0.0.1")
    with cluster, tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        fabricate(folder / "raw", count)
        dask = cluster.scheduler_address.replace("tcp://", "dask://")
        spread = partial(_convert, folder / "raw")
        ways: dict[str, Callable[[Path], None]] = {
            "processes": partial(spread, executor="processes", workers=COUNT),
            "Dask": partial(spread, executor=dask, workers=None),
            "submitit, local": partial(spread, executor="submitit-local", workers=COUNT),
        }
        if _slurm_answers():
            ways["submitit, SLURM"] = partial(spread, executor="slurm", workers=COUNT)
        rates: dict[str, list[float]] = {name: [] for name in ways}
        written: set[bytes] = set()
        for _ in range(bench.args.rounds or 3):
            for name, work in ways.items():
                start = time.perf_counter()
                work(folder / "out")
                rates[name].append(count / (time.perf_counter() - start))
                written.add((folder / f"out/{DATASET.name}/annotations/all.json").read_bytes())
                shutil.rmtree(folder / "out")
    ratios = bench.record(
        f"{count} pairs of PNG files, two workers", "images/s", rates, ours="processes", more_is_better=True
    )
    bench.fact("Different all.json", len(written), "1", len(written) == 1)
    for name, ratio in ratios.items():
        bench.fact(f"{name}, share of the processes' speed", 1 / ratio, "at least 0.85", 1 / ratio >= 0.85)


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, "spread", add_arguments))
