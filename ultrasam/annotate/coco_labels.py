"""What a COCO file says as places and objects, and objects as what a COCO file says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pycocotools import mask as coco_mask

from ultrasam.annotate.objects import AnnotatedObject, Calipers, Label, Objects, Prompt, as_calipers, color_of
from ultrasam.data import coco
from ultrasam.errors import DataError

_SOURCES = ("prompt", "brush", "propagated", "imported", "suggested")
Entry = dict[str, Any]


class Place(NamedTuple):
    """A frame of an item, as labels name it."""

    name: str
    frame: int


class Imported:
    """What a COCO file says, by item and frame.

    Args:
        content: of the file.
        names: the items' names.

    Attributes:
        images: the entries of the items' images.
        foreign: whether not one of its images is among the items, though it has some.
    """

    def __init__(self, content: Mapping[str, Any], names: Sequence[str]) -> None:
        self.content = content
        self.images: dict[Place, Entry] = {}
        clips = set(names)
        single = [str(e.get("file_name", "")) for e in content["images"] if _clip_of(e, clips) is None]
        matched = coco.match(single, list(names)).found
        for entry in content["images"]:
            place = _place_of(entry, clips, matched)
            if place is not None:
                self.images.setdefault(place, entry)
        self.foreign = bool(content["images"]) and not self.images
        places = {entry["id"]: place for place, entry in self.images.items() if "id" in entry}
        self._annotations: dict[Place, list[Entry]] = {}
        #: Of images that are no items: written again as they are.
        self.others: list[Entry] = []
        for annotation in content["annotations"]:
            place = places.get(_hashable(annotation.get("image_id")))
            if place is None:
                self.others.append(annotation)
            else:
                self._annotations.setdefault(place, []).append(annotation)
        self.labels = [
            Label(
                str(category.get("name", f"class {number}")),
                _color(category.get("color"), number),
                category,
            )
            for number, category in enumerate(content["categories"])
        ]
        self._category = {_hashable(c.get("id")): i for i, c in enumerate(content["categories"])}
        self._ids = _new_ids(content["annotations"])
        self.last_id = max(self._ids.values(), default=0)

    def count(self, place: Place) -> int:
        """How many annotations a frame has."""
        return len(self._annotations.get(place, ()))

    def scores(self, place: Place) -> list[float]:
        """Their scores, where they have some."""
        found = (annotation.get("score") for annotation in self._annotations.get(place, ()))
        return [float(score) for score in found if isinstance(score, (int, float))]

    def calipers(self, place: Place) -> Calipers:
        """What was measured in a frame."""
        return as_calipers(self.images.get(place, {}).get("calipers"))

    def places(self) -> list[Place]:
        """The frames that have annotations."""
        return list(self._annotations)

    def annotations(self, place: Place) -> list[Entry]:
        """The annotations of a frame as they are."""
        return self._annotations.get(place, [])

    def objects(self, place: Place, size: tuple[int, int]) -> tuple[Objects, list[str]]:
        """The objects of a frame of ``size`` (H, W), and why some of its annotations can't be shown.

        Raises:
            DataError: the file speaks of an image of another size.
        """
        entry = self.images.get(place, {})
        stated = (entry.get("height", size[0]), entry.get("width", size[1]))
        if stated != size and self.count(place):
            raise DataError(
                f"the labels of {place.name} are of an image of {stated[1]} x {stated[0]} pixels, the file "
                f"has {size[1]} x {size[0]}: choose another --out, or give the images that they belong to"
            )
        found, wrong = [], []
        for annotation in self.annotations(place):
            try:
                found.append(self._object(annotation, size))
            except (DataError, KeyError, TypeError, ValueError) as error:
                wrong.append(f"annotation {annotation.get('id')} can't be shown and stays as it is: {error}")
        return tuple(found), wrong

    def hidden(self, place: Place, size: tuple[int, int]) -> list[Entry]:
        """The annotations of a frame that can't be shown; they are written again as they are."""
        shown = {id(entry.imported) for entry in self.objects(place, size)[0]}
        return [annotation for annotation in self.annotations(place) if id(annotation) not in shown]

    def _object(self, annotation: Entry, size: tuple[int, int]) -> AnnotatedObject:
        if _hashable(annotation.get("category_id")) not in self._category:
            raise DataError(f"the file has no category {annotation.get('category_id')}")
        rle = coco.as_rle(annotation.get("segmentation"), size, "it")
        counts = rle["counts"]
        mask = {"size": list(size), "counts": counts.decode("ascii") if isinstance(counts, bytes) else counts}
        number = self._ids[id(annotation)]
        source = annotation.get("source")
        return AnnotatedObject(
            number,
            self._category[_hashable(annotation["category_id"])],
            mask,
            Prompt.from_json(annotation.get("prompts") or {}),
            _number(annotation.get("score")),
            source=source if source in _SOURCES else "imported",
            detected=_number(annotation.get("detector_score")),
            quality=_number(annotation.get("quality")),
            drift=bool(annotation.get("drift", False)),
            area=int(coco_mask.area(mask)),
            clicks=int(annotation.get("clicks", 0)),
            seconds=float(annotation.get("seconds", 0)),
            track=int(annotation.get("track", number)),
            imported=annotation,
        )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def annotation_of(entry: AnnotatedObject, image_id: Any, category_id: Any) -> Entry:
    """The COCO annotation of an object; one that was read and not changed is written as it was."""
    before = dict(entry.imported or {})
    if before and entry.source == "imported":
        return {**before, "id": entry.id, "image_id": image_id, "category_id": category_id}
    mask = dict(entry.mask)
    after = {
        **before,
        "id": entry.id,
        "image_id": image_id,
        "category_id": category_id,
        "segmentation": mask,
        "bbox": [float(v) for v in coco_mask.toBbox(mask)],
        "area": entry.area,
        "iscrowd": 0,
        "score": entry.iou,
        "detector_score": entry.detected,
        "quality": entry.quality,
        "prompts": entry.prompt.to_json(),
        "source": entry.source,
        "clicks": entry.clicks,
        "seconds": round(entry.seconds, 2),
        "track": entry.track,
        "drift": entry.drift,
        **(entry.measured or {}),
    }
    return {key: value for key, value in after.items() if value is not None}


