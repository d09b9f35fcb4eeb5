"""A `Sam` in PyTorch as the engine of predictors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ultrasam.errors import CheckpointError, UltraSamError
from ultrasam.modeling.box_head import BoxHead
from ultrasam.modeling.sam import Sam
from ultrasam.predict import head_files
from ultrasam.predict.embeddings_cache import fingerprint
from ultrasam.predict.engine import BoxOf, Engine
from ultrasam.prompts.refine import Refinement, interact
from ultrasam.types import Prediction, Prompts

#: Images that a GPU encodes together; a CPU gains nothing from more than one.
_ON_A_GPU = 8


class TorchEngine(Engine):
    """Runs a model where it is.

    Args:
        model: the model.
        dtype: half precision for the encoder, None for the model's own.
        weights: the file that the model is from; heads for it may lie beside.
    """

    def __init__(self, model: Sam, dtype: torch.dtype | None = None, weights: Path | None = None) -> None:
        if dtype not in (None, torch.bfloat16, torch.float16, torch.float32):
            raise UltraSamError(f"dtype is torch.bfloat16, torch.float16 or None, not {dtype!r}")
        self.model, self.dtype = model, dtype
        self.img_size, self.mask_size = model.img_size, model.prompt_encoder.mask_input_size
        self.usage, self.precision = model.usage, str(dtype)
        self._fingerprint, self._weights = "", weights

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    @property
    def batch(self) -> int:
        """Images that it pays to encode together."""
        return _ON_A_GPU if self.model.device.type == "cuda" else 1

    def fingerprint(self) -> str:
        """A digest of the parameters, as they were when it was first asked for."""
        self._fingerprint = self._fingerprint or fingerprint(self.model)
        return self._fingerprint

    @torch.no_grad()
    def encode(self, inputs: Any) -> Tensor:
        """Network inputs (B, 3, S, S) -> embeddings (B, C, h, w) float32 on the model's device."""
        inputs = torch.as_tensor(inputs).to(self.model.device)
        if self.dtype is None:
            return self.model.encode_images(inputs).contiguous()
        with torch.autocast(self.model.device.type, dtype=self.dtype):
            return self.model.encode_images(inputs).float().contiguous()

    def join(self, parts: Sequence[Any]) -> Tensor:
        """Embeddings, or arrays of them, as those of one batch."""
        return torch.cat([torch.as_tensor(part).to(self.model.device) for part in parts])

    def array(self, features: Any) -> NDArray[np.float32]:
        """Embeddings as an array."""
        return features.detach().cpu().contiguous().numpy()

    @torch.no_grad()
    def propose(self, features: Any) -> NDArray[np.float32] | None:
        """See `Engine.propose`."""
        return None if self._box_head is None else self._box_head(features).float().cpu().numpy()

    @cached_property
    def _box_head(self) -> BoxHead | None:
        found = head_files.find(fingerprint(self.model.image_encoder), self._weights)
        if found is None:
            return None
        return box_head(head_files.part(head_files.read(found)[0], head_files.BOX)).to(self.model.device)

    @torch.no_grad()
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
        """See `Engine.decode`."""
        given = prompts.map(torch.from_numpy).to(features.device)
        found = self.decode_tensors(features, given, multimask, refinement, box_of)
        found = found.best() if best else found
        return Prediction(found.logits.float().cpu().numpy(), found.iou.float().cpu().numpy())

    @torch.no_grad()
    def decode_tensors(
        self,
        features: Tensor,
        prompts: Prompts,
        multimask: bool,
        refinement: Refinement | None = None,
        box_of: BoxOf | None = None,
    ) -> Prediction:
        """`decode` from tensors to tensors."""
        if refinement is None:
            return self.model.decode(features, prompts, multimask=multimask)
        boxes = None if box_of is None else _of_tensors(box_of)
        prediction = list(interact(self.model, features, prompts, refinement, boxes))[-1]
        return prediction if multimask else prediction.best()


def _of_tensors(box_of: BoxOf) -> Callable[[Tensor], Tensor]:
    return lambda logits: torch.from_numpy(box_of(logits.float().cpu().numpy())).to(logits.device)


def best_device() -> torch.device:
    """CUDA, then Apple's GPU, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def available(device: str | torch.device) -> torch.device:
    """A device that works here.

    Raises:
        UltraSamError: it does not.
    """
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise UltraSamError(f"the device '{device}' is not at hand here ({reason}); try 'cpu'") from error
    if chosen.type == "meta":
        raise UltraSamError("the device 'meta' holds no numbers; try 'cpu'")
    return chosen


def box_head(parameters: dict[str, NDArray[np.float32]]) -> BoxHead:
    """The head that proposes boxes.

    Raises:
        CheckpointError: the parameters are those of another.
    """
    head = BoxHead().eval().requires_grad_(False)
    try:
        head.load_state_dict({name: torch.from_numpy(value) for name, value in parameters.items()})
    except RuntimeError as error:
        raise CheckpointError(f"there is no box head in the weights' heads: {error}") from error
    return head
