"""Files for X-AnyLabeling, run as that runs them: with its letterbox of 684 x 1024, its 256-cell mask."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

import ultrasam
from ultrasam.cli import main
from ultrasam.export.closer_graphs import CloserDecoder
from ultrasam.export.frame_graphs import FrameDecoder
from ultrasam.export.x_anylabeling import to_x_anylabeling
from ultrasam.phantom import simulate
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor

onnxruntime = pytest.importorskip("onnxruntime")
yaml = pytest.importorskip("yaml")


class Client:
    """What the client does with a picture and a prompt, in numbers."""

    def __init__(self, config):
        self.config = yaml.safe_load(config.read_text())
        paths = [config.parent / self.config[f"{part}_model_path"] for part in ("encoder", "decoder")]
        self.encoder, self.decoder = (
            onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]) for path in paths
        )

    def encode(self, picture):
        h, w = picture.shape[:2]
        self.scale = min(1024 / w, 684 / h)
        moved = np.array([[self.scale, 0, 0], [0, self.scale, 0]])
        frame = cv2.warpAffine(picture, moved, (1024, 684), flags=cv2.INTER_LINEAR).astype(np.float32)
        self.features = self.encoder.run(None, {self.encoder.get_inputs()[0].name: frame})[0]

    def masks(self, points, labels, picture):
        prompt = np.array([*points, [0, 0]], np.float32)[None] * np.float32(self.scale)
        logits, iou, low = self.decoder.run(
            None,
            {
                "image_embeddings": self.features,
                "point_coords": prompt,
                "point_labels": np.array([*labels, -1], np.float32)[None],
                "mask_input": np.zeros((1, 1, 256, 256), np.float32),
                "has_mask_input": np.zeros(1, np.float32),
                "orig_im_size": np.array([684, 1024], np.float32),
            },
        )
        back = np.array([[1 / self.scale, 0, 0], [0, 1 / self.scale, 0]])
        size = picture.shape[1::-1]
        return cv2.warpAffine(logits[0, 0], back, size, flags=cv2.INTER_LINEAR) > 0, iou, low


@pytest.fixture(scope="module")
def small():
    return Predictor("small")


@pytest.fixture(scope="module")
def client(small, tmp_path_factory):
    files = to_x_anylabeling(small.model, tmp_path_factory.mktemp("client"), "small, mine")
    return Client(files.config)


@pytest.fixture(scope="module")
def plain():
    """A predictor whose weights want no closer view."""
    model = ultrasam.load("small").eval()
    model.usage = replace(model.usage, closer=False)
    return Predictor(model)


@pytest.fixture(scope="module")
def plain_client(plain, tmp_path_factory):
    return Client(to_x_anylabeling(plain.model, tmp_path_factory.mktemp("plain"), "plain").config)


def lesion(height, width):
    """A simulated picture cut to a size, with the mask of an object in it and the object's box."""
    made = simulate(1, 3, size=900)
    mask = max((entry.mask for entry in made.objects), key=np.sum)
    y, x = (int(v.mean()) for v in np.nonzero(mask))
    top, left = (int(np.clip(c - n / 2, 0, 900 - n)) for c, n in ((y, height), (x, width)))
    picture = np.repeat(made.image[..., None], 3, axis=2)[top : top + height, left : left + width]
    mask = mask[top : top + height, left : left + width]
    ys, xs = np.nonzero(mask)
    return np.ascontiguousarray(picture), mask, [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


def dice(a, b):
    return 2 * np.sum(a & b) / (a.sum() + b.sum())


def same(client, predictor, size):
    """A box, a click, and a click that a second one corrects, as the client and the predictor see them."""
    picture, truth, box = lesion(*size)
    client.encode(picture)
    predictor.set_image(picture)
    found, iou, low = client.masks([box[:2], box[2:]], [2, 3], picture)
    ours = predictor.segment([ObjectPrompt(box=box)])
    assert dice(found, ours.masks[0]) > 0.97
    assert abs(iou[0, 0] - ours.scores[0]) < 0.02 and low.shape == (1, 1, 256, 256)
    assert dice(found, truth) > dice(ours.masks[0], truth) - 0.02
    # The client sends whole pixels; their centers are what was clicked at.
    inside = np.argwhere(cv2.erode(truth.astype(np.uint8), np.ones((9, 9))))
    point = [int(v) for v in inside.mean(0)[::-1]]
    found, _, _ = client.masks([point], [1], picture)
    center = [v + 0.5 for v in point]
    ours = predictor.segment([ObjectPrompt(points=[center])], multimask=True)
    assert dice(found, ours.masks[0]) > 0.97
    outside = [max(int(v) - 3, 0) for v in inside[0][::-1]]
    found, _, _ = client.masks([point, outside], [1, 0], picture)
    ours = predictor.segment([ObjectPrompt([center, [v + 0.5 for v in outside]], [1, 0])])
    assert dice(found, ours.masks[0]) > 0.97


@pytest.mark.parametrize("size", [(300, 720), (800, 400), (512, 512), (480, 640)])
def test_same_masks_as_the_predictor_whatever_the_shape(client, small, size):
    same(client, small, size)


@pytest.mark.parametrize("size", [(300, 720), (800, 400)])
def test_same_masks_without_a_closer_view(plain_client, plain, size):
    same(plain_client, plain, size)


def test_a_small_object_is_found_where_one_look_at_the_picture_finds_nothing(client, small, plain):
    """What a second look is for: 40 of 900 pixels."""
    picture, truth, _ = lesion(600, 600)
    scene = cv2.resize(picture, (60, 60), interpolation=cv2.INTER_AREA)
    wide = np.full((600, 900, 3), 90, np.uint8)
    wide += np.random.default_rng(0).integers(0, 30, wide.shape, np.uint8)
    wide[300:360, 500:560] = scene
    ys, xs = np.nonzero(cv2.resize(truth.astype(np.uint8), (60, 60)))
    box = [500 + xs.min(), 300 + ys.min(), 501 + xs.max(), 301 + ys.max()]
    client.encode(wide)
    found, _, _ = client.masks([box[:2], box[2:]], [2, 3], wide)
    small.set_image(wide)
    assert dice(found, small.segment([ObjectPrompt(box=box)]).masks[0]) > 0.97


@pytest.mark.parametrize("closer", [True, False])
def test_a_mask_that_was_given_back_is_a_prompt_for_the_next_click(request, closer):
    names = ("client", "small") if closer else ("plain_client", "plain")
    client, predictor = (request.getfixturevalue(name) for name in names)
    picture, _, box = lesion(512, 512)
    client.encode(picture)
    _, _, low = client.masks([box[:2], box[2:]], [2, 3], picture)
    assert low.shape == (1, 1, 256, 256)
    middle = np.array([(box[0] + box[2]) // 2, (box[1] + box[3]) // 2])
    points = np.array([[*(middle * client.scale), 1], [0, 0, -1]], np.float32)
    inputs = {
        "image_embeddings": client.features,
        "point_coords": points[None, :, :2],
        "point_labels": points[None, :, 2],
        "mask_input": low,
        "has_mask_input": np.ones(1, np.float32),
        "orig_im_size": np.array([684, 1024], np.float32),
    }
    kind = CloserDecoder if closer else FrameDecoder
    with torch.no_grad():
        ours = kind(predictor.model).eval()(*map(torch.from_numpy, inputs.values()))
    found = client.decoder.run(None, inputs)
    for mine, expected in zip(found, ours, strict=True):
        np.testing.assert_allclose(mine, expected.numpy(), rtol=0, atol=2e-3)
    predictor.set_image(picture)
    before = predictor.segment([ObjectPrompt(box=box)]).logits[0]
    after = predictor.segment([ObjectPrompt([middle + 0.5], mask=before)], multimask=True).masks[0]
    again = cv2.resize(found[0][0, 0, :, :684], (512, 512)) > 0
    assert dice(again, after) > 0.97


def test_pictures_for_the_whole_frame_and_too_large_ones(plain_client, plain, client):
    """Clients that send no letterbox: the longest side is 1024, masks are asked for at another size."""
    picture, _, box = lesion(450, 600)
    frame = cv2.resize(picture, (1024, 768)).astype(np.float32)
    features = plain_client.encoder.run(None, {"input_image": frame})[0]
    corners = np.array([[box[:2], box[2:]]], np.float32) * 1024 / 600
    prompt = [corners, np.array([[2, 3]], np.float32), np.zeros((1, 1, 256, 256), np.float32)]
    values = [features, *prompt, np.zeros(1, np.float32), np.array([450, 600], np.float32)]
    names = [entry.name for entry in plain_client.decoder.get_inputs()]
    logits = plain_client.decoder.run(None, dict(zip(names, values, strict=True)))[0]
    plain.set_image(picture)
    theirs = plain.segment([ObjectPrompt(box=box)], multimask=True).masks[0]
    assert logits.shape == (1, 1, 450, 600) and dice(logits[0, 0] > 0, theirs) > 0.97
    for encoder in (plain_client.encoder, client.encoder):
        with pytest.raises(Exception, match="sides_must_be_at_most_1024"):
            encoder.run(None, {"input_image": np.zeros((700, 1025, 3), np.float32)})


def test_black_pictures_and_the_configuration(client, tmp_path, tiny_weights, capsys):
    client.encode(np.zeros((30, 40, 3), np.uint8))
    assert client.masks([[5, 5]], [1], np.zeros((30, 40, 3)))[0].shape == (30, 40)
    assert client.config["type"] == "segment_anything" and client.config["name"] == "ultrasam-small_mine"
    asked = ["export", str(tiny_weights), "--for", "x-anylabeling", "--out", str(tmp_path)]
    assert main(asked) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "decoder.onnx",
        "encoder.onnx",
        "x-anylabeling.yaml",
    ]
    assert "Load Custom Model" in capsys.readouterr().out
    assert main([*asked, "--precision", "int8"]) == 2
    assert "--for takes no --precision" in capsys.readouterr().err
