"""How far exported graphs are from the model, in onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ultrasam import preprocess
from ultrasam.evaluate.metrics import iou
from ultrasam.export.graphs import DECODER_INPUTS, DecoderGraph, example_prompts
from ultrasam.modeling.sam import Sam


def report(
    model: Sam,
    encoders: Mapping[str, Path],
    decoder: Path,
    *,
    from_pixels: bool,
    single_mask: bool,
    pictures: Sequence[np.ndarray] = (),
) -> dict[str, Any]:
    """Differences of each encoder's embeddings and of the decoder's outputs, and mask IoU on pictures.

    Args:
        model: the model.
        encoders: precision to file.
        decoder: the decoder's file.
        from_pixels: whether the encoders take pixels.
        single_mask: whether the decoder gives one mask.
        pictures: RGB images (H, W, 3) uint8; random noise is compared where there are none.
    """
    import onnxruntime

    generator = np.random.default_rng(0)
    given = list(pictures) or [generator.integers(0, 256, (90, 120, 3), dtype=np.uint8)]
    expected = [_embed(model, picture) for picture in given]
    found: dict[str, Any] = {
        "onnxruntime": onnxruntime.__version__,
        "torch": str(torch.__version__),
        "pictures": len(pictures),
        "decoder": _decoder(model, decoder, single_mask),
    }
    for precision, path in encoders.items():
        session = _session(path)
        embeddings = [run_encoder(session, model, picture, from_pixels) for picture in given]
        pairs = list(zip(embeddings, expected, strict=True))
        entry = {
            "file": path.name,
            "megabytes": round(path.stat().st_size / 1e6, 2),
            "embedding_max_abs": max(float((a - b).abs().max()) for a, b in pairs),
            "embedding_relative": max(float((a - b).norm() / b.norm()) for a, b in pairs),
        }
        if pictures:
            entry["mask_iou"] = _mask_iou(model, pairs, given)
        found[f"encoder_{precision}"] = entry
    return found


def run_encoder(session: Any, model: Sam, picture: np.ndarray, from_pixels: bool) -> Tensor:
    """The embedding (1, C, h, w) that an encoder's file gives for a picture."""
    if from_pixels:
        geometry = preprocess.Geometry.of(picture.shape[0], picture.shape[1], model.img_size)
        data = preprocess.resize_image(picture, geometry).astype(np.float32)
    else:
        data = preprocess.to_input(picture, model.img_size, normalization=model.usage.normalization)[0][
            None
        ].numpy()
    return torch.from_numpy(session.run(None, {"input_image": data})[0])


@torch.no_grad()
def _embed(model: Sam, picture: np.ndarray) -> Tensor:
    return model.encode_images(
        preprocess.to_input(picture, model.img_size, normalization=model.usage.normalization)[0][None]
    )


@torch.no_grad()
def _decoder(model: Sam, path: Path, single_mask: bool) -> dict[str, Any]:
    """Largest differences over several numbers of prompts and points, with and without a mask prompt.

    As they are, and as a share of the largest value.
    """
    session, graph = _session(path), DecoderGraph(model, single_mask).eval()
    worst: dict[str, float] = {}
    for prompts, points, mask in ((1, 1, 0.0), (1, 5, 1.0), (7, 2, 0.0), (3, 4, 1.0)):
        torch.manual_seed(prompts)
        inputs = list(example_prompts(model, prompts, points))
        inputs[4] = torch.tensor([mask])
        named = dict(zip(DECODER_INPUTS, (t.numpy() for t in inputs), strict=True))
        names = ("masks", "iou_predictions", "low_res_masks")
        for name, a, b in zip(names, session.run(None, named), graph(*inputs), strict=True):
            error, size = float(np.abs(a - b.numpy()).max()), float(b.abs().max())
            for key, value in ((f"{name}_max_abs", error), (f"{name}_relative", error / size)):
                worst[key] = max(worst.get(key, 0.0), value)
    return worst


@torch.no_grad()
def _mask_iou(
    model: Sam, pairs: Sequence[tuple[Tensor, Tensor]], pictures: Sequence[np.ndarray]
) -> dict[str, float]:
    """Mean and lowest IoU of masks from two embeddings, for a box in the middle of each picture."""
    from ultrasam.types import Prompts

    values = []
    for (theirs, ours), picture in zip(pairs, pictures, strict=True):
        geometry = preprocess.Geometry.of(picture.shape[0], picture.shape[1], model.img_size)
        h, w = geometry.resized
        box = torch.tensor([[0.25 * w, 0.25 * h, 0.75 * w, 0.75 * h]])
        prompts = Prompts(torch.zeros(1, dtype=torch.long), boxes=box)
        masks = [model.decode(e, prompts, multimask=False).logits[0, 0].numpy() > 0 for e in (theirs, ours)]
        values.append(iou(*masks))
    return {"mean": float(np.mean(values)), "lowest": min(values)}


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
