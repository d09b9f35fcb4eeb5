"""Simulate or take data, train, test with points and boxes, compare, draw, write one page."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ultrasam
from ultrasam.demo.demo_page import format_table, write_page
from ultrasam.errors import UltraSamError
from ultrasam.evaluate.score_baselines import score_baselines

_CONFIG = "ultrasam/ultrasam_vit-t_phantom"
_PROMPTS = {"box": 0.0, "point": 1.0}
#: Learning rates from nothing and from trained weights, which a large rate would wash out.
_COLD_RATE, _WARM_RATE = 1e-3, 2e-4


@dataclass(frozen=True)
class Settings:
    """What the demo's result depends on.

    Attributes:
        num: simulated images.
        iterations: training steps.
        batch_size: images a step.
        seed: of everything random.
        coco: a user's own COCO file instead of simulated images.
        images: its image folder.
        weights: a checkpoint to start from; random weights where None.
    """

    num: int = 2400
    iterations: int = 550
    batch_size: int = 16
    seed: int = 0
    coco: str | None = None
    images: str | None = None
    weights: str | None = None


@dataclass(frozen=True)
class Data:
    """Where images and COCO files of the three sides lie."""

    images: Path
    train: Path
    val: Path
    test: Path


def run_demo(settings: Settings, out: Path) -> Path:
    """Run all steps; finished ones are not repeated.

    Returns:
        The page that shows the result.
    """
    out.mkdir(parents=True, exist_ok=True)
    _forget_other_settings(settings, out)
    page = out / "index.html"
    if not page.is_file():
        data = _own_data(settings.coco, settings, out) if settings.coco else _phantoms(settings, out)
        _train(settings, data, out)
        scores: dict[str, dict[str, Any]] = {"model": {kind: _test(kind, data, out) for kind in _PROMPTS}}
        _say("the two baselines")
        scores["baseline"] = score_baselines(data.test, data.images)
        (out / "scores.json").write_text(json.dumps(scores, indent=1))
        write_page(
            page,
            scores,
            _curves(_work_dir(settings, out)),
            [out / f"test_{kind}" / "shown" for kind in _PROMPTS],
            asdict(settings),
        )
    print(format_table(json.loads((out / "scores.json").read_text())))
    print(f"\npictures: {out}/test_box/shown, {out}/test_point/shown\npage:     {page.resolve().as_uri()}")
    return page


def _say(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _forget_other_settings(settings: Settings, out: Path) -> None:
    """A run with other settings, or of another version, starts anew in the same folder."""
    stamp = out / "settings.json"
    wanted = json.dumps({**asdict(settings), "version": ultrasam.__version__}, indent=1)
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    for stale in ("index.html", "scores.json"):
        (out / stale).unlink(missing_ok=True)
    stamp.write_text(wanted)


def _phantoms(settings: Settings, out: Path) -> Data:
    from ultrasam.data.phantoms import write_phantoms

    _say(f"simulating {settings.num} ultrasound images")
    report = write_phantoms(out / "data", settings.num, seed=settings.seed, workers=2)
    print(report.summary())
    folder = out / "data" / "phantom"
    sides = (folder / "annotations" / f"{name}.agnostic.json" for name in ("train", "val", "test"))
    return Data(folder / "images", *sides)


def _own_data(source: str, settings: Settings, out: Path) -> Data:
    from ultrasam.data.split import TEST_SHARE, VAL_SHARE, load_split

    if not settings.images:
        raise UltraSamError("--coco needs --images, the folder that its file names start from")
    _say(f"splitting {source} by subject")
    split = load_split(Path(source), Path(settings.images), {"test": TEST_SHARE, "val": VAL_SHARE})
    print(split.summary())
    sides = (split.write(side, out / "data" / f"{side}.json") for side in ("train", "val", "test"))
    return Data(Path(settings.images), *sides)


def _work_dir(settings: Settings, out: Path) -> Path:
    """Another recipe or other data train in another folder, so that resuming never mixes them."""
    return out / f"train_{hashlib.sha256(json.dumps(asdict(settings)).encode()).hexdigest()[:8]}"


def _train(settings: Settings, data: Data, out: Path) -> None:
    start_from = settings.weights or "nothing"
    _say(f"training a vit_t from {start_from}, {settings.iterations} steps of {settings.batch_size} images")
    steps, work_dir = settings.iterations, _work_dir(settings, out)
    warm_up = max(1, min(50, steps // 4))
    start = time.time()
    precision = ["--amp"] if _has_bfloat16() else []
    _command(
        "train",
        [_CONFIG, "--work-dir", str(work_dir), "--resume", "--seed", str(settings.seed), *precision],
        [
            *_paths("train", data.train, data),
            *_paths("val", data.val, data),
            f"train_dataloader.batch_size={settings.batch_size}",
            f"model.weights.path={settings.weights}",
            f"optim_wrapper.optimizer.lr={_WARM_RATE if settings.weights else _COLD_RATE}",
            f"train_cfg.max_iters={steps}",
            f"train_cfg.val_interval={max(steps // 3, 1)}",
            f"param_scheduler.0.end={warm_up}",
            f"param_scheduler.1.begin={warm_up}",
            f"param_scheduler.1.end={steps}",
            "default_hooks.checkpoint.interval=100",
            "default_hooks.logger.interval=10",
        ],
    )
    print(f"trained in {(time.time() - start) / 60:.1f} minutes")
    _keep_weights(work_dir / f"iter_{steps}.pth", out / "model.pth")


def _test(kind: str, data: Data, out: Path) -> dict[str, float]:
    _say(f"testing with {kind} prompts")
    work_dir = out / f"test_{kind}"
    _command(
        "test",
        [_CONFIG, str(out / "model.pth"), "--work-dir", str(work_dir), "--show-dir", "shown"],
        [
            *_paths("test", data.test, data),
            f"test_dataloader.dataset.prompts.point_probability={_PROMPTS[kind]}",
        ],
    )
    newest = max(work_dir.glob("*/*.json"), key=lambda path: path.stat().st_mtime)
    scores = json.loads(newest.read_text())
    return {key.removeprefix("coco/"): value for key, value in scores.items()}


def _paths(loader: str, annotations: Path, data: Data) -> list[str]:
    prefix = f"{loader}_dataloader.dataset"
    return [
        f"{prefix}.data_root=''",
        f"{prefix}.ann_file={annotations.resolve()}",
        f"{prefix}.data_prefix.img={data.images.resolve()}/",
    ]


def _command(name: str, arguments: Sequence[str], options: Sequence[str]) -> None:
    """Run one of the tools as a user would, in a process of its own."""
    command = [sys.executable, "-m", "ultrasam", name, *arguments, "--cfg-options", *options]
    if subprocess.run(command, check=False).returncode:
        raise UltraSamError(f"'ultrasam {name}' failed; its messages are above")


def _has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself; where it does, training takes two thirds the time."""
    info = Path("/proc/cpuinfo")
    return info.is_file() and any(flag in info.read_text() for flag in ("avx512_bf16", "amx_bf16"))


def _keep_weights(checkpoint: Path, target: Path) -> None:
    """The trained network alone, without the optimiser's state, for everything that loads weights."""
    import torch

    from ultrasam import checkpoints

    torch.save(checkpoints.read(checkpoint), target)


def _curves(folder: Path) -> list[dict[str, float]]:
    """Every training and validation record of a work directory's logs, in order."""
    rows: dict[tuple[str, int], dict[str, float]] = {}
    for path in sorted(folder.glob("*/vis_data/scalars.json")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            rows["val" if "coco/segm_mAP" in row else "train", int(row.get("step", 0))] = row
    return [rows[key] for key in sorted(rows)]
