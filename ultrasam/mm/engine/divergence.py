"""Training ends where its loss is not a number any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ultrasam.errors import UltraSamError


@HOOKS.register_module()
class StopAtNonFiniteHook(Hook):
    """Stop at a loss or a prediction that is infinite or NaN, at that very step and before it is saved."""

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Look at the loss of the step.

        Raises:
            UltraSamError: it is not finite; names the step and the images.
        """
        loss = (outputs or {}).get("loss")
        if loss is not None and not torch.as_tensor(loss).isfinite().all():
            samples = (data_batch or {}).get("data_samples", ())
            raise _diverged(
                f"the loss of step {runner.iter + 1} is {torch.as_tensor(loss).detach().item()}", samples
            )

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[Any] | None = None
    ) -> None:
        """Look at the scores of the predictions.

        Raises:
            UltraSamError: one is NaN.
        """
        for sample in outputs or ():
            scores = getattr(getattr(sample, "pred_instances", None), "scores", None)
            if scores is not None and scores.isnan().any():
                raise _diverged(f"after step {runner.iter} the model predicts NaN", [sample])


def _diverged(what: str, samples: Sequence[Any]) -> UltraSamError:
    images = [f"{getattr(s, 'img_path', '?')} (id {getattr(s, 'img_id', '?')})" for s in samples]
    return UltraSamError(
        f"{what}, with {', '.join(images) or 'no image'}. Either the learning rate is too high "
        "(optim_wrapper.optimizer.lr), or there is something wrong with these images. Checkpoints of earlier "
        "steps are as they were"
    )
