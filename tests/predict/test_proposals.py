"""Boxes without a prompt: what the head's maps mean, worked out by hand, and which weights have a head."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from tests.kit.models import tiny
from ultrasam import Predictor, checkpoints
from ultrasam.checkpoints.places import OWN_FILE
from ultrasam.errors import CheckpointError
from ultrasam.export.predictor_files import to_predictor
from ultrasam.modeling.box_head import BoxHead
from ultrasam.predict import head_files
from ultrasam.predict.embeddings_cache import fingerprint
from ultrasam.predict.proposals import read_maps
from ultrasam.predict.torch_engine import box_head
from ultrasam.preprocess import Geometry

#: A picture of 400 x 200 in an input of 64: shown on 64 x 32 pixels, 8 by 4 of the cells of 8.
GEOMETRY = Geometry.of(200, 400, 64)


def maps(*cells):
    """Of (row, column, score, distances in pixels of the input)."""
    made = np.full((5, 8, 8), -20.0, dtype=np.float32)
    for row, column, score, sides in cells:
        made[0, row, column] = np.log(score / (1 - score))
        made[1:, row, column] = np.log(np.array(sides) / 8)
    return made


def test_a_cell_says_how_far_its_sides_are():
    found = read_maps(maps((1, 2, 0.75, (10, 4, 6, 8))), GEOMETRY, least=0.1)
    # The cell's center is (20, 12) in the input, a pixel of which is 400 / 64 of the picture.
    assert np.allclose(found.boxes, np.array([[10, 8, 26, 20]]) * 6.25) and np.allclose(found.scores, [0.75])


def test_boxes_end_at_the_border_and_padding_holds_none():
    found = read_maps(maps((3, 7, 0.9, (4, 9, 30, 30)), (5, 2, 0.95, (8, 8, 8, 8))), GEOMETRY, least=0.1)
    assert np.allclose(found.boxes, [[56 * 6.25, 19 * 6.25, 400, 200]])


def test_the_best_of_alike_boxes_in_order():
    near = ((1, 1, 0.6, (8, 8, 8, 8)), (1, 2, 0.8, (16, 8, 0.01, 8)))
    far = (2, 6, 0.7, (4, 4, 4, 4))
    found = read_maps(maps(*near, far), GEOMETRY, least=0.1)
    assert np.allclose(found.scores, [0.8, 0.7])
    assert len(read_maps(maps(*near, far), GEOMETRY, most=1)) == 1
    assert len(read_maps(maps(*near, far), GEOMETRY, least=0.9)) == 0
    assert read_maps(maps(), GEOMETRY, least=0.5).boxes.shape == (0, 4)


def test_the_head_is_small_and_sees_what_is_round_a_cell():
    torch.manual_seed(0)
    head = BoxHead().eval()
    assert sum(value.numel() for value in head.parameters()) < 500_000
    torch.nn.init.normal_(head.out.weight, std=0.1)
    features = torch.randn(2, 256, 16, 16)
    with torch.no_grad():
        found = head(features)
        features[0, :, 8, 8] += 1
        changed = head(features)
    assert found.shape == (2, 5, 32, 32)
    differs = (found != changed).any(dim=1)
    assert differs[0, 16:18, 16:18].all() and not differs[1].any()
    assert not differs[0, 0, 0] and differs[0].sum() > 100


@pytest.fixture
def own(tmp_path):
    """A model with a head of its own beside it."""
    model = tiny(3)
    path = tmp_path / "own.safetensors"
    checkpoints.save(model.state_dict(), path, "safetensors")
    torch.manual_seed(1)
    head = BoxHead()
    torch.nn.init.normal_(head.out.weight, std=0.1)
    state = {f"box.{name}": value.numpy() for name, value in head.state_dict().items()}
    save_file(state, head_files.beside(path), {"encoder": fingerprint(model.image_encoder)})
    return path, head.eval()


def test_both_engines_find_the_head_beside_the_weights(own, tmp_path):
    path, head = own
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    graphs = to_predictor(checkpoints.load(path), path.parent, "own")
    assert graphs.graph("heads").is_file()
    told = []
    for engine in ("torch", "onnx"):
        encoded = Predictor(path, engine=engine, device="cpu").encode(image)
        told.append(encoded.embedder.engine.propose(encoded.features))
        with torch.no_grad():
            expected = head(torch.as_tensor(encoded.features)).numpy()
        assert np.abs(told[-1] - expected).max() < 1e-3 and np.ptp(expected) > 0.5
    assert np.abs(told[0] - told[1]).max() < 1e-3


def test_other_weights_have_no_head(own):
    path, _ = own
    encoded = Predictor(tiny(4), device="cpu").encode(np.zeros((32, 32, 3), np.uint8))
    assert encoded.embedder.engine.propose(encoded.features) is None
    # Another model is written in the place of the first.
    graphs = to_predictor(tiny(4), path.parent, "own")
    assert not head_files.beside(path).exists() and not graphs.graph("heads").exists()
    encoded = Predictor(path, engine="onnx").encode(np.zeros((32, 32, 3), np.uint8))
    assert encoded.embedder.engine.propose(encoded.features) is None


def test_a_damaged_file_of_heads_is_named(own):
    path, _ = own
    head_files.beside(path).write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="own.heads.safetensors is not a readable file of heads"):
        Predictor(path, device="cpu").engine.propose(torch.zeros(1, 256, 16, 16))
    with pytest.raises(CheckpointError, match="no box head"):
        box_head({"stem.0.weight": np.zeros((1, 1), np.float32)})


def test_the_shipped_head_is_of_the_shipped_encoder():
    assert head_files.find(fingerprint(checkpoints.load().image_encoder)) == head_files.beside(OWN_FILE)
    assert head_files.beside(OWN_FILE).stat().st_size < 2_000_000
