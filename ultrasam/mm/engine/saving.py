"""Checkpoints that are whole, of whole steps and finite; and the end of a training that is asked to stop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import HOOKS
from mmengine.dist import all_reduce, barrier, get_world_size, is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.runner import Runner

from ultrasam.data.files import write_bytes, write_text
from ultrasam.errors import Interrupted, UltraSamError
from ultrasam.machine import stopping
from ultrasam.mm.engine import resuming


@register_backend("whole", force=True)
class WholeFiles(LocalBackend):
    """The local disk; a file is written whole or not at all."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file.

        Raises:
            UltraSamError: it can't be written, such as on a full disk; what was there is as it was.
        """
        write_bytes(filepath, obj)


@HOOKS.register_module()
class WholeCheckpointHook(CheckpointHook):
    """mmengine's hook; a training can go on from what it leaves, whenever and however it ends.

    - A file is written whole or not at all, and an older one is removed after that.
    - Where gradients are accumulated, a checkpoint waits for the update of the parameters.
    - Parameters that are not finite are not kept.
    - A work directory holds one run: checkpoints of later steps than the one where training starts are set
      aside, into a folder ``earlier_...``.
    - Asked to stop (`ultrasam.machine.stopping`), training ends at the next step with a checkpoint.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"backend_args": {"backend": "whole"}, **kwargs})
        self._due = False

    def before_train(self, runner: Runner) -> None:
        """Make room for this run, and leave signals to this process."""
        super().before_train(runner)
        if is_main_process():
            _set_aside(Path(self.out_dir), runner)
        loaders = [runner.train_dataloader]
        if runner.val_loop is not None:
            loaders.append(runner.val_loop.dataloader)
        for loader in loaders:
            loader.worker_init_fn = partial(_init_worker, loader.worker_init_fn)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Save where it is time or training is asked to stop, once gradients are used up."""
        if self.by_epoch:
            return
        asked = _asked_of_any()
        self._due |= (
            asked
            or self.every_n_train_iters(runner, self.interval, self.save_begin)
            or (self.save_last and self.is_last_train_iter(runner))
        )
        if not self._due or not runner.optim_wrapper.should_update():
            return
        self._due = False
        runner.logger.info(f"Saving checkpoint at {runner.iter + 1} iterations")
        self._save_checkpoint(runner)
        if asked:
            self._stop(runner, runner.iter + 1)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Don't wait for the end of a validation; several processes do, which may not all be at one place."""
        if self.by_epoch or get_world_size() > 1 or not stopping.requested():
            return
        if not runner.optim_wrapper.should_update():
            return
        if self.last_ckpt is None or Path(self.last_ckpt).name != self.filename_tmpl.format(runner.iter):
            for hook in runner.hooks:
                if isinstance(hook, EMAHook):  # the averaged weights are in the model while it is scored
                    hook._swap_ema_parameters()
            self._save_checkpoint_with_step(runner, runner.iter, {"epoch": runner.epoch, "iter": runner.iter})
        self._stop(runner, runner.iter)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Note what the last bits depend on."""
        checkpoint["meta"]["threads"] = torch.get_num_threads()

    def _stop(self, runner: Runner, step: int) -> None:
        barrier()  # the file has to be there before the first process ends and takes the others along
        raise Interrupted(
            f"{stopping.requested() or 'another process'} asked to stop: step {step} is kept in "
            f"{self.last_ckpt}; the same command with --resume goes on"
        )

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """Save; after that, point to it and remove what is not kept (mmengine removes first)."""
        _require_finite(runner, step)
        name = self.filename_tmpl.format(step)
        path = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info("last_ckpt", path)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        self.last_ckpt = path
        if is_main_process():
            write_text(Path(runner.work_dir, "last_checkpoint"), str(path))
            if self.max_keep_ckpts > 0:
                for old in resuming.numbered(Path(self.out_dir))[self.max_keep_ckpts :]:
                    old.unlink(missing_ok=True)


def _asked_of_any() -> bool:
    """Whether a process of this training was asked to stop; the same answer in all of them."""
    asked = torch.tensor(float(stopping.requested() is not None))
    all_reduce(asked, "max")
    return bool(asked)


def _require_finite(runner: Runner, step: int) -> None:
    for name, value in runner.model.state_dict().items():
        if value.is_floating_point() and not value.isfinite().all():
            raise UltraSamError(
                f"training has diverged: {name} is not finite after step {step}, which was not kept. Go on "
                "from an earlier checkpoint (--resume FILE), or start anew, with a lower rate "
                "(optim_wrapper.optimizer.lr)"
            )


def _set_aside(folder: Path, runner: Runner) -> None:
    """Move checkpoints of later steps out of the way, and remove what a killed run left half-written."""
    for part in folder.glob(".*.pth.*.part"):
        part.unlink(missing_ok=True)
    later = [path for path in resuming.numbered(folder) if resuming.step_of(path) > runner.iter]
    if later:
        aside = folder / f"earlier_{runner.timestamp}"
        aside.mkdir(exist_ok=True)
        for path in later:
            path.rename(aside / path.name)
        runner.logger.warning(
            f"training starts at step {runner.iter}: {', '.join(path.name for path in reversed(later))} of "
            f"an earlier run now in {aside}"
        )


def _init_worker(inner: Callable[[int], None] | None, worker_id: int) -> None:
    stopping.leave_to_parent()
    if inner:
        inner(worker_id)
