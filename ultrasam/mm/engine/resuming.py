"""Which checkpoint a training goes on from: a whole one, with all that going on needs."""

from __future__ import annotations

import contextlib
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmdet.registry import HOOKS
from mmengine.dist import get_world_size
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from ultrasam.checkpoints.reading import read_objects
from ultrasam.errors import CheckpointError
from ultrasam.machine.process import MOST_THREADS

#: What a checkpoint of a training holds beside its weights.
_PARTS = ("state_dict", "optimizer", "meta", "message_hub")
_NAME = re.compile(r"(?:iter|epoch)_(\d+)\.pth")


def _whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _lists(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value)


def _dicts(value: Any, *keys: str) -> bool:
    return isinstance(value, Mapping) and all(isinstance(value.get(key), Mapping) for key in keys)


#: What mmengine takes from a checkpoint unseen, and what it has to be.
_FORM: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "meta.iter": lambda c: _whole(c["meta"]["iter"], 0, 2**31),
    "meta.epoch": lambda c: _whole(c["meta"].get("epoch", 0), 0, 2**31),
    "meta.seed": lambda c: c["meta"].get("seed") is None or _whole(c["meta"]["seed"], 0, 2**32 - 1),
    "meta.threads": lambda c: _whole(c["meta"].get("threads") or 1, 1, MOST_THREADS),
    "state_dict": lambda c: (
        isinstance(c["state_dict"], Mapping)
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in c["state_dict"].items())
    ),
    "optimizer": lambda c: _dicts(c["optimizer"], "state") and _lists(c["optimizer"].get("param_groups")),
    "param_schedulers": lambda c: _lists(c.get("param_schedulers") or []),
    "message_hub": lambda c: _dicts(c["message_hub"], "log_scalars", "runtime_info", "resumed_keys"),
}


class Found(NamedTuple):
    """A checkpoint to go on from.

    Attributes:
        path: the file; None where there is none at all.
        meta: what it says of its training: ``iter``, ``seed``.
        notes: what the log says of it: later ones that are not whole, and why.
    """

    path: Path | None
    meta: Mapping[str, Any]
    notes: list[str]


def numbered(folder: Path) -> list[Path]:
    """The checkpoints of a folder, the last step first."""
    steps = {path: int(match[1]) for path in folder.glob("*.pth") if (match := _NAME.fullmatch(path.name))}
    return sorted(steps, key=lambda path: steps[path], reverse=True)


def step_of(path: Path) -> int:
    """The step in the name of one of `numbered`."""
    match = _NAME.fullmatch(path.name)
    assert match
    return int(match[1])


def last_whole(work_dir: Path) -> Found:
    """The last whole checkpoint of a work directory.

    ``last_checkpoint`` is not needed, and counts only where the checkpoints lie in another folder: it may
    have been lost or cut, or name the place that the folder was in before it was moved.

    Raises:
        CheckpointError: there are checkpoints, and none is whole.
    """
    skipped: list[str] = []
    for path in numbered(work_dir) or _pointed_to(work_dir):
        try:
            return Found(path, training_meta(path), [f"not gone on from: {reason}" for reason in skipped])
        except CheckpointError as error:
            skipped.append(str(error))
    if skipped:
        raise CheckpointError(
            f"no checkpoint in {work_dir} can be gone on from: {'; '.join(skipped)}. Without --resume the "
            "training starts anew"
        )
    return Found(None, {}, [])


def _pointed_to(work_dir: Path) -> list[Path]:
    """The file that ``last_checkpoint`` names, and those beside it, the last step first."""
    with contextlib.suppress(OSError, ValueError):
        named = Path((work_dir / "last_checkpoint").read_text(encoding="utf-8").strip())
        if named.is_file():
            return [named, *(path for path in numbered(named.parent) if path != named)]
    return []


