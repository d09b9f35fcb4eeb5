"""napari's layers as the predictor's images and prompts, and masks as labels. No Qt.

napari's coordinates count from the center of the first pixel and run (T,) y, x; ours from its corner, x, y.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ultrasam.errors import DataError, PromptError
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.pixels import to_rgb8

#: The feature of the points layer, and what it says.
FEATURE, INSIDE, OUTSIDE = "where", "inside", "outside"


def spatial_axes(image: Any) -> int:
    """2 for an image (Y, X[, 3]), 3 for a clip (T, Y, X[, 3]).

    Raises:
        DataError: it is neither.
    """
    if image.ndim not in (2, 3):
        raise DataError(f"layer '{image.name}' has {image.ndim} axes: (Y, X) and (T, Y, X) can be segmented")
    return int(image.ndim)


def frame_pixels(image: Any, frame: int) -> np.ndarray:
    """A frame of an image layer as (H, W, 3) uint8 RGB: gray values as its contrast limits show them.

    Raises:
        DataError: the layer is of no such kind.
    """
    data = image.data[0] if image.multiscale else image.data
    pixels = np.asarray(data if spatial_axes(image) == 2 else data[frame])
    if pixels.dtype == np.uint8:
        return to_rgb8(pixels)
    low, high = (float(value) for value in image.contrast_limits)
    return to_rgb8(pixels, window=(low, high))


def frame_prompts(image: Any, points: Any, boxes: Any, frame: int) -> list[ObjectPrompt]:
    """The objects that the prompt layers ask for in one frame.

    Without boxes all points are of one object. Each box is one object; where there are several, a point
    belongs to the boxes that hold it.

    Args:
        image: the image layer, in whose pixels the prompts are to be.
        points: points layer with the feature `FEATURE`.
        boxes: shapes layer; of each shape the box round it counts.
        frame: which; 0 where the image is a single one.

    Raises:
        PromptError: there is none, or a point belongs to no box.
    """
    places, kinds = _points(image, points, frame)
    corners = [box for box in (_box(image, boxes, shape, frame) for shape in boxes.data) if box is not None]
    if not corners:
        if not (kinds == 1).any():
            raise PromptError("there is neither a point inside nor a box in this frame: add one")
        return [ObjectPrompt(places, kinds)]
    if len(corners) == 1:
        return [ObjectPrompt(places, kinds, corners[0]) if len(places) else ObjectPrompt(box=corners[0])]
    held = [((places >= box[:2]) & (places <= box[2:])).all(axis=1) for box in corners]
    if len(places) and not np.any(held, axis=0).all():
        raise PromptError("a point lies in none of the boxes: move it, or segment one object at a time")
    return [
        ObjectPrompt(places[own], kinds[own], box) if own.any() else ObjectPrompt(box=box)
        for own, box in zip(held, corners, strict=True)
    ]


def write_masks(labels: Any, frame: int, masks: Sequence[tuple[int, np.ndarray]]) -> None:
    """Write masks (H, W) bool under their numbers into a frame, as one step that napari undoes.

    What a number had in the frame before is taken away; pixels of other numbers stay theirs.
    """
    view = labels.data if labels.ndim == 2 else labels.data[frame]
    after = np.array(view)
    for number, mask in masks:
        after[after == number] = 0
        after[mask & (after == 0)] = number
    changed = np.nonzero(after != view)
    if len(changed[0]):
        values = after[changed]
        at = changed if labels.ndim == 2 else (np.full(len(changed[0]), frame), *changed)
        labels.data_setitem(at, values)


def frame_masks(labels: Any, frame: int) -> list[tuple[int, np.ndarray]]:
    """The numbers of a frame, and their masks (H, W) bool."""
    view = np.asarray(labels.data if labels.ndim == 2 else labels.data[frame])
    return [(int(number), view == number) for number in np.unique(view) if number]


def _points(image: Any, points: Any, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2) of a frame in x, y, and labels (N,): 1 inside, 0 outside."""
    places = _in_image(image, points, points.data)
    shown = np.asarray(points.shown, dtype=bool) & _on_frame(places, frame)
    kinds = (np.asarray(points.features[FEATURE]) != OUTSIDE).astype(int)
    return _xy(places[shown]), kinds[shown]


def _box(image: Any, boxes: Any, shape: np.ndarray, frame: int) -> np.ndarray | None:
    """The box (4,) xyxy round a shape, cut at the image's border; None where it is in another frame."""
    corners = _in_image(image, boxes, shape)
    if not _on_frame(corners, frame).all():
        return None
    height, width = image.data.shape[-3:-1] if image.rgb else image.data.shape[-2:]
    xy = np.clip(_xy(corners), 0, (width, height))
    return np.concatenate([xy.min(axis=0), xy.max(axis=0)])


def _in_image(image: Any, layer: Any, places: np.ndarray) -> np.ndarray:
    """Coordinates (N, D) of a layer in the pixels of the image."""
    moved = [image.world_to_data(layer.data_to_world(place)) for place in np.asarray(places)]
    return np.array(moved, dtype=np.float64).reshape(-1, spatial_axes(image))


def _on_frame(places: np.ndarray, frame: int) -> np.ndarray:
    if places.shape[1] == 2:
        return np.ones(len(places), dtype=bool)
    return np.asarray(np.rint(places[:, 0]) == frame)


def _xy(places: np.ndarray) -> np.ndarray:
    return places[:, :-3:-1] + 0.5
