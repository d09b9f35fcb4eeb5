"""What a network runs in, behind one interface: PyTorch, or onnxruntime where PyTorch is not wanted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ultrasam.prompts.refine import Refinement
from ultrasam.types import ModelUsage, Prediction, Prompts

#: ``auto`` is onnxruntime where it is the quicker one or the only one, else PyTorch.
EngineName = Literal["torch", "onnx", "auto"]
#: Logits (N, 1, 4h, 4w) to boxes (N, 4) float32 xyxy in the input.
BoxOf = Callable[[NDArray[Any]], NDArray[Any]]


class Engine(ABC):
    """A loaded network. Any number of threads may ask it at once.

    Embeddings, (B, C, h, w), are of the engine's own kind; everything else goes in and out as arrays.

    Attributes:
        img_size: S, side of the square input in pixels.
        mask_size: (4h, 4w) of mask logits.
        usage: what the weights want to be used with.
        precision: of the encoder, as part of the names of embeddings on disk.
    """

    img_size: int
    mask_size: tuple[int, int]
    usage: ModelUsage
    precision: str = "None"

    @property
    @abstractmethod
    def device(self) -> Any:
        """Where it runs: PyTorch's device, or ``cpu`` or ``cuda``."""

    @property
    def batch(self) -> int:
        """Images that it pays to encode together."""
        return 1

    @abstractmethod
    def fingerprint(self) -> str:
        """A digest of the parameters: embeddings of other weights are never mistaken for its own."""

    @abstractmethod
    def encode(self, inputs: Any) -> Any:
        """Network inputs (B, 3, S, S) float32 -> embeddings (B, C, h, w)."""

    @abstractmethod
    def join(self, parts: Sequence[Any]) -> Any:
        """Embeddings, or arrays of them, as those of one batch."""

    @abstractmethod
    def array(self, features: Any) -> NDArray[np.float32]:
        """Embeddings as an array."""

    def propose(self, features: Any) -> NDArray[np.float32] | None:
        """Maps (B, 5, 2h, 2w) of boxes that need no prompt, see `ultrasam.predict.proposals`.

        None where the model has no head for them.

        Args:
            features: (B, C, h, w).
        """
        return None

    @abstractmethod
    def decode(
        self,
        features: Any,
        prompts: Prompts[NDArray[Any]],
        *,
        multimask: bool,
        best: bool = False,
        refinement: Refinement | None = None,
        box_of: BoxOf | None = None,
    ) -> Prediction[NDArray[Any]]:
        """Masks of N prompts on B encoded images.

        Args:
            features: (B, C, h, w).
            prompts: N prompts in pixels of the input.
            multimask: three masks a prompt instead of one.
            best: only the mask with the highest predicted IoU: M is 1.
            refinement: feed each prediction back as a mask prompt; see `ultrasam.prompts.refine.interact`.
            box_of: for refinement that replaces points by boxes.
        """
