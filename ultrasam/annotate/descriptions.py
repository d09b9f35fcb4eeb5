"""Images and frames as the page has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pycocotools import mask as coco_mask

from ultrasam.annotate.coco_labels import Place
from ultrasam.annotate.frame_history import FrameHistory
from ultrasam.annotate.items import Item, Items
from ultrasam.annotate.objects import Objects, Rle
from ultrasam.annotate.store import Store
from ultrasam.data.boxes import to_xyxy
from ultrasam.predict.measure import measure


def item_json(store: Store, item: Item, labelled: Mapping[int, Objects | int]) -> dict[str, Any]:
    """One image with its state.

    Args:
        store: the labels.
        item: the image.
        labelled: frame to its objects, or to how many the file has.
    """
    state = store.state(item.name)
    scores: list[float] = []
    for frame, what in labelled.items():
        if isinstance(what, int):
            scores += store.imported.scores(Place(item.name, frame))
        else:
            scores += [entry.iou for entry in what if entry.iou is not None]
    return {
        "id": item.id,
        "name": item.name,
        "frames": item.frames,
        "width": item.width,
        "height": item.height,
        "state": state.state,
        "flagged": state.flagged,
        "objects": sum(what if isinstance(what, int) else len(what) for what in labelled.values()),
        "labelled_frames": sorted(labelled),
        "iou": min(scores, default=None),
        "error": item.error,
        "spacing": item.spacing and list(item.spacing),
    }


def items_json(store: Store, items: Sequence[Item]) -> list[dict[str, Any]]:
    """Images with their states."""
    labelled: dict[str, dict[int, Objects | int]] = {}
    for place, objects in store.labelled().items():
        labelled.setdefault(place.name, {})[place.frame] = objects
    return [item_json(store, item, labelled.get(item.name, {})) for item in items]


def frame_json(item: int, frame: int, history: FrameHistory) -> dict[str, Any]:
    """The objects of a frame, and what can be done about them."""
    return {
        "item": item,
        "frame": frame,
        "revision": history.revision,
        "objects": [entry.to_json() for entry in history.objects],
        "calipers": [list(one) for one in history.calipers],
        "can_undo": history.can_undo,
        "can_redo": history.can_redo,
    }


def measured(items: Items, item: Item, frame: int, mask: Rle) -> dict[str, float] | None:
    """The sizes in mm of a mask, where the frame's spacing is known."""
    x, y, width, height = coco_mask.toBbox(dict(mask))
    spacing = items.spacing_of(item, frame, to_xyxy([x, y, width, height]).tolist())
    if spacing is None or width == 0:
        return None
    sizes = measure(coco_mask.decode(dict(mask)).astype(bool), spacing).as_dict()
    return {name: sizes[name] for name in ("area_mm2", "long_mm", "short_mm")}
