"""Files for ONNX and torch.export, each with a parity report beside it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ultrasam.errors import ConfigError
from ultrasam.export.graphs import (
    DECODER_INPUTS,
    DECODER_OUTPUTS,
    DecoderGraph,
    EncoderGraph,
    example_prompts,
    plain_attention,
)
from ultrasam.export.parity import report
from ultrasam.machine.extras import need
from ultrasam.modeling.sam import Sam
from ultrasam.types import ModelUsage

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
OPSET = 17


@dataclass(frozen=True)
class Exported:
    """Files of an export.

    Attributes:
        encoders: precision to the encoder's file.
        decoder: the decoder's file.
        report: the parity report, JSON.
    """

    encoders: dict[str, Path]
    decoder: Path
    report: Path


def to_onnx(
    model: Sam,
    out: str | Path,
    *,
    precisions: Sequence[Precision] = ("fp32",),
    single_mask: bool = False,
    from_pixels: bool = True,
    pictures: Sequence[Any] = (),
) -> Exported:
    """Write encoder and decoder, and compare them with the model.

    Args:
        model: the model.
        out: folder to write to.
        precisions: of the encoder; the decoder is small and stays in fp32.
        single_mask: see `DecoderGraph`.
        from_pixels: see `EncoderGraph`.
        pictures: RGB images (H, W, 3) uint8 that the report compares masks on.

    Raises:
        ConfigError: an unknown precision.
        UltraSamError: onnx or onnxruntime is not installed.
    """
    unknown = [p for p in precisions if p not in PRECISIONS]
    if unknown or not precisions:
        raise ConfigError(
            f"precision must be of {', '.join(PRECISIONS)}, got {', '.join(precisions) or 'none'}"
        )
    need("export", "onnx", "onnxruntime")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    model = model.cpu().eval()
    encoder, decoder = folder / "encoder.onnx", folder / "decoder.onnx"
    write_encoder(model, encoder, from_pixels)
    write_decoder(model, decoder, single_mask)
    encoders: dict[str, Path] = {p: _in_precision(encoder, p) for p in ("fp32", *precisions)}
    found = report(
        model, encoders, decoder, from_pixels=from_pixels, single_mask=single_mask, pictures=pictures
    )
    if "fp32" not in precisions:
        encoders.pop("fp32").unlink()
    for path in (*encoders.values(), decoder):
        note_usage(path, model.usage)
    beside = folder / "parity.json"
    beside.write_text(json.dumps(found, indent=1))
    return Exported(encoders, decoder, beside)


def write_encoder(model: Sam, path: Path, from_pixels: bool) -> None:
    """The encoder as an ONNX file."""
    size = model.img_size
    example = torch.rand(size, size, 3) * 255 if from_pixels else torch.randn(1, 3, size, size)
    axes = {0: "image_height", 1: "image_width"} if from_pixels else {0: "batch"}
    with plain_attention(model), torch.no_grad():
        write_graph(
            EncoderGraph(model, from_pixels).eval(),
            (example,),
            path,
            ["input_image"],
            ["image_embeddings"],
            {"input_image": axes},
        )


def write_decoder(model: Sam, path: Path, single_mask: bool) -> None:
    """The decoder as an ONNX file."""
    write_decoder_graph(DecoderGraph(model, single_mask).eval(), path, example_prompts(model))


def write_decoder_graph(
    graph: nn.Module,
    path: Path,
    example: tuple[Tensor, ...],
    more: Mapping[str, dict[int, str]] | None = None,
) -> None:
    """A graph with the decoder's inputs and outputs as an ONNX file; ``more`` names further free sides."""
    prompts, points = {0: "num_prompts"}, {0: "num_prompts", 1: "num_points"}
    axes = {
        "point_coords": points,
        "point_labels": points,
        "mask_input": {0: "num_masks"},
        "masks": {**prompts, 2: "height", 3: "width"},
        "iou_predictions": prompts,
        "low_res_masks": prompts,
        **(more or {}),
    }
    with torch.no_grad():
        write_graph(graph, example, path, list(DECODER_INPUTS), list(DECODER_OUTPUTS), axes)


def to_torch_export(model: Sam, out: str | Path) -> Path:
    """The encoder as a ``.pt2`` program of torch.export, for a batch of any size."""
    path = Path(out) / "encoder.pt2"
    path.parent.mkdir(parents=True, exist_ok=True)
    model = model.cpu().eval()
    example = torch.randn(2, 3, model.img_size, model.img_size)
    with plain_attention(model), torch.no_grad():
        batch = torch.export.Dim("batch", min=1, max=1024)
        program = torch.export.export(
            EncoderGraph(model, False).eval(), (example,), dynamic_shapes=({0: batch},)
        )
    torch.export.save(program, path, extra_files={ModelUsage.KEY: json.dumps(model.usage.note())})
    return path


def write_graph(
    graph: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    inputs: list[str],
    outputs: list[str],
    axes: dict[str, dict[int, str]],
    *,
    open_weights: bool = False,
) -> None:
    """A graph as an ONNX file, with the sides that are free named by axes.

    With ``open_weights`` parameters keep their names and shapes, and are inputs that have values.
    """
    with warnings.catch_warnings():
        # Tracing warns of every shape that it takes for a constant; the parity report is the judge.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            example,
            str(path),
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
            keep_initializers_as_inputs=open_weights,
            do_constant_folding=not open_weights,
        )


def note_usage(path: Path, usage: ModelUsage) -> None:
    """Say in an ONNX file's metadata what the weights want to be used with."""
    import onnx

    proto = onnx.load(path, load_external_data=False)
    proto.metadata_props.add(key=ModelUsage.KEY, value=json.dumps(usage.note()))
    onnx.save(proto, path)


def _in_precision(encoder: Path, precision: str) -> Path:
    """The encoder's file in another precision, beside it."""
    if precision == "fp32":
        return encoder
    path = encoder.with_name(f"encoder_{precision}.onnx")
    if precision == "int8":
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(
            encoder,
            path,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["MatMul"],
            # Seven bits: processors without VNNI add two products in 16 bits, where eight overflow.
            reduce_range=True,
        )
    else:
        import onnx
        from onnxruntime.transformers.float16 import convert_float_to_float16

        onnx.save(convert_float_to_float16(onnx.load(encoder), keep_io_types=True), path)
    return path
