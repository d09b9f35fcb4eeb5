"""The network as an MMDetection detector: unpack data samples, call the model, pack results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from mmdet.models import BaseDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from torch import Tensor

from ultrasam import checkpoints
from ultrasam.data.boxes import tight_boxes
from ultrasam.losses import MaskLoss, session_losses
from ultrasam.mm.models.preprocessor import PromptDataPreprocessor
from ultrasam.modeling.adapt import tuning
from ultrasam.modeling.adapt.lora import merge_lora
from ultrasam.modeling.build import build_ultrasam
from ultrasam.preprocess import Geometry, Postprocessing, to_masks
from ultrasam.prompts.refine import Correction, Refinement, correct, interact
from ultrasam.types import ModelUsage, Prediction, Prompts


@MODELS.register_module()
class UltraSam(BaseDetector):
    """Promptable segmenter: one prompt in, one mask and its predicted IoU out.

    Args:
        network: arguments of `build_ultrasam`.
        loss: arguments of `MaskLoss`.
        train_refine: arguments of `Refinement` in training.
        train_correct: arguments of `Correction`, to train with simulated corrections instead of
            ``train_refine``.
        test_refine: arguments of `Refinement` in testing.
        postprocess: ``logits`` or ``official``, see `ultrasam.preprocess`.
        weights: where training starts: ``path`` and, if need be, ``fold_residual`` of `checkpoints.load`.
        usage: what the trained weights want to be used with, arguments of `ModelUsage`; as the start weights
            where None.
        adapt: train a few new parameters of the image encoder, arguments of `ultrasam.modeling.adapt.adapt`,
            and the decoder; ``decoder=False`` freezes that too, as published.
        data_preprocessor: configuration of `PromptDataPreprocessor`.
        backbone: not used; MMDetection's ``init_detector`` looks for it in a configuration.
        init_cfg: not used; weights come by ``weights``.
    """

    def __init__(
        self,
        network: dict[str, Any],
        loss: dict[str, Any] | None = None,
        train_refine: dict[str, Any] | None = None,
        train_correct: dict[str, Any] | None = None,
        test_refine: dict[str, Any] | None = None,
        postprocess: Postprocessing = "logits",
        weights: dict[str, Any] | None = None,
        usage: dict[str, Any] | None = None,
        adapt: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
        backbone: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.sam = build_ultrasam(**network)
        self.mask_loss = MaskLoss(**(loss or {}))
        self.train_refine = Refinement(**(train_refine or {}))
        self.train_correct = None if train_correct is None else Correction(**train_correct)
        self.test_refine = Refinement(**(test_refine or {}))
        self.postprocess: Postprocessing = postprocess
        if weights and weights.get("path"):
            self.load_weights(**weights)
        if usage:
            self.sam.usage = ModelUsage(**usage)
        if isinstance(self.data_preprocessor, PromptDataPreprocessor):
            self.data_preprocessor.normalization = self.sam.usage.normalization
        if adapt:
            self._adapt(**adapt)

    def load_weights(self, path: str, fold_residual: bool | None = None) -> None:
        """Load a weight file of any known kind, strictly; the log says what was loaded."""
        merge_lora(self.sam.image_encoder)  # a LoRA in the file is merged as well
        print_log(
            str(checkpoints.load_file_into(self.sam, path, fold_residual=fold_residual)), logger="current"
        )

    def _adapt(self, decoder: bool = True, **options: Any) -> None:
        self.sam.requires_grad_(False)
        tuning.adapt(self.sam.image_encoder, **options)
        self.sam.mask_decoder.requires_grad_(decoder)
        print_log(tuning.trained_parameters(self), logger="current")

    def extract_feat(self, batch_inputs: Tensor) -> Tensor:
        """Images (B, 3, S, S) -> embeddings (B, C, h, w)."""
        return self.sam.encode_images(batch_inputs)

    def loss(self, batch_inputs: Tensor, batch_data_samples: Sequence[DetDataSample]) -> dict[str, Tensor]:
        """The losses of every pass: ``pass0.loss_focal`` and so on."""
        prompts = Prompts.of_images([sample.prompts for sample in batch_data_samples])
        targets = torch.cat([sample.gt_instances.targets for sample in batch_data_samples])
        count = _mean_over_processes(len(targets), batch_inputs.device)
        embeddings = self.extract_feat(batch_inputs)
        if self.train_correct is None:
            passes = interact(self.sam, embeddings, prompts, self.train_refine)
        else:
            passes = correct(self.sam, embeddings, prompts, targets, self.train_correct)
        return session_losses(self.mask_loss, passes, targets, count)

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[DetDataSample], rescale: bool = True
    ) -> Sequence[DetDataSample]:
        """Add ``pred_instances``, one a prompt.

        They are ``masks`` (n, H, W) bool of the original size, in the CPU's memory, ``bboxes`` (n, 4),
        ``scores`` and ``labels``.
        """
        prompts = Prompts.of_images([sample.prompts for sample in batch_data_samples])
        geometries = [sample.geometry for sample in batch_data_samples]
        embeddings = self.extract_feat(batch_inputs)

        def box_of(logits: Tensor) -> Tensor:
            return self._boxes_in_input(logits, prompts.image_index, geometries)

        for prediction in interact(self.sam, embeddings, prompts, self.test_refine, box_of):
            last = prediction
        last = last.best()
        for index, sample in enumerate(batch_data_samples):
            rows = prompts.image_index == index
            sample.pred_instances = self._instances(Prediction(last.logits[rows], last.iou[rows]), sample)
        return batch_data_samples

    def _forward(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[DetDataSample]
    ) -> tuple[Tensor, Tensor]:
        """Logits (N, 3, 4h, 4w) and predicted IoU (N, 3) of a single pass."""
        prompts = Prompts.of_images([sample.prompts for sample in batch_data_samples])
        prediction = self.sam.decode(self.extract_feat(batch_inputs), prompts, multimask=True)
        return prediction.logits, prediction.iou

    def _instances(self, prediction: Prediction, sample: DetDataSample) -> InstanceData:
        masks = torch.zeros(len(prediction.logits), *sample.ori_shape, dtype=torch.bool)
        for number, logits in enumerate(prediction.logits):
            # One at a time: the logits of many masks of a large image would fill the memory.
            masks[number] = to_masks(logits[None], sample.geometry, self.postprocess)[0, 0].cpu()
        return InstanceData(
            masks=masks,
            bboxes=_on_device([tight_boxes(masks.numpy())], prediction.iou),
            scores=prediction.iou[:, 0].float(),
            labels=torch.zeros(len(masks), dtype=torch.long, device=prediction.iou.device),
        )

    def _boxes_in_input(self, logits: Tensor, image_index: Tensor, geometries: Sequence[Geometry]) -> Tensor:
        boxes = []
        for row, index in zip(logits, image_index.tolist(), strict=True):
            mask = to_masks(row[None], geometries[index], self.postprocess)[0]
            scale = np.array(geometries[index].scale * 2, dtype=np.float32)
            boxes.append(tight_boxes(mask.cpu().numpy()).astype(np.float32) * scale)
        return _on_device(boxes, logits)


def _on_device(boxes: Sequence[np.ndarray], like: Tensor) -> Tensor:
    """Boxes of some objects as one tensor (N, 4) float32 where another tensor is."""
    return torch.from_numpy(np.concatenate([*boxes, np.zeros((0, 4), np.float32)])).float().to(like.device)


def _mean_over_processes(count: int, device: torch.device) -> Tensor | float:
    """What sums over prompts are divided by, so that several processes step as one with all prompts."""
    if not (dist.is_available() and dist.is_initialized()):
        return float(max(count, 1))
    total = torch.tensor(float(count), device=device)
    dist.all_reduce(total)
    return (total / dist.get_world_size()).clamp(min=1e-6)
