"""One rule: continuous pixels, but for segment-anything's names, which take its pixel indices."""

import json

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor
from segment_anything.utils.transforms import ResizeLongestSide

from ultrasam.cli.main import main
from ultrasam.data import coco
from ultrasam.data.images import read_image, write_image
from ultrasam.errors import PromptError
from ultrasam.evaluate.prompting import object_prompts
from ultrasam.modeling.build import Variant, build_variant
from ultrasam.predict.object_prompt import ObjectPrompt, check, pack
from ultrasam.predict.predictor import Predictor
from ultrasam.preprocess import Geometry
from ultrasam.types import pixel_centers, pixel_indices

TINY = Variant(embed_dim=48, depth=2, num_heads=4, global_attn_indexes=(1,), img_size=128, window_size=8)
INDICES = np.array([[0.0, 0], [70, 50], [139, 89], [20.25, 33.5]])
BOX = np.array([20.0, 10, 90.5, 70])


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    network = build_variant(TINY).eval()
    with torch.no_grad():
        for mlp in network.mask_decoder.output_hypernetworks_mlps:
            mlp.layers[-1].weight.mul_(20)
    return network


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 255, (90, 140, 3), dtype=np.uint8)


def test_the_door():
    assert pixel_centers(np.zeros(2)).tolist() == [0.5, 0.5]
    for values in (INDICES, torch.from_numpy(INDICES)):
        assert (pixel_indices(pixel_centers(values)) == values).all()


@pytest.mark.parametrize("size", [(90, 140), (300, 200), (64, 64)])
def test_prompts_lie_where_segment_anything_puts_them(size):
    """It scales pixel indices and the corners of boxes, and adds half a pixel of the input in its encoder."""
    entry = ObjectPrompt(pixel_centers(np.minimum(INDICES, 60)), box=np.minimum(BOX, 60))
    geometries = [Geometry.of(*size, 128)]
    packed = pack(check([entry], geometries, (32, 32)), geometries, (32, 32))
    theirs = ResizeLongestSide(128)
    points = theirs.apply_coords(np.minimum(INDICES, 60), size).astype(np.float32) + np.float32(0.5)
    box = theirs.apply_boxes(np.minimum(BOX, 60)[None], size).astype(np.float32) + np.float32(0.5)
    assert np.array_equal(packed.points[0], points) and np.array_equal(packed.boxes, box)


@pytest.mark.parametrize("closer", [False, True])
def test_names_of_segment_anything_take_indices_and_our_own_continuous_pixels(model, image, closer):
    predictor = Predictor(model, closer=closer)
    predictor.set_image(image)
    for row in INDICES:
        ours = predictor.segment([ObjectPrompt([row + 0.5]), ObjectPrompt([row + 0.5], box=BOX)])
        for i, box in enumerate((None, BOX)):
            masks, iou, _ = predictor.predict(row[None], [1], box)
            batch = predictor.predict_batch([row[None]], [[1]], [box])
            best = predictor.segment([ObjectPrompt([row + 0.5], box=box)], multimask=True)
            assert np.array_equal(masks[iou.argmax()], best.masks[0]) and iou.max() == best.scores[0]
            assert np.array_equal(batch[0][0], masks)
            alone = predictor.predict(row[None], [1], box, multimask_output=False)
            assert np.array_equal(alone[0][0], ours.masks[i])


def test_a_point_of_ours_is_segment_anythings_index(model, image):
    ours, theirs = Predictor(model, resampling="pillow"), SamPredictor(model)
    ours.set_image(image)
    theirs.set_image(image)
    found = ours.segment([ObjectPrompt([row + 0.5]) for row in INDICES]).logits
    for row, logits in zip(INDICES, found, strict=True):
        expected = theirs.predict(row[None], np.ones(1), multimask_output=False)[2]
        assert np.abs(logits - expected[0]).max() < 1e-4
    moved = ours.segment([ObjectPrompt([INDICES[1]])]).logits
    assert np.abs(moved[0] - found[1]).max() > 1e-3


def test_points_beyond_the_image(model, image):
    predictor = Predictor(model)
    predictor.set_image(image)
    # Half a pixel for indices that are places: the last column is 139, its right edge 140.
    for point in ([0, 0], [140, 90], [140.5, 90.5]):
        predictor.segment([ObjectPrompt([point])])
    for point in ([-0.1, 5], [5, -0.1], [140.6, 5], [5, 90.6]):
        with pytest.raises(PromptError, match="outside its image of 140 x 90"):
            predictor.segment([ObjectPrompt([point])])


def test_files_of_the_command_line(model, image, tmp_path):
    torch.save(model.state_dict(), tmp_path / "w.pth")
    write_image(tmp_path / "scan.png", image)
    predictor = Predictor(model)
    predictor.set_image(image)
    for number, row in enumerate(INDICES[1:3]):
        x, y = row + 0.5
        out = tmp_path / str(number)
        args = ["--checkpoint", tmp_path / "w.pth", "--point", f"{x},{y}", "--out", out, "--device", "cpu"]
        assert main(["predict", str(tmp_path / "scan.png"), *map(str, args), "--quiet"]) == 0
        (entry,) = json.loads((out / "predictions.json").read_text())["annotations"]
        masks, iou, _ = predictor.predict(row[None], [1])
        assert np.array_equal(read_image(out / entry["mask"])[..., 0] > 0, masks[iou.argmax()])


def test_evaluation_asks_for_the_middle_of_the_mask(tmp_path):
    mask = np.zeros((90, 140), bool)
    mask[20:31, 40:51] = True
    item = coco.CocoImage(1, tmp_path / "x.png", mask.shape, "")
    (point,) = object_prompts(item, [mask], "point")
    assert np.asarray(point.points).tolist() == [[45.5, 25.5]]