def training_meta(path: Path) -> Mapping[str, Any]:
    """What the checkpoint of a training says of it, once it is clear that one can go on from it.

    Raises:
        CheckpointError: it is cut, no checkpoint, or holds weights alone.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    if path.stat().st_size == 0:
        raise CheckpointError(f"{path} is empty (zero bytes)")
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            if file.read(2) == b"PK":
                raise CheckpointError(f"{path} is cut off (its end is missing)")
        read_objects(path)  # says what else the file is, and whether it could run code
        raise CheckpointError(f"{path} is no checkpoint of a training")
    content = read_objects(path)
    missing = [part for part in _PARTS if not isinstance(content, Mapping) or part not in content]
    if missing or not isinstance(content["meta"], Mapping) or "iter" not in content["meta"]:
        raise CheckpointError(
            f"{path} is no checkpoint of a training (it lacks {', '.join(missing) or 'meta.iter'}): weights "
            "to start a new training from are given with --from"
        )
    damaged = [name for name, is_good in _FORM.items() if not is_good(content)]
    if damaged:
        raise CheckpointError(f"{path} can't be gone on from: {', '.join(damaged)} in it is no such thing")
    return content["meta"]


@HOOKS.register_module()
class ResumeHook(Hook):
    """Says what is wrong with a checkpoint to go on from before anything takes its content; what is kept."""

    priority = "VERY_HIGH"

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Look at it.

        Raises:
            CheckpointError: one can't go on from it with this configuration.
        """
        if not runner._resume:
            return
        path = Path(runner._load_from)
        if get_world_size() == 1 and (threads := checkpoint["meta"].get("threads")):
            torch.set_num_threads(threads)  # sums are rounded by how they are shared among threads
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        check_fits(path, checkpoint, model, runner.optim_wrapper.optimizer)
        if "ema_state_dict" in checkpoint and not any(isinstance(hook, EMAHook) for hook in runner.hooks):
            raise CheckpointError(f"{path} keeps averaged weights beside its own: go on with --ema, too")
        kept = kept_settings(checkpoint, runner.optim_wrapper.optimizer, runner.param_schedulers or [])
        if kept:
            runner.logger.warning(
                f"resumed training keeps its optimizer and schedule, whatever options say: {'; '.join(kept)}"
            )


def check_fits(path: Path, content: Mapping[str, Any], model: nn.Module, optimizer: Any) -> None:
    """Whether a checkpoint is of this very network and of the same trained parameters.

    Args:
        path: the file, for the message.
        content: of the file.
        model: as the configuration builds it.
        optimizer: of PyTorch, for the model.

    Raises:
        CheckpointError: another network, or other parameters are trained.
    """
    theirs = {name.removeprefix("module."): tuple(v.shape) for name, v in content["state_dict"].items()}
    ours = {name: tuple(v.shape) for name, v in model.state_dict().items()}
    differ = [
        f"{name} is {theirs.get(name, 'missing')}, here {ours.get(name, 'not known')}"
        for name in sorted(theirs.keys() | ours.keys())
        if theirs.get(name) != ours.get(name)
    ]
    if differ:
        more = f" and {len(differ) - 3} more" if len(differ) > 3 else ""
        raise CheckpointError(
            f"{path} is of another network than the configuration's: {'; '.join(differ[:3])}{more}"
        )
    sizes = [
        [len(group["params"]) for group in groups]
        for groups in (content["optimizer"]["param_groups"], optimizer.param_groups)
    ]
    if sizes[0] != sizes[1]:
        raise CheckpointError(
            f"{path} trained {sum(sizes[0])} parameters, this configuration trains {sum(sizes[1])}: go on "
            "with the same options, or start anew with its weights (--from)"
        )


def kept_settings(content: Mapping[str, Any], optimizer: Any, schedulers: list[Any]) -> list[str]:
    """Options of the optimizer and its schedule that differ from the checkpoint's, which are kept.

    Args:
        content: of the checkpoint.
        optimizer: as the configuration builds it.
        schedulers: of the configuration.

    Returns:
        what is kept and what was asked for, a line each.
    """
    lines, theirs = [], content.get("param_schedulers") or []
    for kept, asked in zip(content["optimizer"]["param_groups"], optimizer.param_groups, strict=True):
        # The rate now follows from the first one and the schedule.
        names = [n for n in kept if n not in ("params", "lr") and n in asked] + ["lr"] * (
            "initial_lr" not in kept
        )
        lines += [f"{name} {kept[name]} (not {asked[name]})" for name in names if kept[name] != asked[name]]
    for state, scheduler in zip(theirs, schedulers, strict=False):
        fresh = scheduler.state_dict()
        names = [n for n in state if n not in _PROGRESS and not n.startswith("_")]
        lines += [
            f"{type(scheduler).__name__}'s {name} {state[name]} (not {fresh.get(name)})"
            for name in names
            if state[name] != fresh.get(name)
        ]
    if len(theirs) != len(schedulers):
        lines.append(f"{len(theirs)} schedules (not {len(schedulers)})")
    return list(dict.fromkeys(lines))


#: Of a schedule's state, what changes while it runs, or follows from the rate.
_PROGRESS = ("last_step", "base_values", "verbose")
