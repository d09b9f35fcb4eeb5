"""Clips with SAM 2's interface: prompts on any frames, followed from both sides, reset."""

import cv2
import numpy as np
import pytest
import torch

from tests.kit.annotating import make_clip
from tests.kit.fuzz_files import dicom_bytes
from ultrasam import VideoPredictor
from ultrasam.errors import DataError, PromptError
from ultrasam.evaluate.metrics import iou
from ultrasam.predict.files.clip_reader import ClipReader
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.track import Tracked
from ultrasam.predict.track.distance import between

FRAMES = 8


@pytest.fixture(scope="module")
def small():
    return VideoPredictor()


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    return path, make_clip(path, FRAMES, (120, 160))


@pytest.fixture
def shifting(monkeypatch):
    """The engine without a model or flow: each mask moves by a pixel to the right, frame by frame."""

    class Shifting:
        def __init__(self, predictor, image, masks=None):
            self.masks = dict(masks or {})

        def start(self, name, mask):
            self.masks[name] = mask

        def leave(self, name):
            self.masks.pop(name, None)

        def step(self, image):
            self.masks = {name: np.roll(mask, 1, axis=1) for name, mask in self.masks.items()}
            return {name: Tracked(mask, 0.9, np.zeros(4)) for name, mask in self.masks.items()}

    monkeypatch.setattr("ultrasam.predict.track.passage.Follower", Shifting)


def square(left, size=(40, 60)):
    mask = np.zeros(size, bool)
    mask[10:20, left : left + 10] = True
    return mask


def masks_of(logits):
    assert logits.dtype == torch.float32 and logits.ndim == 4
    return [(row[0] > 0).numpy() for row in logits]


def test_a_prompt_on_any_frame_is_followed_both_ways(small, moving):
    path, masks = moving
    state = small.init_state(path)
    y, x = np.argwhere(masks[3]).mean(axis=0)
    frame, ids, logits = small.add_new_points_or_box(state, 3, 7, points=[[x, y]], labels=[1])
    assert (frame, ids) == (3, [7]) and iou(masks_of(logits)[0], masks[3]) > 0.85
    found = {}
    for reverse in (False, True):
        for frame, ids, logits in small.propagate_in_video(state, reverse=reverse):
            found[frame] = iou(masks_of(logits)[0], masks[frame])
            assert ids == [7]
    assert sorted(found) == list(range(FRAMES)) and min(found.values()) > 0.85
    assert state.lost() == {}


def test_points_are_pixel_indices_and_add_up(small, moving):
    path, _ = moving
    state = small.init_state(path)
    small.add_new_points_or_box(state, 0, 1, points=[[64, 60]], labels=[1])
    _, _, logits = small.add_new_points_or_box(
        state, 0, 1, points=[[64, 100]], labels=[0], clear_old_points=False
    )
    image = ClipReader(path)[0]
    wanted = small.predictor.segment_once(
        image, [ObjectPrompt(points=[[64.5, 60.5], [64.5, 100.5]], labels=[1, 0])]
    )
    assert np.array_equal(masks_of(logits)[0], wanted.masks[0])


def test_between_two_prompted_frames_both_sides_are_blended_by_distance(small, shifting):
    """A square that is said to be 8 pixels on after 4 frames, and is followed by one pixel a frame."""
    state = small.init_state([np.zeros((40, 60, 3), np.uint8)] * 7)
    small.add_new_mask(state, 0, 1, square(5))
    small.add_new_mask(state, 4, 1, square(13))
    found = {f: masks_of(logits)[0] for f, _, logits in small.propagate_in_video(state)}
    assert sorted(found) == list(range(7))
    assert np.array_equal(found[0], square(5)) and np.array_equal(found[4], square(13))
    for frame in (1, 2, 3):
        ahead, back = square(5 + frame), square(13 + (4 - frame))
        assert np.array_equal(found[frame], between(ahead, back, frame / 4))
    # Beyond the last one it is followed from there.
    assert np.array_equal(found[6], square(15))
    # In the middle the two are as far apart as they get: someone should look there.
    assert state.drifting() == {1: [(1, 3)]}


def test_objects_begin_where_they_are_known_and_go_on_from_where_they_were_found(small, shifting):
    state = small.init_state([np.zeros((40, 60, 3), np.uint8)] * 6)
    small.add_new_mask(state, 1, 1, square(5))
    small.add_new_mask(state, 3, 2, square(20))
    run = list(small.propagate_in_video(state, max_frame_num_to_track=3))
    assert [frame for frame, _, _ in run] == [1, 2, 3, 4]
    seen = [[mask.any() for mask in masks_of(logits)] for _, _, logits in run]
    assert seen == [[True, False], [True, False], [True, True], [True, True]]
    (_, _, first), (_, _, second) = small.propagate_in_video(state, start_frame_idx=4)
    assert np.array_equal(masks_of(first)[0], square(8)) and np.array_equal(masks_of(second)[0], square(9))
    assert [f for f, _, _ in small.propagate_in_video(state, 2, 1, reverse=True)] == [2, 1]
    left, changed = small.remove_object(state, 1)
    assert left == [2] and [frame for frame, _ in changed] == [1]
    with pytest.raises(PromptError, match="no object 1"):
        small.remove_object(state, 1, strict=True)
    small.clear_all_prompts_in_frame(state, 3, 2)
    small.reset_state(state)
    assert state.objects == {}


