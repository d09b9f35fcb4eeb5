"""The COCO file of a session: read, shown as objects, written whole or not, never over others' changes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pycocotools import mask as coco_mask

from ultrasam.annotate.objects import AnnotatedObject, Calipers, Label, Objects, Prompt, as_calipers, color_of
from ultrasam.data import coco, files
from ultrasam.errors import DataError, UltraSamError

_SOURCES = ("prompt", "brush", "propagated", "imported", "suggested")
Entry = dict[str, Any]


class ChangedError(UltraSamError):
    """Another program has changed the file since it was read or written here."""


class _Stamp(NamedTuple):
    """What tells a file from one that was changed."""

    size: int
    time: int


class LabelFile:
    """A COCO file on the disk.

    Attributes:
        path: the file.
        content: what it held when it was read; COCO's lists, empty where there is no file.
        digest: of its bytes as they were read or written last; None without a file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content: Entry = {"images": [], "annotations": [], "categories": []}
        self.digest: str | None = None
        self._stamp: _Stamp | None = None
        self.read()

    def read(self) -> None:
        """Read the file, if there is one.

        Raises:
            DataError: it is no COCO file.
        """
        self._stamp = self._now()
        self.digest = None if self._stamp is None else self._digest_now()
        if self._stamp is not None:
            self.content = coco.read(self.path).content

    @property
    def changed(self) -> bool:
        """Whether another program has written it; one that was taken away may be written again."""
        stamp = self._now()
        if stamp is None or stamp == self._stamp:
            return False
        if self._digest_now() == self.digest:
            self._stamp = stamp
            return False
        return True

    def write(self, content: Mapping[str, Any], before: Callable[[str], None]) -> None:
        """Write the file.

        Args:
            content: all of it.
            before: called with the new file's digest when all but the change of names is done.

        Raises:
            ChangedError: another program has changed it; it is as that program left it.
            UltraSamError: it can't be written, and why not; it is as it was.
        """
        data = json.dumps(content).encode()
        digest = _digest(data)
        with files.atomic(self.path) as part:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if self.changed:
                raise ChangedError(
                    f"{self.path} was changed by another program; it is not written over: "
                    "choose which of the two to keep"
                )
            before(digest)
        self.digest, self._stamp = digest, self._now()

    def keep_beside(self, word: str) -> Path:
        """Put the file as it is now beside itself, as NAME.word.json, or with a number where there is one."""
        number = 1
        while (place := self.path.with_suffix(f".{word}{'' if number == 1 else number}.json")).exists():
            number += 1
        if self.path.exists():
            files.write_bytes(place, self.path.read_bytes())
        return place

    def take_as_ours(self) -> None:
        """Whatever the file holds now may be written over."""
        self._stamp = self._now()
        self.digest = None if self._stamp is None else self._digest_now()

    def _now(self) -> _Stamp | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return _Stamp(stat.st_size, stat.st_mtime_ns)

    def _digest_now(self) -> str | None:
        try:
            return _digest(self.path.read_bytes())
        except OSError as error:
            raise DataError(f"cannot read {self.path}: {error.strerror or error}") from error


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


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
        score, source, quality = (annotation.get(name) for name in ("score", "source", "quality"))
        return AnnotatedObject(
            number,
            self._category[_hashable(annotation["category_id"])],
            mask,
            Prompt.from_json(annotation.get("prompts") or {}),
            float(score) if isinstance(score, (int, float)) else None,
            source=source if source in _SOURCES else "imported",
            drift=bool(annotation.get("drift", False)),
            area=int(coco_mask.area(mask)),
            clicks=int(annotation.get("clicks", 0)),
            seconds=float(annotation.get("seconds", 0)),
            track=int(annotation.get("track", number)),
            imported=annotation,
            quality=float(quality) if isinstance(quality, (int, float)) else None,
        )


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
