"""A training run small enough for a test: phantoms of 64 pixels, a vit_t at 64 pixels, a few steps."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ultrasam.cli.main import build_parser

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs/ultrasam/ultrasam_vit-t_phantom.py"
SIZE = 64


def make_data(folder: Path, num: int = 40) -> Path:
    from ultrasam.data.phantoms import write_phantoms

    write_phantoms(folder, num, size=SIZE)
    return folder / "phantom"


def options(data: Path, steps: int, batch: int, workers: int = 0) -> list[str]:
    values = [
        f"model.network.img_size={SIZE}",
        f"model.data_preprocessor.img_size={SIZE}",
        f"train_dataloader.batch_size={batch}",
        f"train_cfg.max_iters={steps}",
        f"train_cfg.val_interval={steps}",
        "param_scheduler.0.end=2",
        "param_scheduler.1.begin=2",
        f"param_scheduler.1.end={steps + 4}",
        "default_hooks.logger.interval=1",
        "visualizer.vis_backends=[{'type': 'LocalVisBackend'}]",
    ]
    for name in ("train", "val", "test"):
        loader = f"{name}_dataloader"
        values += [
            f"{loader}.dataset.img_size={SIZE}",
            f"{loader}.dataset.data_root={data}/",
            f"{loader}.num_workers={workers}",
        ]
    return ["--cfg-options", *values]


def changes(*pairs: str) -> dict[str, Any]:
    """What ``--cfg-options`` makes of KEY=VALUE pairs."""
    return build_parser().parse_args(["train", "config", "--cfg-options", *pairs]).cfg_options


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHON": sys.executable,
        "MASTER_PORT": str(20000 + os.getpid() % 20000),
        "PYTHONPATH": str(ROOT),
    }


def run(command: list[str], **kwargs) -> subprocess.CompletedProcess:
    done = subprocess.run(
        command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False, **kwargs
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def train_command(work_dir: Path, *extra: str) -> list[str]:
    return [sys.executable, "tools/train.py", str(CONFIG), "--work-dir", str(work_dir), *extra]
