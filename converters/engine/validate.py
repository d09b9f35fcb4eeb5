"""Is a COCO file what its readers expect? Every finding names the image or annotation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from .coco import Coco
from .header import PictureError, other_size, read_header


@dataclass(frozen=True)
class Problem:
    """One finding: a short `kind` to count by, and a sentence that says where."""

    kind: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


def check(coco: Coco, images: Path | None) -> list[Problem]:
    """Check a COCO file and, where a folder is given, the image files it names.

    Found are: missing parts, ids that are no integers or occur twice, images that are absent, unreadable
    or of another size, annotations of unknown images or categories, empty or malformed run lengths,
    areas and boxes that differ from the mask, boxes outside the image, and a file without annotations.
    """
    missing = [key for key in ("images", "annotations", "categories") if not isinstance(coco.get(key), list)]
    if missing:
        return [Problem("missing part", f"the file has no list {key!r}") for key in missing]
    problems = [*_duplicates(coco)]
    if not coco["images"]:
        problems.append(Problem("no images", "the file lists no image"))
    if not coco["annotations"]:
        problems.append(Problem("no annotations", "the file lists no annotation"))
    sizes: dict[Any, tuple[int, int]] = {}
    for image in coco["images"]:
        problems += _image(image, images, sizes)
    categories = {category.get("id") for category in coco["categories"]}
    for found in coco["annotations"]:
        problems += _annotation(found, sizes, categories)
    return problems


def _duplicates(coco: Coco) -> Iterator[Problem]:
    for part in ("images", "annotations", "categories"):
        seen: set[Any] = set()
        for item in coco[part]:
            number = item.get("id")
            if not isinstance(number, int) or isinstance(number, bool) or abs(number) >= 2**63:
                yield Problem("bad id", f"{part}: {number!r} is no 64-bit integer")
            if number in seen:
                yield Problem("duplicate id", f"{part}: {number} occurs twice")
            seen.add(number)
    names: set[str] = set()
    for image in coco["images"]:
        name = image.get("file_name", "")
        if name in names:
            yield Problem("duplicate file", f"two images are {name!r}")
        names.add(name)


def _image(image: Mapping[str, Any], folder: Path | None, sizes: dict[Any, tuple[int, int]]) -> list[Problem]:
    name = f"image {image.get('id')} ({image.get('file_name')})"
    try:
        size = (int(image["height"]), int(image["width"]))
        file_name = str(image["file_name"])
    except (KeyError, TypeError, ValueError):
        return [Problem("incomplete image", f"{name} lacks file_name, width or height")]
    sizes[image.get("id")] = size
    if folder is None:
        return []
    path = folder / file_name
    if not path.is_file():
        return [Problem("missing image", f"{name}: {path} does not exist")]
    try:
        with path.open("rb") as file:
            header = read_header(file)
    except (PictureError, OSError) as error:
        return [Problem("unreadable image", f"{name}: {error}")]
    if not header.whole:
        return [Problem("unreadable image", f"{name}: {path} is cut off")]
    reason = other_size(header, header.size, size)
    return [Problem("size", f"{name} {reason}")] if reason else []


def _annotation(
    found: Mapping[str, Any], sizes: Mapping[Any, tuple[int, int]], categories: set[Any]
) -> list[Problem]:
    name = f"annotation {found.get('id')} of image {found.get('image_id')}"
    problems = []
    if found.get("category_id") not in categories:
        problems.append(Problem("unknown category", f"{name}: category {found.get('category_id')!r}"))
    size = sizes.get(found.get("image_id"))
    if size is None:
        return [*problems, Problem("unknown image", f"{name}: no such image")]
    return problems + _mask(found, name, size)


def _mask(found: Mapping[str, Any], name: str, size: tuple[int, int]) -> list[Problem]:
    try:
        rle = _rle(found["segmentation"], size)
        area, box = int(coco_mask.area(rle)), [float(v) for v in coco_mask.toBbox(rle)]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        return [Problem("malformed mask", f"{name}: {error or type(error).__name__}")]
    if area <= 0:
        return [Problem("empty mask", name)]
    problems = []
    if abs(float(found.get("area", area)) - area) > 0.5 and isinstance(found["segmentation"], dict):
        problems.append(Problem("area", f"{name}: {found['area']} written, {area} in the mask"))
    given = found.get("bbox")
    if not isinstance(given, list) or len(given) != 4:
        return [*problems, Problem("box", f"{name}: bbox is {given!r}")]
    x, y, w, h = (float(v) for v in given)
    if w <= 0 or h <= 0 or x < 0 or y < 0 or x + w > size[1] or y + h > size[0]:
        problems.append(Problem("box outside", f"{name}: bbox {given} in an image of {size[1]}x{size[0]}"))
    elif not np.allclose([x, y, w, h], box, atol=1.0):
        problems.append(Problem("box", f"{name}: bbox {given}, the mask has {box}"))
    return problems


def _rle(segmentation: Any, size: tuple[int, int]) -> Any:
    """Bring any COCO segmentation to run lengths that are safe to hand to pycocotools."""
    if isinstance(segmentation, list):
        if not segmentation or any(len(ring) < 6 or len(ring) % 2 for ring in segmentation):
            raise ValueError("a polygon needs three points")
        return coco_mask.merge(coco_mask.frPyObjects(segmentation, *size))
    if not isinstance(segmentation, dict):
        raise TypeError(f"segmentation is {type(segmentation).__name__}")
    if tuple(segmentation["size"]) != size:
        raise ValueError(f"run lengths of size {segmentation['size']}, the image has {list(size)}")
    counts = segmentation["counts"]
    runs = counts if isinstance(counts, list) else unpack(counts)
    if min(runs, default=0) < 0 or sum(runs) != size[0] * size[1]:
        raise ValueError("run lengths do not cover the image")
    return coco_mask.frPyObjects({"size": list(size), "counts": runs}, *size)


def unpack(counts: str | bytes) -> list[int]:
    """Run lengths of COCO's compressed text; pycocotools itself trusts it and may read past its end."""
    text = counts.encode("latin-1") if isinstance(counts, str) else counts
    runs: list[int] = []
    value = shift = 0
    for byte in text:
        code = byte - 48
        if not 0 <= code < 64:
            raise ValueError("run lengths hold a character that does not belong there")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("run lengths are cut off")
    return runs
