"""Objects carried through clips, and the one look at an image that is not asked again."""

import cv2
import numpy as np
import pytest

from tests.kit.annotating import make_clip
from tests.kit.pictures import waves
from ultrasam.data import images
from ultrasam.evaluate.metrics import iou
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.propagate import Propagation


@pytest.fixture(scope="module")
def small():
    return Predictor()


def clip(path, frames, size=(200, 260)):
    masks = make_clip(path, frames, size)
    capture = cv2.VideoCapture(str(path))
    return [images.as_rgb(capture.read()[1]) for _ in range(frames)], masks


@pytest.mark.parametrize("backward", [False, True])
def test_an_object_that_moves_and_grows_is_followed(small, tmp_path, backward):
    pictures, masks = clip(tmp_path / "clip.avi", 16)
    if backward:
        pictures, masks = pictures[::-1], masks[::-1]
    work = Propagation(small, pictures[0], [masks[0]])
    found = [work.step(picture)[0] for picture in pictures[1:]]
    scores = [iou(entry.mask, mask) for entry, mask in zip(found, masks[1:], strict=True)]
    assert min(scores) > 0.85, np.round(scores, 2)
    # It has gone so far that its first place would not do.
    assert iou(masks[0], masks[-1]) < 0.65
    assert not any(entry.drift for entry in found)


def test_what_is_lost_drifts_and_does_not_become_the_rest_of_the_clip(small, tmp_path):
    pictures, masks = clip(tmp_path / "clip.avi", 6)
    pictures[3] = np.full_like(pictures[3], 90)
    work = Propagation(small, pictures[0], [masks[0], np.zeros_like(masks[0]), masks[0]])
    work.leave(2)
    found = [work.step(picture) for picture in pictures[1:]]
    assert [row[1:] for row in found] == [[None, None]] * 5
    drift = [row[0].drift for row in found]
    assert drift[:2] == [False, False] and drift[2]
    assert iou(found[4][0].mask, masks[5]) > 0.7


def test_frames_of_other_sizes_end_it(tiny_model):
    work = Propagation(Predictor(tiny_model), waves(), [np.ones((120, 200), bool)])
    assert work.step(waves(90, 140)) == [None]
    assert work.step(waves(90, 140)) == [None]


@pytest.mark.parametrize("closer", [False, True])
@pytest.mark.parametrize(
    "objects",
    [
        [ObjectPrompt(box=[20, 20, 90, 80]), ObjectPrompt([[60, 50]], [1], box=[40, 30, 100, 100])],
        [ObjectPrompt(box=[20, 20, 90, 80]), ObjectPrompt([[60, 50]], [1])],
        [],
    ],
)
def test_one_look_is_encoding_and_segmenting(tiny_model, picture, closer, objects):
    predictor = Predictor(tiny_model, closer=closer)
    once = predictor.segment_once(picture, objects)
    expected = predictor.encode(picture).segment(objects)
    assert np.array_equal(once.masks, expected.masks) and np.array_equal(once.scores, expected.scores)
    assert np.array_equal(once.logits, expected.logits)


def test_a_box_needs_one_encoding(tiny_model, picture, monkeypatch):
    seen = []
    encode = tiny_model.encode_images
    monkeypatch.setattr(tiny_model, "encode_images", lambda x: seen.append(len(x)) or encode(x))
    Predictor(tiny_model, closer=True).segment_once(picture, [ObjectPrompt(box=[20, 20, 90, 80])])
    assert seen == [1]
    monkeypatch.undo()
