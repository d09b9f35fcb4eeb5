"""Files for X-AnyLabeling, run as that runs them: pictures of any size, embeddings of one shape."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

import ultrasam
from ultrasam.cli import main
from ultrasam.errors import ConfigError
from ultrasam.export import fixed_point
from ultrasam.export.closer_graphs import CloserDecoder, kept_sides, region_graph, room_of
from ultrasam.export.onnx_files import write_graph
from ultrasam.export.picture_graphs import PictureDecoder
from ultrasam.export.pieces import cleaned
from ultrasam.export.x_anylabeling import to_x_anylabeling
from ultrasam.modeling.build import build_ultrasam
from ultrasam.phantom import simulate
from ultrasam.predict.cleanup import Cleanup
from ultrasam.predict.masks import Part
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor
from ultrasam.preprocess import region

onnxruntime = pytest.importorskip("onnxruntime")
yaml = pytest.importorskip("yaml")


class Client:
    """What the client's type does with a picture and a prompt, in numbers."""

    def __init__(self, config):
        self.config = yaml.safe_load(config.read_text())
        paths = [config.parent / self.config[f"{part}_model_path"] for part in ("encoder", "decoder")]
        self.encoder, self.decoder = (
            onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]) for path in paths
        )

    def encode(self, picture):
        self.sides = picture.shape[:2]
        self.features = self.encoder.run(None, {self.encoder.get_inputs()[0].name: picture})[0]
        assert self.features.shape == (1, 256, 64, 64)

    def asked(self, points, labels):
        scale = self.config["target_size"] / max(self.sides)
        factors = [int(side * scale + 0.5) / side for side in self.sides[::-1]]
        return {
            "image_embeddings": self.features,
            "point_coords": (np.array(points, np.float32) * factors).astype(np.float32)[None],
            "point_labels": np.array(labels, np.float32)[None],
            "mask_input": np.zeros((1, 1, 256, 256), np.float32),
            "has_mask_input": np.zeros(1, np.float32),
            "orig_im_size": np.array(self.sides, np.float32),
        }

    def masks(self, points, labels):
        logits, iou, low = self.decoder.run(None, self.asked(points, labels))
        return logits[0, 0] > 0, iou, low


@pytest.fixture(scope="module")
def small():
    return Predictor("small", engine="torch")


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


def prompts(mask, box):
    """A box, and one, two and three clicks, in whole pixels: points and labels as the client has them."""
    inside = np.argwhere(cv2.erode(mask.astype(np.uint8), np.ones((9, 9))))
    middle, first, last = ([int(v) for v in place[::-1]] for place in (inside.mean(0), inside[0], inside[-1]))
    outside = [max(first[0] - 3, 0), max(first[1] - 30, 0)]
    yield [box[:2], box[2:]], [2, 3]
    yield [middle], [1]
    yield [middle, outside], [1, 0]
    yield [middle, outside, last], [1, 0, 1]


def as_prompt(points, labels):
    """The same for the predictor: the centers of clicked pixels, the edges of boxes."""
    if labels[0] == 2:
        return ObjectPrompt(box=np.ravel(points))
    return ObjectPrompt([[x + 0.5, y + 0.5] for x, y in points], labels)


@pytest.mark.parametrize("size", [(300, 720), (800, 400), (512, 512), (201, 240)])
@pytest.mark.parametrize("closer", [True, False])
def test_same_masks_as_the_predictor_whatever_the_shape(request, closer, size):
    names = ("client", "small") if closer else ("plain_client", "plain")
    client, predictor = (request.getfixturevalue(name) for name in names)
    picture, mask, box = lesion(*size)
    client.encode(picture)
    predictor.set_image(picture)
    for points, labels in prompts(mask, box):
        found, iou, low = client.masks(points, labels)
        ours = predictor.segment([as_prompt(points, labels)], multimask=len(points) == 1)
        assert found.shape == size and low.shape == (1, 1, 256, 256) and found.any()
        assert dice(found, ours.masks[0]) > 0.995, labels
        assert abs(iou[0, 0] - ours.scores[0]) < 0.01


def run_graph(function, path, example, *inputs):
    """A function as an ONNX graph, with all sides free."""
    module = torch.nn.Module()
    module.forward = function
    axes = {"first": {k: f"side{k}" for k in range(example[0].ndim)}}
    write_graph(module, example, path, ["first", "second"], ["found"], axes)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for first, second in inputs:
        yield session.run(None, {"first": first, "second": second})[0]


