"""Simulate or take data, train, test with points and boxes, compare, draw, write one page."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ultrasam
from ultrasam import checkpoints
from ultrasam.data.files import write_json
from ultrasam.data.settings import forget_other_settings
from ultrasam.demo.demo_page import demo_table, write_page
from ultrasam.errors import UltraSamError
from ultrasam.evaluate.prompting import score_baselines
from ultrasam.machine.child import in_child

if TYPE_CHECKING:
    from ultrasam.mm.engine.history import History

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
    described = {**asdict(settings), "version": ultrasam.__version__}
    forget_other_settings(out, described, ["index.html", "scores.json"])
    page = out / "index.html"
    if not page.is_file():
        data = _own_data(settings.coco, settings, out) if settings.coco else _phantoms(settings, out)
        history = _train(settings, data, out)
        scores: dict[str, dict[str, Any]] = {"model": {kind: _test(kind, data, out) for kind in _PROMPTS}}
        _say("the two baselines")
        scores["baseline"] = score_baselines(data.test, data.images)
        write_json(out / "scores.json", scores, indent=1)
        write_page(
            page,
            scores,
            history,
            [out / f"test_{kind}" / "shown" for kind in _PROMPTS],
            asdict(settings),
        )
    print("\n" + demo_table(json.loads((out / "scores.json").read_text())).text())
    print(f"\npictures: {out}/test_box/shown, {out}/test_point/shown\npage:     {page.resolve().as_uri()}")
    return page


def _say(text: str) -> None:
    print(f"\n== {text}", flush=True)


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


def _train(settings: Settings, data: Data, out: Path) -> History:
    from ultrasam.demo.pace import bfloat16_pays
    from ultrasam.mm.engine.history import read_history
    from ultrasam.mm.engine.train import train

    start_from = settings.weights or "nothing"
    amp = bfloat16_pays()
    _say(
        f"training a vit_t from {start_from}, {settings.iterations} steps of {settings.batch_size} images, "
        f"in {'bfloat16' if amp else 'float32'}, which is the quicker here"
    )
    steps = settings.iterations
    warm_up = max(1, min(50, steps // 4))
    begin = time.time()
    checkpoint = in_child(
        train,
        _CONFIG,
        work_dir=_work_dir(settings, out),
        resume=True,
        start=settings.weights,
        seed=settings.seed,
        amp=amp,
        cfg_options={
            **_paths("train", data.train, data),
            **_paths("val", data.val, data),
            "train_dataloader.batch_size": settings.batch_size,
            "optim_wrapper.optimizer.lr": _WARM_RATE if settings.weights else _COLD_RATE,
            "train_cfg.max_iters": steps,
            "train_cfg.val_interval": max(steps // 3, 1),
            "param_scheduler.0.end": warm_up,
            "param_scheduler.1.begin": warm_up,
            "param_scheduler.1.end": steps,
            "default_hooks.checkpoint.interval": 250,
            "default_hooks.logger.interval": max(1, min(25, steps // 10)),
        },
    )
    print(f"trained in {(time.time() - begin) / 60:.1f} minutes")
    # The network alone, without the optimizer's state, for everything that loads weights.
    checkpoints.convert(checkpoint, out / "model.pth", "sam")
    return read_history(checkpoint.parent)


def _test(kind: str, data: Data, out: Path) -> dict[str, float]:
    from ultrasam.mm.engine.test import test

    _say(f"testing with {kind} prompts")
    scores = in_child(
        test,
        _CONFIG,
        out / "model.pth",
        work_dir=out / f"test_{kind}",
        show_dir="shown",
        cfg_options={
            **_paths("test", data.test, data),
            "test_dataloader.dataset.prompts.point_probability": _PROMPTS[kind],
        },
    )
    return {key.removeprefix("coco/"): value for key, value in scores.items()}


def _paths(loader: str, annotations: Path, data: Data) -> dict[str, str]:
    prefix = f"{loader}_dataloader.dataset"
    return {
        f"{prefix}.data_root": "",
        f"{prefix}.ann_file": str(annotations.resolve()),
        f"{prefix}.data_prefix.img": f"{data.images.resolve()}/",
    }
