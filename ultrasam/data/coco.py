"""COCO files: read with errors that help, and their masks as arrays."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from ultrasam.converters.engine.rle import compress, counts
from ultrasam.data.boxes import to_xyxy
from ultrasam.errors import DataError

__all__ = [
    "CocoFile",
    "CocoImage",
    "as_rle",
    "check_files",
    "compress",
    "counts",
    "decode",
    "encode",
    "load",
    "read_json",
]


@dataclass
class CocoImage:
    """One image of a COCO file and its annotated objects.

    Attributes:
        id: the file's image id.
        path: the image file.
        size: (H, W) in pixels.
        dataset: the data set it comes from, empty where the file does not say.
        annotations: its annotations as in the file, those without area left out.
        entry: all that the file says of it.
    """

    id: int
    path: Path
    size: tuple[int, int]
    dataset: str
    annotations: list[dict[str, Any]] = field(default_factory=list)
    entry: Mapping[str, Any] = field(default_factory=dict)

    def masks(self) -> list[NDArray[Any]]:
        """The masks of its objects, (H, W) bool each."""
        where = f"{self.path}: annotation"
        return [decode(a["segmentation"], self.size, f"{where} {a['id']}") for a in self.annotations]

    def boxes(self) -> NDArray[Any]:
        """The annotated boxes of its objects, (n, 4) float64 xyxy."""
        return to_xyxy(np.reshape([a["bbox"] for a in self.annotations], (-1, 4)))


@dataclass
class CocoFile:
    """The images of a COCO file that can be used, and a count of what was left out.

    Attributes:
        path: the COCO file.
        images: images with at least one object, in the file's order.
        left_out: reason -> how many annotations or images.
        content: all that the file holds, used or not.
    """

    path: Path
    images: list[CocoImage]
    left_out: Counter[str]
    content: Mapping[str, Any]

    def summary(self) -> str:
        """One line: what is used and what is not."""
        objects = sum(len(image.annotations) for image in self.images)
        text = f"{self.path}: {len(self.images)} images with {objects} objects"
        if self.left_out:
            text += "; left out: " + ", ".join(f"{n} {reason}" for reason, n in sorted(self.left_out.items()))
        return text

    def part(self, images: Sequence[CocoImage]) -> dict[str, Any]:
        """The content of a COCO file of some of the images, with those of their objects that are used."""
        wanted = {image.id for image in images}
        return {
            **self.content,
            "images": [entry for entry in self.content["images"] if entry["id"] in wanted],
            "annotations": [annotation for image in images for annotation in image.annotations],
        }


def read_json(path: str | Path) -> dict[str, Any]:
    """A COCO file as a dictionary.

    Raises:
        DataError: it is missing, not JSON, or lacks one of COCO's lists.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no COCO file at {path}; make it with 'ultrasam convert' or 'ultrasam data phantom'")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not valid JSON: {error}") from error
    lists = ("images", "annotations", "categories")
    missing = [k for k in lists if not isinstance(content, dict) or not isinstance(content.get(k), list)]
    if missing:
        raise DataError(f"{path} is not a COCO file: no list of {', '.join(missing)} in it")
    return content


def load(
    path: str | Path,
    images_dir: str | Path,
    categories: Sequence[str] | None = None,
    *,
    wanted: Callable[[Mapping[str, Any]], bool] | None = None,
    content: Mapping[str, Any] | None = None,
) -> CocoFile:
    """Read a COCO file and check what training and testing rely on.

    Annotations without area are left out, and images without annotations; both are counted.

    Args:
        path: the COCO file.
        images_dir: the folder that its ``file_name`` entries start from.
        categories: use only objects of these categories; None for all.
        wanted: use only images whose entry in the file this accepts; None for all.
        content: what `read_json` gave for the file, where it has been read before.

    Raises:
        DataError: missing images, unknown ids, malformed masks, boxes outside the image, or no object left.
    """
    path = Path(path)
    content = read_json(path) if content is None else content
    chosen, known = _category_ids(path, content, categories), {c.get("id") for c in content["categories"]}
    images = {entry["id"]: _image(entry, path, Path(images_dir)) for entry in content["images"]}
    if len(images) != len(content["images"]):
        raise DataError(f"{path}: {len(content['images']) - len(images)} image ids occur twice")
    left_out: Counter[str] = Counter()
    for annotation in content["annotations"]:
        where = f"{path}: annotation {annotation.get('id')}"
        image = images.get(annotation.get("image_id"))
        if image is None:
            raise DataError(
                f"{where} belongs to image {annotation.get('image_id')}, which the file does not list"
            )
        if annotation.get("category_id") not in chosen:
            if annotation.get("category_id") in known:
                left_out["annotations of other categories"] += 1
                continue
            raise DataError(
                f"{where} has category {annotation.get('category_id')}, which the file does not define"
            )
        reason = _reason_to_leave_out(annotation, image, where)
        if reason:
            left_out[reason] += 1
        else:
            image.annotations.append(annotation)
    if wanted is not None:
        images = {number: image for number, image in images.items() if wanted(image.entry)}
    used = [image for image in images.values() if image.annotations]
    left_out["images without an object"] += len(images) - len(used)
    if not used:
        raise DataError(f"{path} has no annotated object to use ({len(content['annotations'])} annotations)")
    check_files(path, used)
    return CocoFile(path, used, +left_out, content)