def test_graphs_resize_as_opencv_to_the_bit(tmp_path):
    rng = np.random.default_rng(0)
    sizes = [
        ((53, 81), (17, 26)),
        ((21, 21), (26, 26)),
        ((64, 40), (32, 20)),
        ((3, 30), (1, 12)),
        ((9, 1), (26, 1)),
    ]
    pictures = [rng.integers(0, 256, (*old, 3), dtype=np.uint8) for old, _ in sizes]
    given = [
        (picture.transpose(2, 0, 1)[None].astype(np.float32), np.array(new))
        for picture, (_, new) in zip(pictures, sizes, strict=True)
    ]
    example = (torch.zeros(1, 3, 8, 9), torch.tensor([4, 5]))
    found = run_graph(fixed_point.resize, tmp_path / "resize.onnx", example, *given)
    for picture, (_, new), mine in zip(pictures, sizes, found, strict=True):
        expected = cv2.resize(picture, new[::-1], interpolation=cv2.INTER_LINEAR).reshape(*new, 3)
        assert np.array_equal(mine[0].transpose(1, 2, 0), expected)


def test_graphs_cut_out_the_predictors_regions(tmp_path):
    """Boxes of whole pixels, of which many have their region's edge on one."""
    boxes = [np.array([x, 40, x + side, 60], np.float32) for side in range(21, 200) for x in (47, 0)]
    example = (torch.tensor([1.0, 2, 30, 40]), torch.tensor([238, 240]))
    given = [(box, np.array([238, 240])) for box in boxes]
    found = run_graph(lambda *of: torch.cat(region_graph(*of)), tmp_path / "region.onnx", example, *given)
    assert [tuple(edges) for edges in found] == [region(box, 238, 240) for box in boxes]


@pytest.mark.parametrize("clicked", [True, False])
def test_floods_clean_masks_as_the_predictor_does(tmp_path, clicked):
    """Masks of many pieces and holes; a click in a piece and one in a hole, or none."""
    rng = np.random.default_rng(0)
    given, expected = [], []
    for _ in range(12):
        noise = cv2.GaussianBlur(rng.normal(0, 1, (60, 90)).astype(np.float32), (0, 0), 3)
        disc = np.hypot(*(np.mgrid[:60, :90] - np.array([30, 45])[:, None, None])) < 22
        mask = noise + 0.12 * disc > 0.1
        inside = rng.permutation(np.argwhere(mask))[:1, ::-1] + 0.5
        outside = rng.permutation(np.argwhere(~mask))[:1, ::-1] + 0.5
        part = Part(slice(0, 90), slice(0, 60), mask.T)
        said = Cleanup(inside, outside) if clicked else Cleanup(np.zeros((0, 2)), np.zeros((0, 2)))
        expected.append(said(part).mask.T)
        assert not np.array_equal(expected[-1], mask)
        points = np.concatenate([inside, outside])[None].astype(np.float32)
        given.append((np.where(mask, 2, -2).astype(np.float32)[None, None], points))
    labels = torch.tensor([[1.0, 0.0] if clicked else [-1.0, -1.0]])
    example = (torch.randn(1, 1, 20, 30), torch.rand(1, 2, 2))
    graph = run_graph(lambda a, b: cleaned(a, b, labels, 10.0), tmp_path / "clean.onnx", example, *given)
    for mine, theirs in zip(graph, expected, strict=True):
        assert np.array_equal(mine[0, 0] > 0, theirs)


def test_masks_in_one_piece_where_the_weights_note_it(tmp_path):
    model = ultrasam.load("small").eval()
    model.usage = replace(model.usage, cleanup=True)
    predictor, plain = Predictor(model), Predictor(model, cleanup=False)
    client = Client(to_x_anylabeling(model, tmp_path, "clean").config)
    picture, mask, box = lesion(300, 420)
    # Much of it in the dark: the model is less sure of what belongs together.
    picture[::7] = picture[::7] // 4
    client.encode(picture)
    predictor.set_image(picture)
    plain.set_image(picture)
    changed = 0
    for points, labels in prompts(mask, box):
        found, _, _ = client.masks(points, labels)
        asked, several = [as_prompt(points, labels)], len(points) == 1
        ours = predictor.segment(asked, multimask=several).masks[0]
        assert dice(found, ours) > 0.995, labels
        changed += not np.array_equal(ours, plain.segment(asked, multimask=several).masks[0])
    assert changed


