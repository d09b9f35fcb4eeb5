"""Clips with the interface of SAM 2's video predictor (Ravi et al. 2024): prompts on any frames, followed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ultrasam.errors import DataError, PromptError
from ultrasam.predict.files.clip_reader import ClipReader
from ultrasam.predict.object_predictor import ObjectPredictor
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.pixels import to_rgb8
from ultrasam.predict.track.passage import steps
from ultrasam.predict.track.state import FrameReader, TrackingState
from ultrasam.predict.track.tracked import Tracked
from ultrasam.types import pixel_centers

#: What SAM 2's users compare with 0: masks here are decided already.
_INSIDE = 10.0


class VideoPredictor:
    """Follows objects through clips.

    Points are pixel indices, as SAM 2 has them: (0, 0) is the center of the first pixel; boxes are x1, y1,
    x2, y2. Masks are returned of all objects, in the order of their ids, as (N, 1, H, W) float32, positive
    inside; all negative where an object is lost.

    Args:
        predictor: segments; made from the other arguments where None.
        options: of `ultrasam.Predictor`, such as ``model`` and ``device``.
    """

    def __init__(self, predictor: ObjectPredictor | None = None, **options: Any) -> None:
        self.predictor = predictor or ObjectPredictor(**options)

    def init_state(self, video_path: str | Path | FrameReader) -> TrackingState:
        """Begin with a clip.

        Args:
            video_path: a video, a multi-frame DICOM file, a stack, a folder of pictures; or the frames
                themselves, (H, W, 3) or (H, W) uint8: a list, or anything that has a length and can be asked
                for any of them.

        Raises:
            DataError: it can't be read.
            PromptError: there is no frame in it.
        """
        frames = ClipReader(video_path) if isinstance(video_path, (str, Path)) else _AsRgb(video_path)
        if not len(frames):
            raise PromptError("the clip has no frame")
        return TrackingState(frames, _size(frames))

    def add_new_points_or_box(
        self,
        inference_state: TrackingState,
        frame_idx: int,
        obj_id: int,
        points: Any = None,
        labels: Any = None,
        clear_old_points: bool = True,
        *,
        box: Any = None,
    ) -> tuple[int, list[int], Tensor]:
        """Say where an object is in a frame, with points (K, 2), their labels (K,) and a box (4,).

        Args:
            inference_state: the clip.
            frame_idx: the frame.
            obj_id: of the object, any number; a new one is a new object.
            points: xy.
            labels: 1 inside, 0 outside.
            clear_old_points: forget earlier points and boxes of the object in this frame, else add to them.
            box: xyxy.

        Returns:
            the frame, the ids of all objects, their masks in this frame.

        Raises:
            PromptError: a prompt makes no sense, or there is no such frame.
        """
        frame = inference_state.check_frame(frame_idx)
        prompt = ObjectPrompt(
            None if points is None else pixel_centers(np.asarray(points, dtype=np.float64).reshape(-1, 2)),
            None if labels is None else np.asarray(labels).reshape(-1),
            box,
        )
        entry = inference_state.objects.get(obj_id)
        if not clear_old_points and entry is not None and frame in entry.prompts:
            prompt = _joined(entry.prompts[frame], prompt)
        single = prompt.box is None and prompt.points is not None and len(prompt.points) == 1
        found = self.predictor.segment_once(inference_state.frames[frame], [prompt], multimask=single)
        tracked = Tracked(found.masks[0], float(found.scores[0]), found.boxes[0])
        inference_state.set_key(frame, obj_id, tracked, prompt)
        return self._answer(inference_state, frame)

    def add_new_mask(
        self, inference_state: TrackingState, frame_idx: int, obj_id: int, mask: Any
    ) -> tuple[int, list[int], Tensor]:
        """Say where an object is in a frame, with a mask (H, W); see `add_new_points_or_box`."""
        frame = inference_state.check_frame(frame_idx)
        array = mask.detach().cpu().numpy() if isinstance(mask, Tensor) else np.asarray(mask)
        size = inference_state.size
        if array.shape != size:
            raise PromptError(f"the mask of object {obj_id} is {array.shape}, the clip is {size} (H, W)")
        array = array > 0
        if not array.any():
            raise PromptError(f"the mask of object {obj_id} in frame {frame} is empty")
        box = np.array([0.0, 0.0, *size[::-1]])
        inference_state.set_key(frame, obj_id, Tracked(array, 1.0, box))
        return self._answer(inference_state, frame)

    def propagate_in_video(
        self,
        inference_state: TrackingState,
        start_frame_idx: int | None = None,
        max_frame_num_to_track: int | None = None,
        reverse: bool = False,
    ) -> Iterator[tuple[int, list[int], Tensor]]:
        """Follow all objects; what is found is in the state too, with predicted IoU, drift and loss.

        Args:
            inference_state: the clip.
            start_frame_idx: the first frame; the earliest prompted one where None, the latest in reverse.
            max_frame_num_to_track: frames after it; None for all.
            reverse: backwards.

        Yields:
            a frame, the ids of all objects, their masks.

        Raises:
            PromptError: nothing is prompted, or there is no such frame.
            DataError: a prompted frame can't be read. Of others a warning says so; masks are negative there.
        """
        keys = [frame for entry in inference_state.objects.values() for frame in entry.keys]
        if not keys:
            raise PromptError("no object has a prompt: call add_new_points_or_box or add_new_mask first")
        start = (max if reverse else min)(keys) if start_frame_idx is None else start_frame_idx
        start = inference_state.check_frame(start)
        for step in steps(
            self.predictor, inference_state, start, max_frame_num_to_track, -1 if reverse else 1
        ):
            if step.objects is None:
                continue
            if step.frame in inference_state.unread:
                warnings.warn(
                    f"frame {step.frame} is passed over: {inference_state.unread[step.frame]}", stacklevel=2
                )
            yield self._answer(inference_state, step.frame)

    def clear_all_prompts_in_frame(
        self, inference_state: TrackingState, frame_idx: int, obj_id: int
    ) -> tuple[int, list[int], Tensor]:
        """Forget what was said of an object in a frame."""
        frame = inference_state.check_frame(frame_idx)
        entry = inference_state.objects.get(obj_id)
        if entry is not None:
            entry.keys.pop(frame, None)
            entry.prompts.pop(frame, None)
        return self._answer(inference_state, frame)

    def remove_object(
        self, inference_state: TrackingState, obj_id: int, strict: bool = False
    ) -> tuple[list[int], list[tuple[int, Tensor]]]:
        """Forget an object.

        Returns:
            the ids that are left, and the frames in which it was prompted with the masks that are left there.

        Raises:
            PromptError: there is no such object, if ``strict``.
        """
        entry = inference_state.objects.pop(obj_id, None)
        if entry is None and strict:
            raise PromptError(f"there is no object {obj_id!r} to remove")
        frames = sorted(entry.keys) if entry is not None else []
        left = [self._answer(inference_state, frame) for frame in frames]
        return list(inference_state.objects), [(frame, masks) for frame, _, masks in left]

    def reset_state(self, inference_state: TrackingState) -> None:
        """Forget all objects of a clip."""
        inference_state.objects.clear()

    def _answer(self, state: TrackingState, frame: int) -> tuple[int, list[int], Tensor]:
        logits = torch.full((len(state.objects), 1, *state.size), -_INSIDE)
        for row, entry in zip(logits, state.objects.values(), strict=True):
            tracked = entry.at(frame)
            if tracked is not None:
                row[0][torch.from_numpy(tracked.mask)] = _INSIDE
        return frame, list(state.objects), logits


class _AsRgb:
    """Frames of any form as (H, W, 3) uint8 RGB."""

    def __init__(self, frames: FrameReader) -> None:
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, number: int) -> np.ndarray:
        return to_rgb8(self._frames[number])


def _size(frames: FrameReader) -> tuple[int, int]:
    """(H, W) of a clip: of the first frame that can be read."""
    errors = []
    for number in range(len(frames)):
        try:
            height, width = frames[number].shape[:2]
            return height, width
        except DataError as error:
            errors.append(str(error))
    raise DataError("; ".join(errors[:2]))


def _joined(before: ObjectPrompt, after: ObjectPrompt) -> ObjectPrompt:
    """Two prompts of one object in one frame as one; the newer box counts."""
    parts = [entry for entry in (before, after) if entry.points is not None]
    points = np.concatenate([entry.points for entry in parts]) if parts else None
    labels = [np.ones(len(e.points)) if e.labels is None else e.labels for e in parts]
    return ObjectPrompt(
        points, np.concatenate(labels) if parts else None, before.box if after.box is None else after.box
    )
