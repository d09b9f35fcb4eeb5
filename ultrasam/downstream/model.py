"""An encoder with a linear head: built, loaded from one file, saved, and run on images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ultrasam import preprocess
from ultrasam.checkpoints.detection import detect_encoder
from ultrasam.checkpoints.loading import BACKBONE, ENCODER, empty_encoder, load_into
from ultrasam.checkpoints.reading import errors_name, read
from ultrasam.checkpoints.writing import write_objects
from ultrasam.data.images import read_each
from ultrasam.downstream.encoder import Encoder
from ultrasam.downstream.linear import LinearHead, decode
from ultrasam.errors import CheckpointError, DataError
from ultrasam.modeling.adapt.lora import merged_state


class ImageModel(nn.Module):
    """Images to scores or values; parameters are named as in checkpoints of the training runs.

    Args:
        backbone: pooled encoder, (B, 3, S, S) -> (B, W).
        head: on its features.
        black_padding: pad with black pixels instead of the mean color.
    """

    def __init__(self, backbone: Encoder, head: LinearHead, black_padding: bool = False) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.black_padding = black_padding

    @property
    def img_size(self) -> int:
        """S, side of the input in pixels."""
        return self.backbone.encoder.img_size

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, C)."""
        return self.head.predict(self.backbone(inputs))

    @torch.no_grad()
    def predict(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Images (H, W, 3) uint8 RGB of any size -> (B, C) scores or values."""
        inputs = [as_input(image, self.img_size, self.black_padding) for image in images]
        return self(torch.stack(inputs)).numpy()

    def save(self, path: str | Path) -> None:
        """Write one file that `load_image_model` reads; the encoder's neck is of no use in it."""
        state = {n: v for n, v in self.state_dict().items() if not n.startswith(f"{BACKBONE}neck.")}
        write_objects({"meta": {}, "state_dict": state}, Path(path))


def as_input(image: np.ndarray, img_size: int, black_padding: bool = False) -> Tensor:
    """An RGB image as network input (3, S, S); black padding is put on before normalizing."""
    if not black_padding:
        return preprocess.to_input(image, img_size)[0]
    geometry = preprocess.Geometry.of(image.shape[0], image.shape[1], img_size)
    resized = torch.from_numpy(preprocess.resize_image(image, geometry)).permute(2, 0, 1)
    return preprocess.normalize(preprocess.pad(resized, img_size))


def read_image_model(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The parameters in a checkpoint of a classifier or regression, and the description of its head.

    Raises:
        CheckpointError: the file can't be read, or is no such checkpoint.
    """
    state = read(path)
    if "head.description" not in state:
        raise CheckpointError(
            f"{path} is no classifier: it has no 'head.description'. Make one with 'ultrasam probe' or "
            "'ultrasam train downstream/classification/...'"
        )
    return state, decode(state["head.description"])


def load_image_model(path: str | Path) -> ImageModel:
    """The model in a checkpoint of `ultrasam probe` or of a classification or regression run.

    Raises:
        CheckpointError: the file can't be read, or is no such checkpoint.
    """
    state, about = read_image_model(path)
    state = merged_state(state)
    try:
        spec = detect_encoder({f"{ENCODER}{n.removeprefix(BACKBONE)}": v for n, v in state.items()})
    except CheckpointError as error:
        raise CheckpointError(
            f"{path} classifies with another network than our encoder: score it with 'ultrasam test CONFIG "
            f"{path}'"
        ) from error
    preprocessing = {k: v for k, v in about.items() if k not in ("task", "names")}
    head = LinearHead(spec.embed_dim, about["task"], about["names"], preprocessing)
    encoder = Encoder(empty_encoder(spec, neck=False), "pooled")
    model = ImageModel(encoder, head, bool(about.get("black_padding")))
    with errors_name(Path(path)):
        load_into(model, state, "classifier", str(path))
    return model.eval()


def predict_files(
    model: ImageModel,
    paths: Sequence[Path],
    failed: list[str],
    batch: int = 16,
    progress: Callable[[Sequence[Path]], Iterable[Path]] = lambda paths: paths,
) -> tuple[list[Path], np.ndarray]:
    """The image files that can be read, and their scores or values, (N, C).

    Args:
        model: the model.
        paths: image files.
        failed: what is wrong with those that can't be read is added to it.
        batch: images at a time.
        progress: wraps the paths, for a progress bar.

    Raises:
        DataError: not one image can be read.
    """
    read: list[Path] = []
    found: list[np.ndarray] = []
    pairs = read_each(progress(paths), failed)
    while some := list(islice(pairs, batch)):
        read += [path for path, _ in some]
        found.append(model.predict([image for _, image in some]))
    if not found:
        raise DataError("\n".join(failed) or "no image was given")
    return read, np.concatenate(found)