def test_a_picture_larger_than_an_embedding_is_kept_smaller(client, small):
    picture, mask, _ = lesion(800, 800)
    large = cv2.resize(picture, (1800, 1500), interpolation=cv2.INTER_CUBIC)
    truth = cv2.resize(mask.astype(np.uint8), (1800, 1500), interpolation=cv2.INTER_NEAREST).astype(bool)
    ys, xs = np.nonzero(truth)
    assert kept_sides(torch.tensor([1500, 1800]), room_of(small.model)).tolist() == [905, 1086]
    client.encode(large)
    small.set_image(large)
    for points, labels in prompts(truth, [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]):
        found, _, _ = client.masks(points, labels)
        ours = small.segment([as_prompt(points, labels)], multimask=len(points) == 1)
        assert found.shape == (1500, 1800) and dice(found, ours.masks[0]) > 0.98, labels


def test_a_small_object_is_found_where_one_look_at_the_picture_finds_nothing(client, small):
    """What a second look is for: 40 of 900 pixels."""
    picture, truth, _ = lesion(600, 600)
    scene = cv2.resize(picture, (60, 60), interpolation=cv2.INTER_AREA)
    wide = np.full((600, 900, 3), 90, np.uint8)
    wide += np.random.default_rng(0).integers(0, 30, wide.shape, np.uint8)
    wide[300:360, 500:560] = scene
    ys, xs = np.nonzero(cv2.resize(truth.astype(np.uint8), (60, 60)))
    box = [500 + xs.min(), 300 + ys.min(), 501 + xs.max(), 301 + ys.max()]
    client.encode(wide)
    found, _, _ = client.masks([box[:2], box[2:]], [2, 3])
    small.set_image(wide)
    assert dice(found, small.segment([ObjectPrompt(box=box)]).masks[0]) > 0.995


@pytest.mark.parametrize("closer", [True, False])
def test_a_mask_that_was_given_back_is_a_prompt_for_the_next_click(request, closer):
    names = ("client", "small") if closer else ("plain_client", "plain")
    client, predictor = (request.getfixturevalue(name) for name in names)
    picture, _, box = lesion(512, 512)
    client.encode(picture)
    _, _, low = client.masks([box[:2], box[2:]], [2, 3])
    middle = np.array([(box[0] + box[2]) // 2, (box[1] + box[3]) // 2])
    inputs = {**client.asked([middle], [1]), "mask_input": low, "has_mask_input": np.ones(1, np.float32)}
    kind = CloserDecoder if closer else PictureDecoder
    with torch.no_grad():
        ours = kind(predictor.model).eval()(*map(torch.from_numpy, inputs.values()))
    found = client.decoder.run(None, inputs)
    for mine, expected in zip(found, ours, strict=True):
        np.testing.assert_allclose(mine, expected.numpy(), rtol=0, atol=2e-3)
    predictor.set_image(picture)
    before = predictor.segment([ObjectPrompt(box=box)]).logits[0]
    after = predictor.segment([ObjectPrompt([middle + 0.5], mask=before)], multimask=True).masks[0]
    assert dice(found[0][0, 0] > 0, after) > 0.97


def test_weights_that_do_not_fit_the_client_are_refused(tmp_path):
    model = build_ultrasam("vit_t", img_size=1024)
    model.usage = replace(model.usage, closer=True)
    with pytest.raises(ConfigError, match="leaves X-AnyLabeling no room for the picture"):
        to_x_anylabeling(model, tmp_path, "large")
    with pytest.raises(ConfigError, match="takes embeddings of 1048576 numbers"):
        to_x_anylabeling(build_ultrasam("vit_t", img_size=1088), tmp_path, "larger")


def test_black_pictures_and_the_configuration(client, tmp_path, tiny_weights, capsys):
    client.encode(np.zeros((30, 40, 3), np.uint8))
    assert client.masks([[5, 5]], [1])[0].shape == (30, 40)
    assert client.config["type"] == "efficientvit_sam" and client.config["name"] == "ultrasam-small_mine"
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
