"""A training step of ViT-b at 1024 px.

The peer is the published behavior: segment-anything's network, eager, its decoder on 20 slots of which one
holds an object, in both passes; plain AdamW in float32.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ultrasam.losses import MaskLoss
from ultrasam.machine.torchvision_compat import bridge_torchvision
from ultrasam.modeling.build import build_ultrasam
from ultrasam.preprocess import normalize
from ultrasam.prompts.refine import Refinement, interact
from ultrasam.types import Prediction, Prompts

from .harness import Bench, main

SLOTS = 20


def batch(size: int) -> tuple[Tensor, Tensor, Tensor]:
    """An image (1, 3, S, S) uint8, a box (1, 4) and its target (1, S/4, S/4)."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (1, 3, size, size), generator=generator, dtype=torch.uint8)
    box = torch.tensor([[0.3, 0.3, 0.7, 0.6]]) * size
    target = torch.zeros(1, size // 4, size // 4, dtype=torch.uint8)
    x1, y1, x2, y2 = (box[0] / 4).int().tolist()
    target[:, y1:y2, x1:x2] = 1
    return image, box, target


def loss_of(predictions: list[Prediction], target: Tensor) -> Tensor:
    criterion = MaskLoss()
    return torch.stack([value for p in predictions for value in criterion(p, target).values()]).sum()


class Padded(nn.Module):
    """segment-anything's modules on 20 slots, as the published training runs them."""

    def __init__(self) -> None:
        super().__init__()
        bridge_torchvision()
        from segment_anything import sam_model_registry

        self.sam = sam_model_registry["vit_b"]()

    def forward(self, image: Tensor, box: Tensor, target: Tensor) -> Tensor:
        embedding = self.sam.image_encoder(normalize(image))
        boxes, masks, predictions = box.expand(SLOTS, 4), None, []
        for number in range(2):
            sparse, dense = self.sam.prompt_encoder(points=None, boxes=boxes, masks=masks)
            logits, iou = self.sam.mask_decoder(
                embedding, self.sam.prompt_encoder.get_dense_pe(), sparse, dense, multimask_output=number == 1
            )
            masks = logits
            predictions.append(Prediction(logits[:1], iou[:1]))
        return loss_of(predictions, target)


class Ours(nn.Module):
    """Real instances alone; the arguments of `build_ultrasam` beside."""

    def __init__(self, size: int, variant: str, checkpointing: bool = False) -> None:
        super().__init__()
        self.sam = build_ultrasam(variant, img_size=size, checkpointing=checkpointing)

    def forward(self, image: Tensor, box: Tensor, target: Tensor) -> Tensor:
        embedding = self.sam.encode_images(normalize(image))
        prompts = Prompts(image_index=torch.zeros(1, dtype=torch.long), boxes=box)
        return loss_of(list(interact(self.sam, embedding, prompts, Refinement(passes=1))), target)


def step_of(model: nn.Module, data: tuple[Tensor, ...], **optimizer: bool) -> Callable[[], None]:
    adam = torch.optim.AdamW(model.parameters(), lr=1e-4, **optimizer)

    def step() -> None:
        adam.zero_grad(set_to_none=True)
        model(*data).backward()
        adam.step()

    return step


def measure(bench: Bench) -> None:
    size, variant = (256, "vit_t") if bench.quick else (1024, "vit_b")
    data = batch(size)
    torch.manual_seed(0)
    ways = {"ultrasam": step_of(Ours(size, variant), data, fused=True)}
    if not bench.quick:
        ways = {"eager, 20 slots": step_of(Padded(), data), **ways}
    bench.compare(
        f"{variant} at {size} px, one image with one object, two passes, float32",
        ways,
        ours="ultrasam",
        goals={"eager, 20 slots": 1.25},
        rounds=2,
        warm_up=False,
    )


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, "training"))
