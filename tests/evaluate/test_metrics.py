"""Metrics against values worked out by hand, and against SciPy's distance transform and erosion."""

import math

import numpy as np
import pytest

from ultrasam.data import coco
from ultrasam.errors import DataError
from ultrasam.evaluate.metrics import (
    ClicksTo,
    border,
    border_distances,
    boundary_tolerance,
    calibration,
    clicks_to,
    dice,
    iou,
    iou_to_dice,
    rle_iou,
)


def square(x, y, side, shape=(60, 80)):
    mask = np.zeros(shape, bool)
    mask[y : y + side, x : x + side] = True
    return mask


def blobs(seed, shape=(90, 120)):
    """A random mask with ragged borders, holes and parts at the image's edge."""
    ndimage = pytest.importorskip("scipy.ndimage", reason="scipy, the oracle, is not installed")
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 5)
    return field > np.quantile(field, 0.7)


def test_overlap_by_hand():
    a, b = square(10, 10, 20), square(20, 10, 20)
    assert iou(a, b) == pytest.approx(200 / 600) and dice(a, b) == pytest.approx(400 / 800)
    empty = np.zeros_like(a)
    assert iou(a, empty) == dice(a, empty) == 0 and iou(empty, empty) == dice(empty, empty) == 1
    codes = rle_iou([coco.encode(a), coco.encode(empty)], [coco.encode(b), coco.encode(b)])
    assert codes.tolist() == pytest.approx([200 / 600, 0])
    assert iou_to_dice(codes).tolist() == pytest.approx([400 / 800, 0])


def test_border_is_one_pixel_wide_and_counts_the_edge_of_the_image():
    assert len(border(square(10, 10, 6))) == 20
    assert len(border(np.ones((5, 7), bool))) == 20
    assert border(square(3, 2, 1)).tolist() == [[3.5, 2.5]]
    ring = square(10, 10, 9)
    ring[14, 14] = False
    assert len(border(ring)) == 32 + 4
    assert border(np.zeros((4, 4), bool)).shape == (0, 2)


def test_shifted_squares_by_hand():
    a, b = square(10, 10, 20), square(13, 10, 20)
    distances = border_distances(a, b)
    # Of a's 76 border pixels, the left column is 3 away, and so is most of the right one, which lies inside.
    for both in (distances.prediction, distances.target):
        values, counts = np.unique(both, return_counts=True)
        assert values.tolist() == [0, 1, 2, 3] and counts.tolist() == [34, 4, 4, 34]
    assert distances.hausdorff(100) == distances.hausdorff() == 3
    assert distances.f_score(3) == 1.0
    assert border_distances(a, b, (0.5, 2.0)).hausdorff() == pytest.approx(1.5)
    assert border_distances(a.T, b.T, (0.5, 2.0)).hausdorff() == pytest.approx(6)


def test_a_frame_has_the_f_score_of_its_share():
    # The larger square's border is 2 pixels (at its corners 2 sqrt 2) outside of the smaller one's.
    small, large = square(20, 20, 10), square(18, 18, 14)
    distances = border_distances(large, small)
    assert distances.f_score(1) == 0 and distances.f_score(3) == 1
    precision = 1 - 4 * 1 / 52
    assert distances.f_score(2.5) == pytest.approx(2 * precision / (precision + 1))
    assert distances.hausdorff(100) == pytest.approx(math.sqrt(8))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("spacing", [None, (0.2, 0.35)])
def test_equals_distances_by_scipy(seed, spacing):
    ndimage = pytest.importorskip("scipy.ndimage", reason="scipy, the oracle, is not installed")
    a, b = blobs(seed), blobs(seed + 100)
    edges = [m ^ ndimage.binary_erosion(m) for m in (a, b)]
    sampling = (spacing or (1.0, 1.0))[::-1]
    maps = [ndimage.distance_transform_edt(~edge, sampling=sampling) for edge in edges]
    distances = border_distances(a, b, spacing)
    assert np.sort(distances.prediction) == pytest.approx(np.sort(maps[1][edges[0]]), abs=1e-9)
    assert np.sort(distances.target) == pytest.approx(np.sort(maps[0][edges[1]]), abs=1e-9)
    expected = max(np.percentile(maps[1][edges[0]], 95), np.percentile(maps[0][edges[1]], 95))
    assert distances.hausdorff() == pytest.approx(expected)


def test_equals_monai_where_it_is_installed():
    monai = pytest.importorskip("monai.metrics", reason="monai is not installed")
    import torch

    a, b = blobs(1), blobs(2)
    tensors = [torch.from_numpy(m)[None, None].float() for m in (a, b)]
    found = monai.compute_hausdorff_distance(*tensors, include_background=True, percentile=95)
    assert border_distances(a, b).hausdorff() == pytest.approx(float(found))


def test_long_borders_take_the_same_way_in_parts():
    rows, columns = np.mgrid[:200, :200]
    chess = (rows + columns) % 2 == 0
    distances = border_distances(chess, ~chess)
    assert len(distances.prediction) == 20000
    assert (distances.prediction == 1).all() and (distances.target == 1).all()


def test_empty_masks():
    full, empty = square(5, 5, 9), np.zeros((60, 80), bool)
    assert border_distances(empty, full).hausdorff() == math.inf
    assert border_distances(full, empty).f_score(5) == 0
    nothing = border_distances(empty, empty)
    assert nothing.hausdorff() == 0 and nothing.f_score(1) == 1


def test_tolerance_follows_the_diagonal():
    assert boundary_tolerance((300, 400)) == 4 and boundary_tolerance((8, 8)) == 1
    assert boundary_tolerance((768, 1024)) == 11


def test_clicks_by_hand():
    ious = [[0.5, 0.9, 0.95], [0.86, 0.2, 0.2], [0.1, 0.2, 0.3], [0.1, 0.2, 0.85]]
    assert clicks_to(ious, 0.85) == ClicksTo((2 + 1 + 3 + 3) / 4, 0.25)
    assert clicks_to(ious, 0.9) == ClicksTo((2 + 3 + 3 + 3) / 4, 0.75)


def test_calibration_by_hand():
    found = calibration([0.95, 0.85, 0.82, 0.4, 1.2], [0.9, 0.7, 0.9, 0.6, 1.0])
    assert [(round(p, 3), round(r, 3), n) for p, r, n in found.bins] == [
        (0.4, 0.6, 1),
        (0.835, 0.8, 2),
        (1.075, 0.95, 2),
    ]
    assert found.error == pytest.approx((0.2 + 2 * 0.035 + 2 * 0.125) / 5)
    assert found.bias == pytest.approx((0.05 + 0.15 - 0.08 - 0.2 + 0.2) / 5)
    assert calibration([0.1, 0.5, 0.9], [0.2, 0.4, 0.6]).correlation == pytest.approx(1)
    assert math.isnan(calibration([0.5, 0.5], [0.2, 0.4]).correlation)


def test_bad_arguments_are_named():
    with pytest.raises(DataError, match="of one size"):
        iou(np.ones((4, 5), bool), np.ones((5, 4), bool))
    for spacing in ((0, 1), (1, -1), (1,), (float("nan"), 1)):
        with pytest.raises(DataError, match="positive"):
            border_distances(square(1, 1, 3), square(1, 1, 4), spacing)
