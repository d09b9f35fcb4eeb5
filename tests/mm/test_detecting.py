"""MMDetection's own detectors propose what they find: beside MMDetection's inference, and by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from mmdet.apis import inference_detector, init_detector

from tests.kit.mmdet_models import NAMES, rtmdet_boxes, write_mask_rcnn, write_rtmdet
from tests.kit.pictures import waves
from ultrasam.data.images import read_image
from ultrasam.errors import CheckpointError, ConfigError, UltraSamError
from ultrasam.mm import missing_ops
from ultrasam.mm.engine.detecting import Detector, TrainedProposer
from ultrasam.predict.predictor import Predictor


@pytest.fixture
def path(tmp_path):
    """A picture whose three colors differ."""
    cv2.imwrite(str(tmp_path / "a.png"), waves(120, 200))
    return tmp_path / "a.png"


@pytest.fixture
def rtmdet(tmp_path):
    return write_rtmdet(tmp_path / "rtmdet")


def test_boxes_scores_and_names_are_those_that_the_weights_give(rtmdet, path, tiny_model):
    encoded = Predictor(tiny_model).encode(read_image(path))
    proposer = TrainedProposer.load(*rtmdet, 0.7)
    assert (proposer.title, proposer.names) == ("rtmdet_tiny", list(NAMES))
    found = proposer.propose(encoded)
    expected = rtmdet_boxes(120, 200)
    np.testing.assert_allclose(sorted(found.boxes.tolist()), sorted(expected), atol=1e-3)
    np.testing.assert_allclose(found.scores, 0.9, atol=1e-6)
    assert set(found.labels.tolist()) == {1} and found.masks is None
    # With a lower threshold the other class comes too, after those that are surer.
    scores = TrainedProposer.load(*rtmdet, 0.3).propose(encoded).scores
    np.testing.assert_allclose(scores, [0.9] * len(expected) + [0.6] * len(expected), atol=1e-6)


def test_a_detector_with_masks_finds_what_mmdetection_finds(tmp_path, path, tiny_model):
    config, checkpoint = write_mask_rcnn(tmp_path / "mask_rcnn")
    peer = inference_detector(
        init_detector(str(config), str(checkpoint), device="cpu"), str(path)
    ).pred_instances
    assert len(peer) > 2 and peer.masks.any()
    encoded = Predictor(tiny_model).encode(read_image(path))
    found = TrainedProposer.load(config, checkpoint, 0.0).propose(encoded)
    order = np.argsort(-peer.scores.numpy(), kind="stable")
    np.testing.assert_allclose(found.boxes, peer.bboxes.numpy()[order], atol=1e-4)
    np.testing.assert_allclose(found.scores, peer.scores.numpy()[order], atol=1e-6)
    assert np.array_equal(found.labels, peer.labels.numpy()[order])
    assert np.array_equal(found.masks, peer.masks.numpy()[order])
    # The order of the colors counts.
    turned = TrainedProposer.load(config, checkpoint, 0.0).propose(
        Predictor(tiny_model).encode(np.ascontiguousarray(read_image(path)[..., ::-1]))
    )
    assert not np.allclose(turned.scores, found.scores, atol=1e-4)


def test_what_does_not_belong_together_is_said(rtmdet, tmp_path, tiny_model):
    config, checkpoint = rtmdet
    unnamed = write_rtmdet(tmp_path / "unnamed", None)
    with pytest.raises(ConfigError, match=r"nothing names the 2 classes .*dataset\.metainfo\.classes"):
        Detector.load(*unnamed)
    named = tmp_path / "named.py"
    named.write_text(
        unnamed[0].read_text() + "test_dataloader['dataset']['metainfo'] = dict(classes=('a', 'b'))\n"
    )
    assert Detector.load(named, unnamed[1]).names == ["a", "b"]
    with pytest.raises(CheckpointError, match="does not fit"):
        Detector.load(config, write_mask_rcnn(tmp_path / "other")[1])
    with pytest.raises(CheckpointError, match=r"weights .*nope\.pth can't be read"):
        Detector.load(config, tmp_path / "nope.pth")
    with pytest.raises(UltraSamError, match="between 0 and 1, nan does not"):
        TrainedProposer.load(config, checkpoint, float("nan"))
    with pytest.raises(ConfigError, match="outlines what a point or a box asks for"):
        Detector.load("ultrasam/ultrasam_vit-t_phantom", checkpoint)
    with pytest.raises(ConfigError, match="no detector of MMDetection"):
        Detector.load("downstream/classification/classifier_vit-t_phantom", checkpoint)
    bare = tmp_path / "bare.py"
    bare.write_text(config.read_text().replace("test_dataloader", "another"))
    with pytest.raises(ConfigError, match="does not say how images are read"):
        Detector.load(bare, checkpoint)
    predictor = Predictor(tiny_model)
    encoded = predictor.encode(waves(64, 64))
    alone = predictor.encoded_as(encoded.features, encoded.geometries)
    with pytest.raises(UltraSamError, match="needs the image itself"):
        TrainedProposer.load(config, checkpoint, 0.5).propose(alone)


def test_operators_that_were_not_built():
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 8], [20, 20, 29, 29]])
    scores = torch.tensor([0.5, 0.9, 0.1])
    # IoU of the first two: 72 / 81, and 90 / 100 where the last pixel counts.
    assert missing_ops.nms(boxes, scores, 0.895).tolist() == [1, 0, 2]
    assert missing_ops.nms(boxes, scores, 0.895, 1).tolist() == [1, 2]
    # On a ramp the mean of a region is its middle; half a pixel lies between indices and places.
    ramp = torch.arange(20.0).expand(1, 1, 20, 20)
    out, empty = torch.zeros(1, 1, 2, 2), torch.zeros(0)
    roi = torch.tensor([[0.0, 4, 4, 12, 16]])
    size = {"aligned_height": 2, "aligned_width": 2, "spatial_scale": 1.0, "sampling_ratio": 2}
    missing_ops.roi_align_forward(ramp, roi, out, empty, empty, **size, pool_mode=1, aligned=True)
    assert out[0, 0].tolist() == [[5.5, 9.5]] * 2
    # Nothing is a pixel and more beyond the border.
    roi = torch.tensor([[0.0, 30, 4, 40, 16]])
    missing_ops.roi_align_forward(ramp, roi, out, empty, empty, **size, pool_mode=1, aligned=True)
    assert not out.any()
    with pytest.raises(ConfigError, match="'roi_align_forward' is not installed"):
        missing_ops.roi_align_forward(ramp, roi, out, empty, empty, **size, pool_mode=0, aligned=True)
    with pytest.raises(ConfigError, match="'carafe_forward' is not installed"):
        missing_ops.MissingOps("ext").carafe_forward()
