"""Objects carried through clips, and the one look at an image that is not asked again."""

import cv2
import numpy as np
import pytest

from tests.kit.annotating import make_clip
from tests.kit.pictures import waves
from ultrasam.data import images
from ultrasam.evaluate.metrics import iou
from ultrasam.predict.files import frame_results
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.track import Follower
from ultrasam.predict.track.motion import Motion
from ultrasam.report import draw


@pytest.fixture(scope="module")
def small():
    return Predictor()


def clip(path, frames, size=(200, 260)):
    masks = make_clip(path, frames, size)
    capture = cv2.VideoCapture(str(path))
    return [images.as_rgb(capture.read()[1]) for _ in range(frames)], masks


@pytest.mark.parametrize("backward", [False, True])
def test_an_object_that_moves_and_grows_is_followed(small, tmp_path, backward):
    pictures, masks = clip(tmp_path / "clip.avi", 12)
    if backward:
        pictures, masks = pictures[::-1], masks[::-1]
    work = Follower(small, pictures[0], {0: masks[0]})
    found = [work.step(picture)[0] for picture in pictures[1:]]
    scores = [iou(entry.mask, mask) for entry, mask in zip(found, masks[1:], strict=True)]
    assert min(scores) > 0.9, np.round(scores, 2)
    # It has gone so far that its first place would not do.
    assert iou(masks[0], masks[-1]) < 0.75
    assert not any(entry.drift for entry in found)


def test_what_is_not_there_is_lost_and_found_again_where_it_returns(small, tmp_path):
    pictures, masks = clip(tmp_path / "clip.avi", 7)
    away = [np.roll(picture, (20, 70), axis=(0, 1)) for picture in pictures[5:]]
    blank = np.full_like(pictures[0], 90)
    frames = [*pictures[:3], blank, blank, blank, *away]
    work = Follower(small, frames[0], {0: masks[0], 1: np.zeros_like(masks[0]), 2: masks[0]})
    work.leave(2)
    found = [work.step(frame) for frame in frames[1:]]
    assert [set(row) for row in found] == [{0, 1}] * 7 and not any(row[1] for row in found)
    assert [row[0] is None for row in found] == [False, False, False, True, True, False, False]
    assert found[2][0].drift
    for row, mask in zip(found[5:], masks[5:], strict=True):
        assert iou(row[0].mask, np.roll(mask, (20, 70), axis=(0, 1))) > 0.85
    # Where it is found again, a person should look.
    assert found[5][0].drift and not found[1][0].drift


def test_frames_of_other_sizes_end_it(tiny_model):
    work = Follower(Predictor(tiny_model), waves(), {0: np.ones((120, 200), bool)})
    assert work.step(waves(90, 140)) == {0: None}


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


def test_a_lost_object_leaves_the_others_their_color(small):
    """In the overlay, which the video is made of."""
    picture = waves(200, 260)
    masks = {1: np.zeros((200, 260), bool), 2: np.zeros((200, 260), bool)}
    masks[2][60:140, 80:180] = True
    result = frame_results.of_followed(Follower(small, picture, masks), picture, [1, 2], None)
    assert result.lost == [1] and [entry["category_id"] for entry in result.annotations] == [2]
    drawn = cv2.resize(result.draw(), (260, 200), interpolation=cv2.INTER_AREA).astype(float)
    inside = cv2.erode(result.masks[0].astype(np.uint8), np.ones((9, 9))) > 0
    tint = (drawn - 0.72 * picture)[inside].mean(axis=0) / 0.28
    assert np.abs(tint - draw.COLORS[1]).max() < 12


@pytest.mark.parametrize("height", [12, 24, 31])
def test_flat_pictures_are_followed(height):
    """As slices along x of a volume with few slices are; OpenCV's flow would end the process."""
    old = cv2.GaussianBlur(waves(height, 130), (0, 0), 2)
    mask = np.zeros((height, 130), dtype=bool)
    mask[3:-3, 20:100] = True
    moved = Motion().move(mask, old, np.roll(old, 2, axis=1))
    assert iou(moved, np.roll(mask, 2, axis=1)) > 0.9


@pytest.mark.parametrize(("img_size", "number"), [(256, 1), (1024, 2)])
def test_small_networks_follow_with_one_thread(small, monkeypatch, img_size, number):
    import torch

    picture, mask = waves(), np.zeros((120, 200), bool)
    mask[30:90, 60:140] = True
    seen, segment = [], small.segment_once
    watched = lambda *args: seen.append(torch.get_num_threads()) or segment(*args)  # noqa: E731
    monkeypatch.setattr(small, "segment_once", watched)
    monkeypatch.setattr(small.engine, "img_size", img_size)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        work = Follower(small, picture)
        monkeypatch.setattr(small.engine, "img_size", 256)
        work.start(1, mask)
        work.step(picture)
        assert seen == [number] * 2 and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
