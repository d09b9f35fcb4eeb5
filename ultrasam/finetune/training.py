"""The loop: a batch, the losses of a corrected session, a step; restarts go on where they stopped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ultrasam import preprocess
from ultrasam.checkpoints.reading import errors_name, read_objects
from ultrasam.checkpoints.writing import write_objects
from ultrasam.data import coco
from ultrasam.errors import CheckpointError, Interrupted, UltraSamError
from ultrasam.finetune.batches import Batch, draw_batch
from ultrasam.losses import MaskLoss, session_losses
from ultrasam.machine import stopping
from ultrasam.machine.process import MOST_THREADS
from ultrasam.modeling.adapt.tuning import adapt
from ultrasam.modeling.sam import Sam
from ultrasam.predict.predictor import Predictor
from ultrasam.prompts.refine import Correction, correct

Mode = Literal["full", "decoder", "lora", "adapter"]
#: Learning rates of weights that were trained before.
RATES: dict[Mode, float] = {"full": 1e-4, "decoder": 3e-4, "lora": 2e-4, "adapter": 2e-4}
#: New matrices in the encoder start from zero and take a larger one.
_NEW_PARTS = 5.0
_LOSS = MaskLoss(select="loss", supervise_all_iou=True)
_SESSION = Correction(rounds=2, clicks=0.5)
_WARM_UP, _SAVE_EVERY = 20, 50


@dataclass(frozen=True)
class Recipe:
    """How a model is fine-tuned.

    Attributes:
        mode: what is trained: everything; the mask decoder alone, on embeddings computed once; a LoRA or
            adapters on the image encoder together with the decoder.
        steps: optimizer steps.
        batch_size: images a step.
        per_object: prompts drawn for each object of an image.
        lr: the highest learning rate, five times that for a LoRA or adapters; warmed up, then a cosine to
            zero.
        seed: of everything random.
        amp: bfloat16 where that is safe.
        checkpointing: recompute the encoder's activations in the backward pass to save memory.
    """

    mode: Mode
    steps: int
    batch_size: int
    lr: float
    seed: int = 0
    per_object: int = 2
    amp: bool = False
    checkpointing: bool = False


def prepare(model: Sam, recipe: Recipe) -> None:
    """Choose what is trained: ``requires_grad`` of every parameter, new parts where the mode has some."""
    model.requires_grad_(recipe.mode == "full")
    if recipe.mode in ("lora", "adapter"):
        adapt(model.image_encoder, recipe.mode)
    model.mask_decoder.requires_grad_(True)
    model.image_encoder.checkpointing = recipe.checkpointing


def train(
    predictor: Predictor, items: Sequence[coco.CocoImage], recipe: Recipe, state_file: Path
) -> list[float]:
    """Train the predictor's model in place; a state file of an interrupted run is gone on from.

    Returns:
        the loss of every step.

    Raises:
        UltraSamError: a loss or its gradient is not finite; what was kept before is as it was.
        Interrupted: the process was asked to stop (`ultrasam.machine.stopping`); the state is kept.
        CheckpointError: the state file is of no such training.
    """
    model = predictor.model
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(_groups(trained, recipe), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, recipe.steps))
    losses = _resume(state_file, trained, optimizer, schedule)
    bar = tqdm(range(len(losses), recipe.steps), "training", recipe.steps, initial=len(losses), unit="step")
    with stopping.on_request():
        for step in bar:
            # A step depends on its number alone, so that an interrupted run ends as an uninterrupted one.
            torch.manual_seed(recipe.seed * 1_000_003 + step)
            batch = draw_batch(
                items,
                *(model.img_size, step, recipe.batch_size, recipe.per_object, recipe.seed),
                mask_stride=model.mask_stride,
                closer=predictor.closer,
            )
            loss = _loss(predictor, batch, recipe)
            optimizer.zero_grad()
            _require_finite("loss", loss, step, batch, recipe)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(trained.values(), 1.0)
            _require_finite("gradient", norm, step, batch, recipe)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
            bar.set_postfix_str(f"loss {losses[-1]:.3f}")
            asked = stopping.requested()
            if asked or (step + 1) % _SAVE_EVERY == 0 or step + 1 == recipe.steps:
                _save(state_file, trained, optimizer, schedule, losses)
            if asked:
                raise Interrupted(
                    f"{asked} asked to stop: step {step + 1} is kept in {state_file}; "
                    "the same command goes on"
                )
    return losses


def _require_finite(what: str, value: Tensor, step: int, batch: Batch, recipe: Recipe) -> None:
    if not value.isfinite():
        raise UltraSamError(
            f"the {what} of step {step + 1} is {value.item()}, with {', '.join(batch.names)}. Either the "
            f"rate is too high (start again with a lower --lr than {recipe.lr:g}), or there is something "
            "wrong with these images"
        )


def _loss(predictor: Predictor, batch: Batch, recipe: Recipe) -> Tensor:
    """The losses of the first and the corrected prediction, single mask and best of three."""
    model = predictor.model.train()
    device = model.device
    prompts, targets = batch.prompts.to(device), batch.targets.to(device)
    if recipe.mode == "decoder":
        embeddings = predictor.embedder.embed(batch.images)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=recipe.amp):
        if recipe.mode != "decoder":
            how = model.usage.normalization
            inputs = [
                preprocess.to_input(image, model.img_size, normalization=how)[0] for image in batch.images
            ]
            embeddings = model.encode_images(torch.stack(inputs).to(device))
        session = correct(model, embeddings, prompts, targets, _SESSION)
        terms = session_losses(_LOSS, session, targets)
    model.eval()
    return torch.stack(list(terms.values())).sum()


def _groups(trained: dict[str, nn.Parameter], recipe: Recipe) -> list[dict[str, Any]]:
    """Parameters with their learning rates: those that were trained before, and new ones."""
    new = [n for n in trained if recipe.mode in ("lora", "adapter") and n.startswith("image_encoder.")]
    groups: list[dict[str, Any]] = [
        {"params": [p for n, p in trained.items() if n not in new], "lr": recipe.lr}
    ]
    if new:
        groups.append({"params": [trained[n] for n in new], "lr": _NEW_PARTS * recipe.lr})
    return groups


def _rate(step: int, steps: int) -> float:
    """Share of the learning rate: linear warm-up, then half a cosine."""
    warm_up = min(_WARM_UP, steps // 4)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(steps - warm_up, 1)))


def _save(path: Path, trained: dict[str, nn.Parameter], *parts: Any) -> None:
    *stateful, losses = parts
    state = {
        "trained": {name: p.detach() for name, p in trained.items()},
        "parts": [part.state_dict() for part in stateful],
        "losses": losses,
        "threads": torch.get_num_threads(),
    }
    write_objects(state, path)


def _resume(path: Path, trained: dict[str, nn.Parameter], *stateful: Any) -> list[float]:
    """Bring everything to where the file left it; the losses so far, none where there is no file."""
    for part in path.parent.glob(f".{path.name}.*.part"):
        part.unlink(missing_ok=True)  # half of one, left by a run that was killed
    if not path.is_file():
        return []
    with errors_name(path, " can't be gone on from, remove it to start anew: "):
        state = read_objects(path)
    if not isinstance(state, dict) or state.keys() != {"trained", "parts", "losses", "threads"}:
        raise CheckpointError(f"{path} is no state of a fine-tuning; remove it to start anew")
    threads = state["threads"]
    if not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
        raise CheckpointError(f"{path} is damaged ({threads!r} threads); remove it to start anew")
    shapes = [{name: tuple(p.shape) for name, p in params.items()} for params in (state["trained"], trained)]
    if shapes[0] != shapes[1]:
        raise CheckpointError(
            f"{path} is the state of another model or of other trained parameters; remove it to start anew"
        )
    with torch.no_grad():
        for name, value in state["trained"].items():
            trained[name].copy_(value)
    for part, content in zip(stateful, state["parts"], strict=True):
        part.load_state_dict(content)
    # Sums are rounded by how they are shared among threads.
    torch.set_num_threads(threads)
    return list(state["losses"])
