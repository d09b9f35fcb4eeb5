"""What a training step of ViT-b at 1024 px keeps of an image for the backward pass.

Counted, not timed: every storage that autograd saves, once, those of parameters left out. The peer is that of
the training benchmark.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from .harness import Bench, main
from .training import Ours, Padded, batch


def saved_mib(model: nn.Module, data: tuple[Tensor, ...], bfloat16: bool) -> float:
    """MiB of activations that a forward pass keeps."""
    parameters = {p.untyped_storage().data_ptr() for p in model.parameters()}
    # Autocast keeps the weights in half precision too, once for all images of a batch. The position table is
    # added, not kept, and has the shape of what the blocks hand on.
    weights = [p for name, p in model.named_parameters() if not name.endswith("pos_embed")]
    shapes = {tuple(sorted(p.shape)) for p in weights}
    kept: dict[int, int] = {}
    alive = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        cast = tensor.dtype == torch.bfloat16 and tuple(sorted(tensor.shape)) in shapes
        if storage.data_ptr() not in parameters and not cast:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)  # so that no other tensor gets its address
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=bfloat16),
        _inputs_of_checkpoints(model, pack),
    ):
        model(*data)
    return sum(kept.values()) / 2**20


@contextlib.contextmanager
def _inputs_of_checkpoints(model: nn.Module, pack: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Checkpoints keep their inputs outside autograd's sight."""
    encoder = model.sam.image_encoder

    def before(block: nn.Module, inputs: tuple[Tensor]) -> None:
        pack(inputs[0])

    hooks = []
    if getattr(encoder, "checkpointing", False):
        hooks = [block.register_forward_pre_hook(before) for block in encoder.blocks]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def as_on_a_gpu(model: Ours) -> Ours:
    """Attention over the whole grid by concatenation, the variant that training on a GPU chooses."""
    for block in model.sam.image_encoder.blocks:
        if not block.attn.window_size:
            block.attn.implementation = "concatenated"
    return model


def measure(bench: Bench) -> None:
    size, variant = (256, "vit_t") if bench.quick else (1024, "vit_b")
    data = batch(size)
    peer, half, light = "eager, 20 slots, float32", "ultrasam, bfloat16", "ultrasam, bfloat16, checkpointing"
    ways: dict[str, tuple[Callable[[], nn.Module], bool]] = {
        "ultrasam, float32": (lambda: as_on_a_gpu(Ours(size, variant)), False),
        half: (lambda: as_on_a_gpu(Ours(size, variant)), True),
        light: (lambda: as_on_a_gpu(Ours(size, variant, checkpointing=True)), True),
    }
    if not bench.quick:
        ways = {peer: (Padded, False), **ways}
    mib = {name: [saved_mib(make(), data, bfloat16)] for name, (make, bfloat16) in ways.items()}
    bench.record(f"{variant} at {size} px, one object", "MiB", mib, ours=half, goals={peer: 3.0})
    if peer in mib:
        ratio = mib[peer][0] / mib[light][0]
        bench.fact("With checkpointing, times less than the peer", ratio, "at least 15", ratio >= 15)


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, "activations"))
