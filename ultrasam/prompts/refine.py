"""Sessions with a model: a prediction is fed back as a mask prompt, once or often; clicks are added."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ultrasam.errors import UltraSamError
from ultrasam.types import Array, Prediction, Prompts

if TYPE_CHECKING:
    from torch import Tensor

    from ultrasam.modeling.sam import Sam


class Decoder(Protocol[Array]):
    """What asks a network for masks: a `Sam`, or the same network in another runtime."""

    def decode(
        self, embeddings: Array, prompts: Prompts[Array], *, multimask: bool | None
    ) -> Prediction[Array]:
        """As `Sam.decode`."""


@dataclass(frozen=True)
class Refinement:
    """How often and how a prediction is refined.

    Attributes:
        passes: passes after the first one; 0 for none.
        first_multimask: several masks in the first of several passes; the published model offers one there
            and several in the last pass.
        detach: no gradient through the fed-back logits. The published training lets it flow.
        box_after_point: replace a point by the box of the first mask in later passes, as the published test
            does (its training does not).
    """

    passes: int = 1
    first_multimask: bool = False
    detach: bool = False
    box_after_point: bool = False

    def __post_init__(self) -> None:
        if self.passes < 0:
            raise UltraSamError(f"a mask is fed back 0 times or more, not {self.passes}")


def interact(
    model: Decoder[Array],
    embeddings: Array,
    prompts: Prompts[Array],
    refinement: Refinement,
    box_of: Callable[[Array], Array] | None = None,
) -> Iterator[Prediction[Array]]:
    """Decode, feed the logits back, decode again; training and prediction run the same loop.

    Args:
        model: the segmenter.
        embeddings: (B, C, h, w) of the images, computed once.
        prompts: N prompts in pixels of the input.
        refinement: how often and how.
        box_of: logits (N, 1, 4h, 4w) to boxes (N, 4) xyxy in the input, for ``box_after_point``.

    Yields:
        The prediction of each pass; the last offers several masks.
    """
    for number in range(refinement.passes + 1):
        last = number == refinement.passes
        prediction = model.decode(embeddings, prompts, multimask=last or refinement.first_multimask)
        yield prediction
        if last:
            return
        logits: Any = prediction.best().logits
        if refinement.box_after_point and box_of is not None and number == 0:
            prompts = box_instead_of_point(prompts, box_of(logits))
        prompts = prompts.with_masks(logits.detach() if refinement.detach else logits)


def box_instead_of_point(prompts: Prompts[Array], boxes: Array) -> Prompts[Array]:
    """Prompts where objects without a box have ``boxes`` (N, 4) in place of their points."""
    if prompts.points is None:
        return prompts
    if prompts.boxes is not None:
        # NaN, which no number equals, stands for no box.
        given = (prompts.boxes == prompts.boxes).all(1)
        boxes = boxes + 0
        boxes[given] = prompts.boxes[given]
    return replace(prompts, points=None, labels=None, boxes=boxes)


@dataclass(frozen=True)
class Correction:
    """How a user who corrects masks is simulated in training (Kirillov et al. 2023, appendix A, shortened).

    The first prediction is trained; then up to ``rounds - 1`` rounds run without gradients, and one more is
    trained, so that any number of clicks costs about as much as two passes.

    Attributes:
        rounds: most rounds of correction, drawn anew for each step from 1 to this.
        clicks: probability that an object is clicked in a round; without a click the mask alone is fed back.
    """

    rounds: int = 4
    clicks: float = 0.75


def correct(
    model: Sam, embeddings: Tensor, prompts: Prompts, targets: Tensor, correction: Correction
) -> Iterator[Prediction]:
    """The first and the last prediction of a session with corrections, all four masks of each prompt.

    Random numbers come from torch's default generator.

    Args:
        model: the segmenter.
        embeddings: (B, C, h, w) of the images.
        prompts: N prompts in pixels of the input.
        targets: (N, 4h, 4w), 0 or 1.
        correction: how many rounds, how many clicks.

    Yields:
        predictions (N, 4, 4h, 4w): the single mask, then the three for ambiguous prompts.
    """
    import torch

    from ultrasam.prompts.clicks import add_clicks

    rng = np.random.default_rng(int(torch.randint(2**31, ())))
    prediction = model.decode(embeddings, prompts, multimask=None)
    yield prediction
    rounds = int(rng.integers(1, correction.rounds + 1))
    for number in range(rounds):
        logits = prediction.single().logits.detach().float()
        rows = rng.random(len(prompts)) < correction.clicks
        prompts = add_clicks(prompts, logits, targets, rows, rng, model.mask_stride).with_masks(logits)
        with torch.set_grad_enabled(torch.is_grad_enabled() and number == rounds - 1):
            # Mixed precision keeps its casts of weights; those made without gradients would have none later.
            torch.clear_autocast_cache()
            prediction = model.decode(embeddings, prompts, multimask=None)
    yield prediction
