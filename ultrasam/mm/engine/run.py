"""Training and testing from a configuration, with MMDetection's usual options."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner, find_latest_checkpoint

import ultrasam.mm  # noqa: F401  registers everything, and bridges before OpenMMLab is imported
from ultrasam.errors import ConfigError
from ultrasam.mm.compat import init_process_group
from ultrasam.mm.engine.configuration import load_config


def train(args: argparse.Namespace) -> int:
    """Train; see ``ultrasam train --help`` for the options."""
    config = load_config(args)
    if args.amp and args.amp_dtype == "bfloat16":
        config.optim_wrapper.type = "Bfloat16OptimWrapper"
    elif args.amp:
        if not torch.cuda.is_available():
            raise ConfigError("float16 needs a GPU; use --amp-dtype bfloat16")
        config.optim_wrapper.update(type="AmpOptimWrapper", dtype=args.amp_dtype)
    # Copies to a GPU then run beside its work; without one, pinning memory only warns.
    config.train_dataloader.setdefault("pin_memory", torch.cuda.is_available())
    if args.accumulate > 1:
        config.optim_wrapper.accumulative_counts = args.accumulate
    if args.ema:
        config.custom_hooks.append({"type": "EMAHook", "momentum": args.ema, "priority": "NORMAL"})
    if args.auto_scale_lr:
        if "auto_scale_lr" not in config:
            raise ConfigError(f"{args.config} says no auto_scale_lr.base_batch_size to scale the rate from")
        config.auto_scale_lr.enable = True
    # With nothing to resume yet, a run that is restarted by a queue simply starts.
    resumed = find_latest_checkpoint(config.work_dir) if args.resume == "auto" else args.resume
    if resumed:
        config.resume, config.load_from = True, str(_require(resumed, "checkpoint to resume from"))
    elif start := getattr(args, "start", None) or config.get("load_from"):
        _started(config).weights = {"path": start}
        config.load_from = None
    init_process_group(args.launcher)
    with memory_advice():
        Runner.from_cfg(config).train()
    return 0


def test(args: argparse.Namespace) -> int:
    """Score a checkpoint; see ``ultrasam test --help`` for the options."""
    config = load_config(args)
    checkpoint = _require(args.checkpoint, "checkpoint")
    # Loaded below, strictly: mmengine would only log what does not fit.
    config.load_from, config.resume, _started(config).weights = None, False, None
    config.model.pop("decoder", None)
    if args.out:
        config.test_evaluator.outfile = args.out
    if args.show_dir:
        show_dir = Path(config.work_dir, args.show_dir)
        config.default_hooks.visualization.show_dir = str(show_dir)
    init_process_group(args.launcher)
    runner = Runner.from_cfg(config)
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    model.load_weights(str(checkpoint), fold_residual=args.fold_residual)
    with memory_advice():
        runner.test()
    return 0


@contextmanager
def memory_advice() -> Iterator[None]:
    """Say what helps where memory runs out.

    Raises:
        ConfigError: in place of PyTorch's error.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        raise ConfigError(
            "out of memory. In this order: --amp; a smaller batch with as many steps accumulated "
            "(--cfg-options train_dataloader.batch_size=2 --accumulate 4); recompute activations "
            "(model.network.checkpointing=True, for other tasks model.backbone.checkpointing=True); "
            f"a smaller input. PyTorch says: {str(error).splitlines()[0]}"
        ) from error


def _started(config: Config) -> Any:
    """The part of the configuration that takes start weights."""
    return config.model.backbone if "backbone" in config.model else config.model


def _require(path: str, what: str) -> Path:
    if not Path(path).is_file():
        raise ConfigError(f"no {what} at {path}")
    return Path(path)
