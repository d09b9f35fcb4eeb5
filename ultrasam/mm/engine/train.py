"""Training from a configuration, with MMDetection's usual options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from mmengine.config import Config
from mmengine.dist import broadcast_object_list
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from ultrasam.checkpoints.download import WEIGHTS
from ultrasam.errors import ConfigError, DataError
from ultrasam.machine import stopping
from ultrasam.machine.memory import memory_advice
from ultrasam.mm.compat import init_process_group
from ultrasam.mm.engine.configuration import Launcher, errors_of_parts, load_config, started
from ultrasam.mm.engine.inspect import files_of
from ultrasam.mm.engine.resuming import Found, last_whole, training_meta

#: What saves memory, the cheapest first.
REMEDIES = (
    "--amp",
    "a smaller batch with as many steps accumulated "
    "(--cfg-options train_dataloader.batch_size=2 --accumulate 4)",
    "recompute activations (model.network.checkpointing=True, for other tasks "
    "model.backbone.checkpointing=True)",
    "a smaller input",
)
_TRY = "ultrasam data phantom --out data, then ultrasam train ultrasam/ultrasam_vit-t_phantom"


def train(
    config: str | Path,
    *,
    work_dir: str | Path | None = None,
    resume: bool | str | Path = False,
    start: str | Path | None = None,
    from_scratch: bool = False,
    amp: bool = False,
    amp_dtype: Literal["bfloat16", "float16"] = "bfloat16",
    accumulate: int = 1,
    ema: float = 0.0,
    seed: int | None = None,
    auto_scale_lr: bool = False,
    launcher: Launcher = "none",
    cfg_options: Mapping[str, Any] | None = None,
) -> Path:
    """Train to the configuration's last step.

    Args:
        config: a path, or a name that ``ultrasam configs`` lists.
        work_dir: folder for logs and checkpoints (``work_dirs/<config>``).
        resume: go on from this checkpoint; True for the last one in the work directory, if there is one.
        start: start weights of the model, or of a task's backbone: a file of any kind, or a name.
        from_scratch: start from random weights, whatever the configuration says.
        amp: mixed precision.
        amp_dtype: its type; float16 needs a GPU.
        accumulate: sum gradients over so many steps.
        ema: keep averaged weights, with this momentum, such as 0.0002; 0 for none.
        seed: of data order, flips, prompts and dropout; the configuration's where None.
        auto_scale_lr: scale the learning rate with the batch size of all processes.
        launcher: how several processes were started, as in MMDetection.
        cfg_options: changes of the configuration, such as ``{"train_dataloader.batch_size": 4}``.

    Returns:
        the last checkpoint, in the work directory. `ultrasam.mm.engine.history` reads how it went.

    Raises:
        ConfigError: options or parts of the configuration do not fit together, or it fine-tunes and has
            no start weights.
        DataError: the data are not there.
        UltraSamError: the memory does not suffice; the message says what helps.
    """
    if accumulate < 1 or not 0 <= ema < 1:
        raise ConfigError(
            f"gradients are summed over 1 step or more and averaged with a momentum from 0 to below 1, not "
            f"{accumulate} and {ema}"
        )
    cfg = load_config(config, work_dir=work_dir, seed=seed, launcher=launcher, cfg_options=cfg_options)
    _set_precision(cfg, amp, amp_dtype)
    # Copies to a GPU then run beside its work; without one, pinning memory only warns.
    cfg.train_dataloader.setdefault("pin_memory", torch.cuda.is_available())
    if accumulate > 1:
        cfg.optim_wrapper.accumulative_counts = accumulate
    if ema:
        cfg.custom_hooks.append({"type": "EMAHook", "momentum": ema, "priority": "NORMAL"})
    if auto_scale_lr:
        if "auto_scale_lr" not in cfg:
            raise ConfigError(f"{config} says no auto_scale_lr.base_batch_size to scale the rate from")
        cfg.auto_scale_lr.enable = True
    found = _find(cfg, resume)
    if not found.path:
        _set_start(cfg, str(config), start, from_scratch)
    _require_data(cfg)
    init_process_group(launcher)
    with memory_advice(REMEDIES), stopping.on_request(), errors_of_parts(config):
        runner = Runner.from_cfg(cfg)
        for note in found.notes:
            runner.logger.warning(note)
        if resume and not found.path:
            # A queue that restarts a run before its first checkpoint.
            runner.logger.info(f"there is no checkpoint in {cfg.work_dir} to go on from: training starts")
        if not found.path and not _start_of(cfg):
            runner.logger.info("starts from random weights")
        runner.train()
    # Written by the first process; the others may run on machines that do not see its folder.
    written = [hook.last_ckpt for hook in runner.hooks if isinstance(hook, CheckpointHook)]
    if not written:
        raise ConfigError(f"{config} keeps no checkpoint: it has no CheckpointHook")
    # Nothing is written by a run that was done before.
    last: list[Any] = [written[0] or found.path]
    broadcast_object_list(last)
    return Path(last[0])


def _find(config: Config, resume: bool | str | Path) -> Found:
    """The checkpoint to go on from, and the configuration set to do so."""
    if not resume:
        return Found(None, {}, [])
    if resume is True:
        found = last_whole(Path(config.work_dir))
    elif Path(resume).is_file():
        found = Found(Path(resume), training_meta(Path(resume)), [])
    else:
        raise ConfigError(f"no checkpoint to resume from at {resume}")
    if found.path:
        config.resume, config.load_from = True, str(found.path)
        # Data order and prompts go on as they began; the hook of checkpoints tells of other settings.
        seed = found.meta.get("seed")
        if seed is not None and seed != config.randomness.get("seed"):
            found.notes.append(
                f"a resumed training keeps its seed: {seed} (not {config.randomness.get('seed')})"
            )
            config.randomness.seed = seed
    return found


def _set_precision(config: Config, amp: bool, dtype: str) -> None:
    if amp and dtype == "bfloat16":
        config.optim_wrapper.type = "Bfloat16OptimWrapper"
    elif amp:
        if not torch.cuda.is_available():
            raise ConfigError("float16 needs a GPU; use --amp-dtype bfloat16")
        config.optim_wrapper.update(type="AmpOptimWrapper", dtype=dtype)


def _set_start(config: Config, name: str, start: str | Path | None, from_scratch: bool) -> None:
    """Start weights from the options or the configuration; none only where that is meant."""
    if start and from_scratch:
        raise ConfigError("start weights (--from) and --from-scratch exclude each other")
    if start := start or config.get("load_from"):
        started(config).weights = {"path": str(start)}
    if from_scratch:
        started(config).weights = None
    config.load_from = None
    usual = config.get("starts_from")
    if usual and not _start_of(config) and not from_scratch:
        raise ConfigError(
            f"{name} fine-tunes trained weights and none are given. Start it with "
            f"--from {WEIGHTS[usual].file_name}, or by name with --from {usual} ('ultrasam weights fetch "
            f"{usual}' downloads it), or with --from-scratch if it has to learn everything from random "
            "weights (in Python: start=..., from_scratch=True)"
        )


def _start_of(config: Config) -> str | None:
    return (started(config).get("weights") or {}).get("path")


def _require_data(config: Config) -> None:
    missing = [str(path) for path in files_of(config, ("train", "val")) if not path.exists()]
    if missing:
        made = config.get("made_by")
        hint = (
            f"They are made by: {made}"
            if made
            else "Say where they lie: in the configuration, or with --cfg-options"
        )
        trial = "" if made and "data phantom" in made else f" To try without a download: {_TRY}"
        raise DataError(f"data to train on are not there: {', '.join(missing)}. {hint}.{trial}")