def _category_ids(path: Path, content: Mapping[str, Any], names: Sequence[str] | None) -> set[int]:
    known = {c["name"]: c["id"] for c in content["categories"] if "name" in c and "id" in c}
    if names is None:
        return set(known.values())
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(
            f"{path} has no category {', '.join(unknown)}; it has {', '.join(known) or 'none at all'}"
        )
    return {known[name] for name in names}


def _image(entry: Mapping[str, Any], path: Path, folder: Path) -> CocoImage:
    try:
        size = (int(entry["height"]), int(entry["width"]))
        path_of = folder / entry["file_name"]
        return CocoImage(entry["id"], path_of, size, str(entry.get("dataset", "")), entry=entry)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: image {entry.get('id')} lacks a valid {error}") from error


def _reason_to_leave_out(annotation: dict[str, Any], image: CocoImage, where: str) -> str | None:
    """Why an annotation can't be used; raises where the file is wrong."""
    height, width = image.size
    if annotation.get("iscrowd"):
        return "crowd annotations"
    box = annotation.get("bbox")
    if not (isinstance(box, list) and len(box) == 4 and np.isfinite(box).all()):
        raise DataError(f"{where} has no valid bbox (x, y, width, height): {box}")
    area = int(coco_mask.area(as_rle(annotation.get("segmentation"), image.size, where)))
    if area == 0:
        return "annotations with an empty mask"
    x, y, w, h = box
    if w <= 0 or h <= 0:
        return "annotations with an empty box"
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise DataError(f"{where} has its box {box} outside its image {image.id} ({width} x {height} pixels)")
    if area > height * width:
        raise DataError(f"{where} has a malformed mask: {area} pixels in an image of {height * width}")
    return None


def check_files(path: Path, images: Sequence[CocoImage]) -> None:
    """Raise `DataError`, with the first of them, where image files are missing."""
    missing = [image for image in images if not image.path.is_file()]
    if missing:
        shown = ", ".join(f"{image.path} (id {image.id})" for image in missing[:3])
        raise DataError(
            f"{path}: {len(missing)} of {len(images)} images are missing: {shown}"
            f"{', ...' if len(missing) > 3 else ''}; is the image folder right?"
        )


def as_rle(segmentation: Any, size: tuple[int, int], where: str) -> dict[str, Any]:
    """A COCO segmentation (polygons, RLE, compressed RLE) as compressed RLE.

    Args:
        segmentation: as in the file.
        size: (H, W) of the image.
        where: begins the error message.

    Raises:
        DataError: it is malformed or of another size than the image.
    """
    height, width = size
    try:
        if isinstance(segmentation, list):
            if not segmentation or any(len(polygon) < 6 or len(polygon) % 2 for polygon in segmentation):
                raise ValueError("a polygon needs three points or more, as x, y, x, y, ...")
            return coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
        if tuple(segmentation["size"]) != (height, width):
            raise ValueError(f"the mask is {segmentation['size']}, the image [{height}, {width}]")
        if isinstance(segmentation["counts"], list):
            if sum(segmentation["counts"]) != height * width:
                raise ValueError("the runs do not add up to the image's pixels")
            return coco_mask.frPyObjects(segmentation, height, width)
        counts = segmentation["counts"]
        if not isinstance(counts, (str, bytes)) or not counts:
            raise ValueError("empty run-length code")
        return {"size": [height, width], "counts": counts}
    except (KeyError, TypeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(f"{where} has a malformed mask: {reason}") from error


def decode(segmentation: Any, size: tuple[int, int], where: str) -> NDArray[Any]:
    """A COCO segmentation as (H, W) bool; errors as in `as_rle`."""
    try:
        return coco_mask.decode(as_rle(segmentation, size, where)).astype(bool)
    except ValueError as error:
        raise DataError(f"{where} has a malformed mask: {error}") from error


def encode(mask: NDArray[Any]) -> dict[str, Any]:
    """A mask (H, W) bool as compressed RLE with text counts, as COCO files hold it."""
    rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(n) for n in rle["size"]], "counts": rle["counts"].decode("ascii")}
