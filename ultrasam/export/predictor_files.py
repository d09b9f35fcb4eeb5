"""ONNX graphs for predictors without PyTorch, which read their weights from the weight file beside them.

The exporter's graphs hold copies of all weights, some of them transposed. Here the exporter and onnxruntime
simplify a graph with the weights left open, as inputs; then each becomes a place in the weight file, and is
made float32 when the graph is opened. So weights are stored once, and both engines compute with the same.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ultrasam import checkpoints
from ultrasam.data import files
from ultrasam.export.graphs import DecoderGraph, EncoderGraph, example_prompts, plain_attention
from ultrasam.export.onnx_files import write_graph
from ultrasam.machine.extras import need
from ultrasam.modeling.box_head import BoxHead
from ultrasam.modeling.sam import Sam
from ultrasam.predict import head_files
from ultrasam.predict.embeddings_cache import fingerprint
from ultrasam.predict.graph_files import HEADS, GraphFiles, description
from ultrasam.predict.torch_engine import box_head

#: Parts of the graphs' modules -> how their parameters begin in the weight file.
_PREFIXES = {"encoder.": "image_encoder.", "decoder.": ""}
#: The length of a safetensors file's header stands in so many bytes before it.
_LENGTH = 8


class _Heads(nn.Module):
    """The box head, under the name that it has in its file."""

    def __init__(self, box: BoxHead) -> None:
        super().__init__()
        self.box = box

    def forward(self, embeddings: Tensor) -> Tensor:
        """As `BoxHead`."""
        return self.box(embeddings)


class LowDecoder(nn.Module):
    """The decoder's graph without masks of the image's size, which predictors make themselves."""

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.decoder = DecoderGraph(model, single_mask=False)

    def forward(
        self, embeddings: Tensor, coords: Tensor, labels: Tensor, mask_input: Tensor, has_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As `DecoderGraph.low`."""
        return self.decoder.low(embeddings, coords, labels, mask_input, has_mask)


def to_predictor(model: Sam, out: str | Path, name: str, *, half: bool = False) -> GraphFiles:
    """Write ``NAME.safetensors`` and the graphs that belong to it; see `ultrasam.predict.graph_files`.

    Args:
        model: the model.
        out: folder to write to.
        name: of the files.
        half: weights in float16, for half the size; they are used in float32.

    Raises:
        UltraSamError: onnx or onnxruntime is not installed.
    """
    need("export", "onnx", "onnxruntime")
    weights = Path(out) / f"{name}.safetensors"
    checkpoints.save(model.state_dict(), weights, "safetensors", half=half)
    return write_graphs(weights)


def write_graphs(weights: Path) -> GraphFiles:
    """Write the graphs of a weight file of this package beside it."""
    model = checkpoints.load(weights).eval()
    graphs = GraphFiles(weights, model.img_size, model.prompt_encoder.mask_input_size, model.usage)
    features, coords, labels, mask, has_mask, _ = example_prompts(model)
    image = torch.zeros(1, 3, model.img_size, model.img_size)
    prompts = {0: "num_prompts"}
    with plain_attention(model), torch.no_grad():
        encoder = EncoderGraph(model, False)
        _write(encoder, {"input_image": image}, ["image_embeddings"], {}, graphs, "encoder")
        given = (features, coords, labels, mask, has_mask)
        names = ("image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input")
        axes = {
            "point_coords": {**prompts, 1: "num_points"},
            "point_labels": {**prompts, 1: "num_points"},
            "mask_input": {0: "num_masks"},
            "low_res_masks": prompts,
            "iou_predictions": prompts,
        }
        inputs = dict(zip(names, given, strict=True))
        _write(LowDecoder(model), inputs, ["low_res_masks", "iou_predictions"], axes, graphs, "decoder")
        _write_heads(model, graphs)
    files.write_text(description(weights), graphs.described())
    return graphs


def _write_heads(model: Sam, graphs: GraphFiles) -> None:
    """The heads that fit the model's image encoder, and their graph."""
    found = head_files.find(fingerprint(model.image_encoder), graphs.weights)
    for path in graphs.of_heads:
        # Of weights that had this name before.
        if path != found:
            path.unlink(missing_ok=True)
    if found is None:
        return
    own = head_files.beside(graphs.weights)
    if found != own:
        files.write_bytes(own, found.read_bytes())
    size, channels = model.prompt_encoder.image_embedding_size, model.prompt_encoder.embed_dim
    given = {"image_embeddings": torch.zeros(1, channels, *size)}
    _write(
        _Heads(box_head(head_files.part(head_files.read(own)[0], head_files.BOX))),
        given,
        ["proposals"],
        {},
        graphs,
        HEADS,
    )


def _write(
    module: nn.Module,
    inputs: dict[str, Tensor],
    outputs: list[str],
    axes: dict[str, dict[int, str]],
    graphs: GraphFiles,
    part: str,
) -> None:
    """One part's graph."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        traced, simple = Path(folder) / "traced.onnx", Path(folder) / "simple.onnx"
        given = tuple(inputs.values())
        write_graph(module.eval(), given, traced, list(inputs), outputs, axes, open_weights=True)
        _simplify(traced, simple)
        proto = onnx.load(simple)
    _refer(proto, head_files.beside(graphs.weights) if part == HEADS else graphs.weights)
    proto.producer_name, proto.producer_version = "ultrasam", ""
    used = {node.domain for node in proto.graph.node}
    kept = [entry for entry in proto.opset_import if entry.domain in used | {""}]
    del proto.opset_import[:]
    proto.opset_import.extend(kept)
    files.write_bytes(graphs.graph(part), proto.SerializeToString())


def _simplify(source: Path, target: Path) -> None:
    """What does not depend on inputs is computed, in operators that every processor has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def _refer(proto: Any, weights: Path) -> None:
    """Let a graph's parameters be places in the weight file."""
    from onnx import TensorProto, helper

    types = {"F16": TensorProto.FLOAT16, "F32": TensorProto.FLOAT}
    header, start = _header(weights)
    graph = proto.graph
    parameters = {entry.name for entry in graph.initializer}
    real = [entry for entry in graph.input if entry.name not in parameters]
    del graph.input[:]
    graph.input.extend(real)
    casts = []
    for entry in graph.initializer:
        part = entry.name.split(".")[0] + "."
        name = _PREFIXES.get(part, part) + entry.name.removeprefix(part)
        if name not in header:
            continue  # a small constant, or a table made of several parameters
        kind, (begin, end) = types[header[name]["dtype"]], header[name]["data_offsets"]
        for held in ("raw_data", "float_data"):
            entry.ClearField(held)
        if kind != TensorProto.FLOAT:
            stored = f"{entry.name}.stored"
            casts.append(helper.make_node("Cast", [stored], [entry.name], to=TensorProto.FLOAT))
            entry.name = stored
        entry.data_type, entry.data_location = kind, TensorProto.EXTERNAL
        for key, value in (("location", weights.name), ("offset", start + begin), ("length", end - begin)):
            entry.external_data.add(key=key, value=str(value))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _header(weights: Path) -> tuple[dict[str, Any], int]:
    """What a safetensors file says of its tensors, and where the first of them begins."""
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        return json.loads(file.read(length)), _LENGTH + length
