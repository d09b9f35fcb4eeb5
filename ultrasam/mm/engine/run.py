"""Training and testing from a configuration, with MMDetection's usual options."""

from __future__ import annotations

import argparse
import os
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


def load_config(args: argparse.Namespace) -> Config:
    """The configuration with the command line's changes in it.

    Raises:
        ConfigError: the file is missing or broken, or its parts do not fit together.
    """
    path = find_config(args.config)
    try:
        config = Config.fromfile(path)
        if args.cfg_options:
            config.merge_from_dict(args.cfg_options)
    except Exception as error:
        raise ConfigError(f"{path} is not a valid configuration: {error}") from error
    config.launcher = args.launcher
    os.environ.setdefault("LOCAL_RANK", str(getattr(args, "local_rank", 0)))
    config.work_dir = args.work_dir or config.get("work_dir") or str(Path("work_dirs", path.stem))
    seed = getattr(args, "seed", None)
    if seed is not None:
        config.randomness = {"seed": seed}
    _spread_seed(config)
    if "backbone" in config.model:
        _spread_task(config)
    else:
        _check_sizes(config)
    return config


def find_config(name: str) -> Path:
    """A configuration by path, or by its path within the configurations that come with the package."""
    import ultrasam.configs

    own = Path(ultrasam.configs.__path__[0])
    for path in (Path(name), own / name, own / f"{name}.py"):
        if path.is_file():
            return path
    raise ConfigError(f"no configuration at {name}; 'ultrasam configs' lists those of the package")


def _require(path: str, what: str) -> Path:
    if not Path(path).is_file():
        raise ConfigError(f"no {what} at {path}")
    return Path(path)


def _spread_seed(config: Config) -> None:
    """Give the run's one seed to everything that draws at random."""
    seed = config.randomness.get("seed", 0)
    config.train_dataloader.dataset.setdefault("seed", seed)
    config.train_dataloader.sampler.setdefault("seed", seed)
    for hook in config.get("custom_hooks", []):
        if hook["type"] == "StepSeedHook":
            hook.setdefault("seed", seed)


def _spread_task(config: Config) -> None:
    """Give the one input size, data set and list of classes of a task to the model and to every loader."""
    if not config.get("classes"):
        raise ConfigError("the configuration names no 'classes' (for a regression, the numbers' columns)")
    config.model.data_preprocessor.img_size = config.img_size
    if config.model.backbone.type == "UltraSamBackbone":
        config.model.backbone.img_size = config.img_size
    keys = ["img_size", "data_root", "data_prefix", "classes"]
    if config.model.type == "InstanceSegmenter":
        config.model.num_classes = len(config.classes)
    else:
        config.model.classes, config.model.task = config.classes, config.task
        for part in (config.default_hooks.visualization, config.val_evaluator, config.test_evaluator):
            part.task = config.task
        keys += ["task", *(key for key in ("column", "clip", "limits") if key in config)]
    config.default_hooks.visualization.classes = config.classes
    for side in ("train", "val", "test"):
        dataset = config[f"{side}_dataloader"].dataset
        for key, name in (("ann_file", f"{side}_ann"), *((key, key) for key in keys)):
            if name not in config:
                raise ConfigError(f"the configuration does not say '{name}'")
            dataset.setdefault(key, config[name])


def _check_sizes(config: Config) -> None:
    """The input size stands at the model and at each loader; a difference would give wrong prompts."""
    sizes: dict[str, Any] = {
        "model.network": config.model.network.get("img_size"),
        "model.data_preprocessor": config.model.data_preprocessor.get("img_size"),
    }
    for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
        if config.get(name):
            sizes[f"{name}.dataset"] = config[name].dataset.get("img_size")
    if len(set(sizes.values())) != 1:
        raise ConfigError(
            "the input size differs: " + ", ".join(f"{k}.img_size is {v}" for k, v in sizes.items())
        )