def categories_of(labels: Sequence[Label]) -> tuple[list[Entry], list[Any]]:
    """The categories of a COCO file, and the id of each class."""
    used = [label.category["id"] for label in labels if label.category and "id" in label.category]
    free = max((number for number in used if isinstance(number, int)), default=0)
    entries = []
    for label in labels:
        entry = dict(label.category or {})
        if "id" not in entry:
            free += 1
            entry["id"] = free
        entries.append({**entry, "name": label.name, "color": label.color})
    return entries, [entry["id"] for entry in entries]


def some_names(content: Mapping[str, Any]) -> str:
    """The first images of a COCO file, for a message."""
    names = [str(entry.get("file_name")) for entry in content["images"][:3]]
    return ", ".join(names) + (", ..." if len(content["images"]) > 3 else "")


def _clip_of(entry: Entry, clips: set[str]) -> str | None:
    """The clip that an image is a frame of; converters write their own kind of source."""
    clip = entry.get("source")
    return clip if isinstance(clip, str) and clip in clips else None


def _place_of(entry: Entry, clips: set[str], matched: Mapping[str, str]) -> Place | None:
    clip = _clip_of(entry, clips)
    if clip is not None:
        return Place(clip, int(entry.get("frame", 0)))
    name = matched.get(str(entry.get("file_name", "")))
    return None if name is None else Place(name, 0)


def _new_ids(annotations: Sequence[Entry]) -> dict[int, int]:
    """A whole number for each annotation: its own id where that is one and the only one."""
    taken: set[int] = set()
    ids: dict[int, int] = {}
    for annotation in annotations:
        number = annotation.get("id")
        if isinstance(number, int) and not isinstance(number, bool) and number > 0 and number not in taken:
            ids[id(annotation)] = number
            taken.add(number)
    free = max(taken, default=0)
    for annotation in annotations:
        if id(annotation) not in ids:
            free += 1
            ids[id(annotation)] = free
    return ids


def _hashable(value: Any) -> Any:
    return value if isinstance(value, (int, str)) else None


def _color(value: Any, number: int) -> str:
    is_color = isinstance(value, str) and len(value) == 7 and value.startswith("#") and value[1:].isalnum()
    return value if is_color else color_of(number)
