"""Exported graphs in onnxruntime beside the model, and beside segment-anything's own export."""

import copy
import json

import numpy as np
import pytest
import torch

from tests.kit.closeness import ROUNDING, assert_as_exact, assert_same
from tests.kit.models import TINY
from tests.kit.peer import build_peer, exact
from ultrasam import preprocess
from ultrasam.errors import ConfigError
from ultrasam.export import onnx_files as export
from ultrasam.export import parity as export_check
from ultrasam.types import ModelUsage

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def noted_model(tiny_model):
    """With something to note in the files."""
    model = copy.deepcopy(tiny_model)
    model.usage = ModelUsage(closer=True)
    return model


@pytest.fixture(scope="module")
def exported(noted_model, tmp_path_factory):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, size, dtype=np.uint8) for size in ((90, 120, 3), (300, 200, 3))]
    folder = tmp_path_factory.mktemp("onnx")
    return export.to_onnx(noted_model, folder, precisions=("fp32", "fp16", "int8"), pictures=pictures)


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def test_parity_report(exported):
    told = json.loads(exported.report.read_text())
    assert told["encoder_fp32"]["embedding_relative"] < ROUNDING
    assert told["encoder_fp32"]["mask_iou"]["lowest"] > 0.999
    # Enlarged logits are off by more: onnxruntime computes in float32 where it takes them from.
    assert all(told["decoder"][f"{name}_relative"] < 2 * ROUNDING for name in export.DECODER_OUTPUTS)
    assert told["encoder_fp16"]["embedding_relative"] < 5e-3
    assert told["encoder_int8"]["embedding_relative"] < 5e-2
    assert told["encoder_int8"]["megabytes"] < told["encoder_fp32"]["megabytes"]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_encoder_refuses_pictures_of_another_size(exported, precision):
    """It would look at their corner, or at an object of another size, and nobody would know."""
    encoder = session(exported.encoders[precision])

    def embed(height, width):
        picture = np.full((height, width, 3), 100, np.float32)
        return encoder.run(None, {"input_image": picture})[0]

    for size in ((256, 256), (256, 190), (3, 256), (256, 1)):
        assert embed(*size).shape == (1, 256, 16, 16)
    for size in (
        (480, 640),
        (571, 771),
        (257, 256),
        (256, 257),
        (257, 257),
        (255, 255),
        (100, 80),
        (1024, 684),
    ):
        with pytest.raises(Exception, match="longest_side_must_be_256"):
            embed(*size)


def test_the_other_input_has_one_size(tiny_model, tmp_path):
    from ultrasam.export.onnx_files import write_encoder

    write_encoder(tiny_model, tmp_path / "e.onnx", from_pixels=False)
    encoder = session(tmp_path / "e.onnx")
    for shape in ((1, 3, 480, 640), (1, 3, 128, 128)):
        with pytest.raises(Exception, match="invalid dimensions"):
            encoder.run(None, {"input_image": np.zeros(shape, np.float32)})


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
def test_any_picture_and_the_whole_chain(tiny_model, exported, size):
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    embedding = export_check.run_encoder(session(exported.encoders["fp32"]), tiny_model, picture, True)
    tensor, geometry = preprocess.to_input(picture, 256)
    with torch.no_grad():
        assert_same(embedding, tiny_model.encode_images(tensor[None]))
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
    # onnxruntime computes in float32 where it takes the enlarged logits from.
    assert_same(full, preprocess.upsample_logits(torch.from_numpy(low), geometry), rounding=2 * ROUNDING)
    from ultrasam.predict.predictor import Predictor

    predictor = Predictor(tiny_model)
    predictor.set_image(picture)
    ours = predictor.predict(box=[10, 10, 50, 60], return_logits=True)
    assert_same(full[0, 1:], ours[0], rounding=2 * ROUNDING)
    assert_same(iou[0, 1:], ours[1], scale=1)


def test_same_as_segment_anythings_own_graph(tiny_model, exported):
    from segment_anything.utils.onnx import SamOnnxModel

    peer = build_peer(TINY).eval()
    peer.load_state_dict(tiny_model.state_dict(), strict=True)
    torch.manual_seed(5)
    inputs = export.example_prompts(tiny_model, 1, 4)
    named = {n: t.numpy() for n, t in zip(export.DECODER_INPUTS, inputs, strict=True)}
    found = session(exported.decoder).run(None, named)
    with torch.no_grad():
        theirs = SamOnnxModel(peer, return_single_mask=False)(*inputs)
        truth = SamOnnxModel(exact(peer), return_single_mask=False)(*(t.double() for t in inputs))
    for a, b, c in zip(found, theirs, truth, strict=True):
        assert_as_exact(a, b, c)


def test_single_mask_and_batches(tiny_model, tmp_path):
    done = export.to_onnx(tiny_model, tmp_path, single_mask=True, from_pixels=False)
    torch.manual_seed(5)
    for points in (1, 4):
        inputs = export.example_prompts(tiny_model, 3, points)
        named = {n: t.numpy() for n, t in zip(export.DECODER_INPUTS, inputs, strict=True)}
        _, iou, low = session(done.decoder).run(None, named)
        with torch.no_grad():
            everything = export.DecoderGraph(tiny_model, False)(*inputs)
        best = everything[1].argmax(1) if points == 4 else everything[1][:, 1:].argmax(1) + 1
        best = torch.zeros(3, dtype=torch.long) if points == 4 else best
        assert_same(low[:, 0], everything[2][torch.arange(3), best])
        assert iou.shape == (3, 1)
    images = torch.randn(3, 3, 256, 256)
    found = session(done.encoders["fp32"]).run(None, {"input_image": images.numpy()})[0]
    with torch.no_grad():
        assert_same(found, tiny_model.encode_images(images))


def test_torch_export(noted_model, tmp_path):
    noted = {"ultrasam": ""}
    program = torch.export.load(export.to_torch_export(noted_model, tmp_path), extra_files=noted)
    assert json.loads(noted["ultrasam"]) == {"closer": True}
    images = torch.randn(3, 3, 256, 256)
    with torch.no_grad():
        assert_same(program.module()(images), noted_model.encode_images(images))


def test_export_leaves_the_model_as_it_was(tiny_model, exported):
    assert all(block.attn.implementation is None for block in tiny_model.image_encoder.blocks)
    with pytest.raises(ConfigError, match="fp32, fp16, int8"):
        export.to_onnx(tiny_model, "x", precisions=("int4",))
