"""Configurations by name or path, with changes, and checked."""

from __future__ import annotations

import itertools
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from mmengine.config import Config

from ultrasam.errors import ConfigError
from ultrasam.machine.explain import explanation
from ultrasam.mm.engine.old_configs import new_name, rename_options
from ultrasam.mm.engine.variables import read_config

LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")

#: Numbers the runs of this process.
_RUNS = itertools.count(1)

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
    config = read_model(path, cfg_options)
    for key in ("visualizer", "default_hooks", *(name for name in LOADERS if config.get(name))):
        if not isinstance(config.get(key), dict):
            raise ConfigError(f"{path} is not a whole configuration: its '{key}' is {config.get(key)!r}")
    config.launcher = launcher
    config.work_dir = str(work_dir or config.get("work_dir") or Path("work_dirs", path.stem))
    if seed is not None:
        config.randomness = {"seed": seed}
    rename_options(config)
    # Runs of one process that begin in the same second would share log, numbers, visualizer and its folder.
    config.visualizer.pop("name", None)
    config.experiment_name = f"{config.get('experiment_name') or path.stem}_{next(_RUNS)}"
    for name in LOADERS:
        if config.get(name) and config[name].get("num_workers") == 0:
            # PyTorch refuses the two together.
            config[name].pop("persistent_workers", None)
    _check_whole(config)
    _check_sizes(config)
    return config


def read_model(path: Path, cfg_options: Mapping[str, Any] | None = None) -> Config:
    """A configuration of any model, of MMDetection's own too, as its file and the changes say.

    Raises:
        ConfigError: the file is broken, or configures no model.
    """
    try:
        config = read_config(path, cfg_options or {})
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{path} is not a valid configuration: {error}") from error
    if not isinstance(config.get("model"), dict):
        raise ConfigError(f"{path} is not a whole configuration: its 'model' is {config.get('model')!r}")
    return config


def find_config(name: str) -> Path:
    """A configuration by path, or by its path within the configurations that come with the package."""
    import ultrasam.configs

    own = Path(ultrasam.configs.__path__[0])
    renamed = new_name(name)
    for called in (name, renamed) if renamed else (name,):
        for path in (Path(called), own / called, own / f"{called}.py"):
            if path.is_file():
                if called == renamed:
                    text = f"the configuration {name} is now {renamed}; the old name goes away in 0.3"
                    warnings.warn(text, FutureWarning, stacklevel=2)
                return path
    raise ConfigError(f"no configuration at {name}; 'ultrasam configs' lists those of the package")


def started(config: Config) -> Any:
    """The part of the configuration that takes start weights: the whole model, or a task's backbone."""
    return config.model if "network" in config.model else config.model.backbone


@contextmanager
def errors_of_parts(name: str | Path) -> Iterator[None]:
    """A part that mmengine can't make as the configuration says is an error of the configuration.

    Args:
        name: the configuration, for the message.

    Raises:
        ConfigError: an argument that the part does not know or take, or a type that there is none of.
    """
    try:
        yield
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        made = [f.f_locals.get("cfg") for f in frames if f.f_code.co_name == "build_from_cfg"]
        if explanation(error) or not made:
            raise
        kind = made[-1].get("type") if isinstance(made[-1], Mapping) else made[-1]
        said = error.args[0] if error.args else type(error).__name__
        raise ConfigError(f"{name}: '{getattr(kind, '__name__', kind)}' can't be made: {said}") from error


def _check_whole(config: Config) -> None:
    """Every loader says what it reads."""
    for name in LOADERS:
        if not config.get(name):
            continue
        for key in ("type", "ann_file", "img_size"):
            dataset = config[name].get("dataset")
            value = dataset.get(key) if isinstance(dataset, dict) else None
            if not value or (key == "ann_file" and not isinstance(value, str)):
                raise ConfigError(
                    f"the configuration does not say '{name}.dataset.{key}': among its _base_ has to be one "
                    "that reads data, such as configs/_base_/datasets/prompts.py, instances.py or labels.py"
                )


def _check_sizes(config: Config) -> None:
    """The input size stands at the model and at each loader; a difference would give wrong prompts."""
    parts = {f"model.{key}": config.model.get(key) for key in ("network", "backbone", "data_preprocessor")}
    parts |= {f"{name}.dataset": config[name].dataset for name in LOADERS if config.get(name)}
    sizes = {name: part["img_size"] for name, part in parts.items() if part and "img_size" in part}
    if len(set(sizes.values())) > 1:
        raise ConfigError(
            "the input size differs: " + ", ".join(f"{k}.img_size is {v}" for k, v in sizes.items())
        )
