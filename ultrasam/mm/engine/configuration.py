"""Configurations by name or path, made whole: one seed, one input size, one list of classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from mmengine.config import Config

from ultrasam.errors import ConfigError

Launcher = Literal["none", "pytorch", "slurm", "mpi"]


def load_config(
    name: str | Path,
    *,
    work_dir: str | Path | None = None,
    seed: int | None = None,
    launcher: Launcher = "none",
    cfg_options: Mapping[str, Any] | None = None,
) -> Config:
    """A configuration with changes, as every run takes it.

    Args:
        name: a path, or a name that ``ultrasam configs`` lists.
        work_dir: folder for logs and checkpoints; ``work_dirs/<name>`` where neither this nor the file says.
        seed: of everything random; the file's where None.
        launcher: how several processes were started, as in MMDetection.
        cfg_options: changes, such as ``{"train_dataloader.batch_size": 4}``.

    Raises:
        ConfigError: the file is missing or broken, or its parts do not fit together.
    """
    path = find_config(str(name))
    try:
        config = Config.fromfile(path)
        config.merge_from_dict(dict(cfg_options or {}))
    except Exception as error:
        raise ConfigError(f"{path} is not a valid configuration: {error}") from error
    config.launcher = launcher
    config.work_dir = str(work_dir or config.get("work_dir") or Path("work_dirs", path.stem))
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


def started(config: Config) -> Any:
    """The part of the configuration that takes start weights: the whole model, or a task's backbone."""
    return config.model.backbone if "backbone" in config.model else config.model


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