def test_what_makes_no_sense_is_said(small, moving, tmp_path):
    path, masks = moving
    state = small.init_state(path)
    with pytest.raises(PromptError, match="no object has a prompt"):
        next(small.propagate_in_video(state))
    with pytest.raises(PromptError, match="frames 0 to 7"):
        small.add_new_mask(state, 8, 1, masks[0])
    with pytest.raises(PromptError, match=r"\(9, 9\), the clip is \(120, 160\)"):
        small.add_new_mask(state, 0, 1, np.ones((9, 9)))
    with pytest.raises(PromptError, match="empty"):
        small.add_new_mask(state, 0, 1, np.zeros_like(masks[0]))
    with pytest.raises(PromptError, match="no frame"):
        small.init_state([])
    with pytest.raises(DataError):
        small.init_state(tmp_path / "none.mp4")


def test_any_frame_of_a_video_is_read_and_few_are_kept(tmp_path):
    path = tmp_path / "clip.avi"
    make_clip(path, 70, (48, 64))
    capture = cv2.VideoCapture(str(path))
    wanted = [capture.read()[1][..., ::-1] for _ in range(70)]
    reader = ClipReader(path)
    assert len(reader) == 70
    for number in (0, 1, 5, 69, *range(69, 30, -1), 2):
        assert np.array_equal(reader[number], wanted[number])
        assert len(reader._kept) <= 32
    with pytest.raises(IndexError):
        reader[70]


class Holed:
    """Frames of which some can't be read."""

    def __init__(self, count, *damaged):
        self.count, self.damaged = count, damaged

    def __len__(self):
        return self.count

    def __getitem__(self, number):
        if number in self.damaged:
            raise DataError(f"frame {number} can't be decoded")
        return np.zeros((40, 60, 3), np.uint8)


def test_damaged_frames_are_named_and_passed_over(small, shifting):
    state = small.init_state(Holed(7, 0, 3))
    small.add_new_mask(state, 1, 1, square(5))
    small.add_new_mask(state, 5, 1, square(9))
    with pytest.warns(UserWarning, match="frame 3 is passed over: frame 3 can't be decoded") as warned:
        found = {f: masks_of(logits)[0] for f, _, logits in small.propagate_in_video(state)}
    assert sum("passed over" in str(one.message) for one in warned) == 1
    assert sorted(found) == [1, 2, 3, 4, 5, 6]
    assert not found[3].any() and state.objects[1].at(3) is None
    assert state.unread == {3: "frame 3 can't be decoded"} and state.lost() == {}
    # On from the frame before: by one pixel, and blended with the way back, which passes it over too.
    assert np.array_equal(found[4], between(square(7), square(10), 3 / 4))
    with pytest.warns(UserWarning, match="frame 0"):
        back = [frame for frame, _, _ in small.propagate_in_video(state, 2, reverse=True)]
    assert back == [2, 1, 0]
    small.add_new_mask(state, 3, 1, square(5))
    with pytest.raises(DataError, match="frame 3"):
        list(small.propagate_in_video(state))


def test_frames_keep_their_numbers_where_others_are_missing(tmp_path):
    for name, value in (("a", 10), ("c", 30)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((8, 8, 3), value, np.uint8))
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match=r"b\.png"):
        reader = ClipReader(tmp_path)
    assert len(reader) == 3 and (reader[2][0, 0, 0], reader[0][0, 0, 0]) == (30, 10)
    with pytest.raises(DataError, match="frame 1 is damaged or missing"):
        reader[1]
    with pytest.raises(DataError, match="no picture|not a readable"):
        (tmp_path / "only").mkdir()
        (tmp_path / "only/b.png").write_bytes(b"no picture")
        ClipReader(tmp_path / "only")


def test_a_dicom_series_is_a_clip_in_instance_order(tmp_path):
    for name, value, number in (("a", 30, 3), ("b", 10, 1), ("c", 20, 2)):
        tags = {"SeriesInstanceUID": "1.2.3", "InstanceNumber": number}
        frames = np.full((1, 8, 8), value, np.uint8)
        (tmp_path / f"{name}.dcm").write_bytes(dicom_bytes(frames, **tags))
    reader = ClipReader(tmp_path)
    assert [reader[i][0, 0, 0] for i in range(len(reader))] == [10, 20, 30]
