"""Exported graphs in onnxruntime beside the model, and beside segment-anything's own export."""

import json

import numpy as np
import pytest
import torch

from ultrasam import preprocess
from ultrasam.errors import ConfigError
from ultrasam.export import onnx_files as export
from ultrasam.export import parity as export_check
from ultrasam.modeling.build import Variant, build_variant
from ultrasam.types import ModelUsage

onnxruntime = pytest.importorskip("onnxruntime")
TINY = Variant(width=48, depth=2, heads=4, global_blocks=(1,), img_size=256, window=7)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    network = build_variant(TINY).eval()
    with torch.no_grad():
        for value in network.parameters():
            value.add_(torch.randn_like(value) * 0.05)
    network.usage = ModelUsage(closer=True)
    return network


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, size, dtype=np.uint8) for size in ((90, 120, 3), (300, 200, 3))]
    folder = tmp_path_factory.mktemp("onnx")
    return export.to_onnx(model, folder, precisions=("fp32", "fp16", "int8"), pictures=pictures)


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def test_parity_report(exported):
    told = json.loads(exported.report.read_text())
    assert told["encoder_fp32"]["embedding_max_abs"] < 1e-4
    assert told["encoder_fp32"]["mask_iou"]["lowest"] > 0.999
    assert all(told["decoder"][f"{name}_max_abs"] < 1e-4 for name in export.DECODER_OUTPUTS)
    assert told["encoder_fp16"]["embedding_relative"] < 5e-3
    assert told["encoder_int8"]["embedding_relative"] < 5e-2
    assert told["encoder_int8"]["megabytes"] < told["encoder_fp32"]["megabytes"]


def test_names_that_tools_read(exported):
    decoder, encoder = session(exported.decoder), session(exported.encoders["fp32"])
    assert [i.name for i in decoder.get_inputs()] == list(export.DECODER_INPUTS)
    assert [o.name for o in decoder.get_outputs()] == list(export.DECODER_OUTPUTS)
    assert [i.name for i in encoder.get_inputs()] == ["input_image"]
    assert [o.name for o in encoder.get_outputs()] == ["image_embeddings"]


def test_files_say_what_the_weights_want_to_be_used_with(exported):
    for path in (*exported.encoders.values(), exported.decoder):
        noted = session(path).get_modelmeta().custom_metadata_map
        assert json.loads(noted["ultrasam"]) == {"closer": True}, path


@pytest.mark.parametrize("size", [(300, 400), (777, 128), (64, 64)])
def test_any_picture_and_the_whole_chain(model, exported, size):
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    embedding = export_check.run_encoder(session(exported.encoders["fp32"]), model, picture, True)
    tensor, geometry = preprocess.to_input(picture, 256)
    with torch.no_grad():
        assert (embedding - model.encode_images(tensor[None])).abs().max() < 1e-4
    corners = geometry.to_input([[10, 10], [50, 60]])[None].astype(np.float32)
    inputs = {
        "image_embeddings": embedding.numpy(),
        "point_coords": corners,
        "point_labels": np.array([[2, 3]], np.float32),
        "mask_input": np.zeros((1, 1, 64, 64), np.float32),
        "has_mask_input": np.zeros(1, np.float32),
        "orig_im_size": np.array(size, np.float32),
    }
    full, iou, low = session(exported.decoder).run(None, inputs)
    assert full.shape == (1, 4, *size) and iou.shape == (1, 4)
    expected = preprocess.upsample_logits(torch.from_numpy(low), geometry).numpy()
    assert np.abs(full - expected).max() < 1e-4
    from ultrasam.predict.predictor import Predictor

    predictor = Predictor(model, closer=False)
    predictor.set_image(picture)
    ours = predictor.predict(box=[10, 10, 50, 60], return_logits=True)
    assert np.abs(ours[0] - full[0, 1:]).max() < 1e-3 and np.abs(ours[1] - iou[0, 1:]).max() < 1e-4


def test_same_as_segment_anythings_own_graph(model, exported):
    from segment_anything.utils.onnx import SamOnnxModel

    from tests.kit.peer import build_peer

    peer = build_peer(TINY).eval()
    peer.load_state_dict(model.state_dict(), strict=True)
    theirs = SamOnnxModel(peer, return_single_mask=False)
    torch.manual_seed(5)
    inputs = export.example_prompts(model, 1, 4)
    with torch.no_grad():
        expected = theirs(*inputs)
    named = {n: t.numpy() for n, t in zip(export.DECODER_INPUTS, inputs, strict=True)}
    for a, b in zip(session(exported.decoder).run(None, named), expected, strict=True):
        assert np.abs(a - b.numpy()).max() < 1e-4 * max(1.0, float(b.abs().max()))


def test_single_mask_and_batches(model, tmp_path):
    done = export.to_onnx(model, tmp_path, single_mask=True, from_pixels=False)
    torch.manual_seed(5)
    for points in (1, 4):
        inputs = export.example_prompts(model, 3, points)
        named = {n: t.numpy() for n, t in zip(export.DECODER_INPUTS, inputs, strict=True)}
        _, iou, low = session(done.decoder).run(None, named)
        with torch.no_grad():
            everything = export.DecoderGraph(model, False)(*inputs)
        best = everything[1].argmax(1) if points == 4 else everything[1][:, 1:].argmax(1) + 1
        best = torch.zeros(3, dtype=torch.long) if points == 4 else best
        assert np.abs(low[:, 0] - everything[2][torch.arange(3), best].numpy()).max() < 1e-4
        assert iou.shape == (3, 1)
    images = torch.randn(3, 3, 256, 256)
    found = session(done.encoders["fp32"]).run(None, {"input_image": images.numpy()})[0]
    with torch.no_grad():
        assert np.abs(found - model.encode_images(images).numpy()).max() < 1e-4


def test_torch_export(model, tmp_path):
    noted = {"ultrasam": ""}
    program = torch.export.load(export.to_torch_export(model, tmp_path), extra_files=noted)
    assert json.loads(noted["ultrasam"]) == {"closer": True}
    images = torch.randn(3, 3, 256, 256)
    with torch.no_grad():
        assert (program.module()(images) - model.encode_images(images)).abs().max() < 1e-4


def test_export_leaves_the_model_as_it_was(model, exported):
    assert all(block.attn.implementation is None for block in model.image_encoder.blocks)
    with pytest.raises(ConfigError, match="fp32, fp16, int8"):
        export.to_onnx(model, "x", precisions=("int4",))
