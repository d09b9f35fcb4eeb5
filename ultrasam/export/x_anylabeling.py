"""Files that X-AnyLabeling loads as a model of its type ``efficientvit_sam``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import torch

from ultrasam.data.files import write_text
from ultrasam.export.closer_graphs import CloserDecoder, CloserEncoder
from ultrasam.export.graphs import plain_attention
from ultrasam.export.onnx_files import note_usage, write_decoder_graph, write_graph
from ultrasam.export.picture_graphs import TARGET, PictureDecoder, PictureEncoder, example_prompt
from ultrasam.machine.extras import need
from ultrasam.modeling.sam import Sam


@dataclass(frozen=True)
class ClientFiles:
    """Files of an export: two graphs, and the YAML file that names them."""

    encoder: Path
    decoder: Path
    config: Path


def to_x_anylabeling(model: Sam, out: str | Path, name: str) -> ClientFiles:
    """Write encoder, decoder and configuration into one folder, which may be moved as a whole.

    The client shows one mask of a prompt, the best of three for a single click: `Predictor`'s, with a closer
    view where the weights want one.

    Args:
        model: the model, of any input size.
        out: folder to write to.
        name: what the client lists it as.

    Raises:
        UltraSamError: onnx is not installed, or the embedding does not fit the client's.
    """
    need("export", "onnx")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    model = model.cpu().eval()
    files = ClientFiles(folder / "encoder.onnx", folder / "decoder.onnx", folder / "x-anylabeling.yaml")
    encoder, decoder = (
        (CloserEncoder(model), CloserDecoder(model))
        if model.usage.closer
        else (PictureEncoder(model), PictureDecoder(model))
    )
    example = torch.randint(256, (96, 128, 3), dtype=torch.uint8)
    axes = {"input_image": {0: "image_height", 1: "image_width"}}
    with plain_attention(model), torch.no_grad():
        write_graph(encoder.eval(), (example,), files.encoder, ["input_image"], ["image_embeddings"], axes)
        write_decoder_graph(decoder.eval(), files.decoder, example_prompt())
    for path in (files.encoder, files.decoder):
        note_usage(path, model.usage)
    write_text(files.config, _config(name, files))
    return files


def _config(name: str, files: ClientFiles) -> str:
    """The YAML file."""
    rows = {
        "type": "efficientvit_sam",
        # The client takes no other characters in it.
        "name": re.sub(r"[^A-Za-z0-9._-]+", "_", f"ultrasam-{name}"),
        "provider": "UltraSam",
        "display_name": f"UltraSam ({name})",
        "encoder_model_path": files.encoder.name,
        "decoder_model_path": files.decoder.name,
        "target_size": TARGET,
    }
    # A text of JSON is one of YAML.
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in rows.items())
