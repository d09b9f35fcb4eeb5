"""The files on disk.

`OUT/<dataset>/images/*.png`, `OUT/<dataset>/annotations/{all,train,val,test}.json` with the data set's
own categories and, beside each, its class-agnostic twin `{all,train,val,test}.agnostic.json` with the one
category `object` (each annotation keeps `origin`, the name of its own category). A split that has no image
has no file. Ids are those of `all.json` in every file; they start at 1. `OUT/<dataset>/report.json` says
what was converted and what was left out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .atomic import replacing
from .coco_parsed import Coco
from .errors import ConverterError
from .types import HELD_OUT, SPLITS, Category

OBJECT = Category("object", "object")


def to_coco(
    images: Iterable[Mapping[str, Any]], categories: Sequence[Category], info: Mapping[str, Any]
) -> Coco:
    """Number the images and their annotations, in the order given.

    Args:
        images: COCO images without `id`, each with its `annotations` that name their `category`.
        categories: Their order gives the category ids, from 1.
        info: Written as it is.
    """
    ids = {category.name: number for number, category in enumerate(categories, 1)}
    coco: Coco = {
        "info": dict(info),
        "categories": [
            {"id": ids[c.name], "name": c.name, "supercategory": c.supercategory} for c in categories
        ],
        "images": [],
        "annotations": [],
    }
    for image_id, record in enumerate(images, 1):
        coco["images"].append({"id": image_id, **{k: v for k, v in record.items() if k != "annotations"}})
        for found in record["annotations"]:
            rest = {k: v for k, v in found.items() if k != "category"}
            head = {
                "id": len(coco["annotations"]) + 1,
                "image_id": image_id,
                "category_id": ids[found["category"]],
            }
            coco["annotations"].append({**head, "iscrowd": 0, **rest})
    return coco


def subset(coco: Coco, keep: Iterable[int]) -> Coco:
    """The same file with only the images of these ids; nothing is renumbered."""
    wanted = set(keep)
    return {
        **coco,
        "images": [image for image in coco["images"] if image["id"] in wanted],
        "annotations": [a for a in coco["annotations"] if a["image_id"] in wanted],
    }


def agnostic(coco: Coco) -> Coco:
    """The same file with the one category `object`; annotations keep their class name as `origin`."""
    names = {c["id"]: c["name"] for c in coco["categories"]}
    return {
        **coco,
        "categories": [{"id": 1, "name": OBJECT.name, "supercategory": OBJECT.supercategory}],
        "annotations": [
            {**a, "category_id": 1, "origin": a.get("origin", names.get(a.get("category_id"), OBJECT.name))}
            for a in coco["annotations"]
        ],
    }


def write_splits(coco: Coco, folder: Path) -> list[Path]:
    """Write `all` and every split that has images, each with its class-agnostic twin."""
    sides: dict[str, list[int]] = {name: [] for name in (*SPLITS, HELD_OUT)}
    for image in coco["images"]:
        sides[image["split"]].append(image["id"])
    written = []
    for name in ("all", *SPLITS):
        paths = [folder / f"{name}.json", folder / f"{name}.agnostic.json"]
        part = coco if name == "all" else subset(coco, sides[name])
        if name != "all" and not part["images"]:
            for path in paths:
                path.unlink(missing_ok=True)
            continue
        write_json(part, paths[0])
        write_json(agnostic(part), paths[1])
        written += paths
    return written


def write_json(value: Any, path: Path, *, indent: int | None = None) -> None:
    """Write JSON so that the file is either the old or the new one, never half of it."""
    if indent is None and isinstance(value, dict):
        write_bytes(_pieces(value), path, sync=True)
    else:
        write_bytes([json.dumps(value, ensure_ascii=False, indent=indent).encode(), b"\n"], path, sync=True)


def _pieces(value: Mapping[str, Any]) -> Iterator[bytes]:
    """Compact JSON of a dict, long lists a thousand items at a time: the whole text is never in memory."""
    dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    yield b"{"
    for number, (key, item) in enumerate(value.items()):
        yield ("," * bool(number) + dumps(key) + ":").encode()
        if isinstance(item, list) and len(item) > 1000:
            for start in range(0, len(item), 1000):
                text = dumps(item[start : start + 1000])[1:-1]
                yield ("[" if not start else ",").encode() + text.encode()
            yield b"]"
        else:
            yield dumps(item).encode()
    yield b"}\n"


def write_png(image: NDArray[np.uint8], path: Path) -> str:
    """Write an image (H, W) or (H, W, 3) RGB losslessly and give the file's `digest`.

    Three equal channels are stored as one.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(f"an image must be (H, W) or (H, W, 3) uint8, not {image.shape} {image.dtype}")
    if image.ndim == 3:
        red = image[..., 0]
        gray = np.array_equal(red, image[..., 1]) and np.array_equal(red, image[..., 2])
        image = np.ascontiguousarray(red) if gray else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise ValueError("the image cannot be encoded as PNG")
    write_bytes(data.tobytes(), path)
    return digest(data.tobytes())


def digest(data: bytes) -> str:
    """What a file is known by: any damage changes it."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def write_bytes(data: bytes | Iterable[bytes], path: Path, *, sync: bool = False) -> None:
    """Write through a temporary file in the same folder and rename."""
    try:
        with replacing(path, sync=sync) as part, part.open("wb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
    except OSError as error:
        raise ConverterError(f"cannot write {path}: {error.strerror or error}") from error


def read_json(path: Path) -> Any:
    """Read JSON and name the file when it is broken.

    Raises:
        ConverterError: It is missing, unreadable or no JSON.
    """
    try:
        data = path.read_bytes()
        value = json.loads(data)
        # An escaped half of a character is JSON, but nothing can print it or write it again.
        if re.search(rb"\\u[dD][89a-fA-F]", data):
            json.dumps(value, ensure_ascii=False).encode()
    except OSError as error:
        raise ConverterError(f"cannot read {path}: {error.strerror or error}") from error
    except RecursionError as error:
        raise ConverterError(
            f"{path} is not valid JSON for a data set: lists within lists without end"
        ) from error
    except UnicodeEncodeError as error:
        raise ConverterError(f"{path} holds half of a character ({error.object[error.start]!r})") from error
    except ValueError as error:
        raise ConverterError(f"{path} is not valid JSON: {error}") from error
    return value
