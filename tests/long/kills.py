"""Kill commands at random moments, start them again until they are done, and compare with unbroken runs.

``make kills`` kills each of convert, predict, finetune, train and evaluate fifty times. The work is small;
the moments are spread from start to end and follow from a seed. A run is killed three times at most before it
ends.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.kit.archives import ell, gray8, picture, save
from tests.kit.miniature import CONFIG, ROOT, environment, make_data, options
from ultrasam.checkpoints.reading import read_objects
from ultrasam.modeling.build import build_ultrasam

KILLS_A_RUN = 3


@dataclass
class Job:
    """A command and what is compared of its results.

    Attributes:
        arguments: of ``ultrasam``, for an output folder.
        digest: of the results in the folder.
    """

    arguments: Callable[[Path], list[str]]
    digest: Callable[[Path], str]


@dataclass
class Count:
    """What came of a command."""

    kills: int = 0
    runs: int = 0
    same: int = 0
    left_over: int = 0
    failures: list[str] = field(default_factory=list)


def jobs(folder: Path) -> dict[str, Job]:
    """The commands, on data made in a folder."""
    data = make_data(folder / "data", 24)
    torch.manual_seed(0)
    weights = folder / "start.pth"
    torch.save(build_ultrasam("vit_t", img_size=64).state_dict(), weights)
    raw = folder / "raw/BUID/Benign"
    for number in range(1, 121):
        save(raw / f"{number} Benign Image.bmp", picture(number, 300, 300, color=True))
        save(raw / f"{number} Benign Mask.tif", np.repeat(gray8(ell(120, 90, 300, 300))[..., None], 3, 2))
    images, coco = str(data / "images"), str(data / "annotations/all.json")
    model = ["--device", "cpu"]
    small = [*options(data, 8, 2, workers=1), "default_hooks.checkpoint.interval=1"]
    return {
        "convert": Job(
            lambda out: [
                "convert",
                "buid",
                "--raw",
                str(folder / "raw"),
                "--out",
                str(out),
                "--workers",
                "2",
            ],
            lambda out: files(out, ".json", ".png", ".jpg"),
        ),
        "predict": Job(
            lambda out: [
                *(
                    "predict",
                    images,
                    "--checkpoint",
                    str(weights),
                    "--prompts",
                    coco,
                    "--out",
                    str(out),
                    "--quiet",
                ),
                *model,
            ],
            lambda out: files(out, ".json", ".png"),
        ),
        "finetune": Job(
            lambda out: [
                *("finetune", coco, "--images", images, "--from", str(weights), "--out", str(out)),
                *("--steps", "60", "--batch-size", "1", "--mode", "decoder", *model),
            ],
            lambda out: of(
                tensors(read_objects(out / "model.pth")), json.loads((out / "scores.json").read_text())
            ),
        ),
        "train": Job(
            lambda out: ["train", str(CONFIG), "--work-dir", str(out), "--resume", *small],
            lambda out: of(
                *(tensors(read_objects(out / "iter_8.pth")[n]) for n in ("state_dict", "optimizer"))
            ),
        ),
        "evaluate": Job(
            # Without sessions of clicks: on what an untrained model draws they make much of a last bit, which
            # differs between unbroken runs too.
            lambda out: [
                *("evaluate", str(weights), coco, "--images", images, "--out", str(out), *model),
                *("--prompts", "box,point"),
            ],
            lambda out: of(without_seconds(json.loads((out / "results.json").read_text()))),
        ),
    }


def files(folder: Path, *endings: str) -> str:
    """A digest of all files of some kinds, hidden ones left out."""
    found = sorted(p for p in folder.rglob("*") if p.suffix in endings and not p.name.startswith("."))
    assert found, f"nothing in {folder}"
    return of([(str(p.relative_to(folder)), hashlib.sha256(p.read_bytes()).hexdigest()) for p in found])


def tensors(content: Any) -> Any:
    """Containers with digests in the place of tensors."""
    if isinstance(content, torch.Tensor):
        return hashlib.sha256(content.contiguous().numpy().tobytes()).hexdigest()
    if isinstance(content, dict):
        return {str(name): tensors(value) for name, value in content.items()}
    return [tensors(value) for value in content] if isinstance(content, (list, tuple)) else content


def without_seconds(content: Any) -> Any:
    """Results without what a run says of itself."""
    own = ("seconds", "command")
    if isinstance(content, dict):
        return {
            k: without_seconds(v) for k, v in content.items() if not any(word in k.lower() for word in own)
        }
    return [without_seconds(value) for value in content] if isinstance(content, list) else content


def of(*content: Any) -> str:
    """A digest of anything for JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def start(job: Job, out: Path) -> subprocess.Popen:
    """Run a command as the leader of a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "ultrasam", *job.arguments(out)],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=(out.parent / "errors").open("w"),
        start_new_session=True,
    )


def left_over(session: int, seconds: float = 15.0) -> list[int]:
    """Processes of a session that are still there after a while, zombies left out."""
    deadline = time.monotonic() + seconds
    while True:
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, _, its = stat.read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(its) == session and state != "Z":
                found.append(int(stat.parent.name))
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def kill(job: Job, folder: Path, kills: int, rng: random.Random) -> Count:
    """Kill a command a number of times, in as many runs as that takes."""
    count, out = Count(), folder / "unbroken"
    folder.mkdir()
    began = time.monotonic()
    if start(job, out).wait() != 0:
        count.failures.append((folder / "errors").read_text()[-300:])
        return count
    whole, wanted = time.monotonic() - began, job.digest(out)
    # One from each part of the run's time, so that start and end have their turn.
    moments = [whole * (part + rng.random()) / kills for part in range(kills)]
    rng.shuffle(moments)
    while count.kills < kills:
        out = folder / "killed"
        shutil.rmtree(out, ignore_errors=True)
        code = None
        for _ in range(KILLS_A_RUN):
            if count.kills == kills or code == 0:
                break
            process = start(job, out)
            try:
                # What goes on with an earlier run may be done before its moment: others take its place.
                code = process.wait(timeout=moments.pop() if moments else rng.uniform(0, whole))
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                count.kills += 1
            for pid in left_over(process.pid):
                count.left_over += 1
                os.kill(pid, signal.SIGKILL)
        if code != 0:
            code = start(job, out).wait()
        count.runs += 1
        if code != 0:
            count.failures.append((folder / "errors").read_text()[-300:])
        elif job.digest(out) != wanted:
            count.failures.append("other results")
        else:
            count.same += 1
    return count


def main() -> int:
    """Print a table; the exit code is 1 where anything was not as it should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50, help="of each command (50)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    parser.add_argument("commands", nargs="*", help="convert, predict, finetune, train, evaluate (all)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, bad = Path(temporary), False
        known = jobs(folder)
        print(f"{'command':<10}{'kills':>7}{'runs':>7}{'same':>7}{'left over':>11}{'minutes':>9}", flush=True)
        for name in args.commands or known:
            began = time.monotonic()
            count = kill(known[name], folder / name, args.kills, random.Random(f"{args.seed} {name}"))
            numbers = f"{count.kills:>7}{count.runs:>7}{count.same:>7}{count.left_over:>11}"
            print(f"{name:<10}{numbers}{(time.monotonic() - began) / 60:>9.1f}", flush=True)
            for failure in count.failures:
                print(f"    {failure}")
            bad |= bool(count.failures or count.left_over)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
