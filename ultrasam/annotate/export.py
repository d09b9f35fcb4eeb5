"""Labels to take away: the COCO file, or label maps as PNG."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from ultrasam.annotate.session import Session
from ultrasam.data import coco
from ultrasam.data.formats import label_maps
from ultrasam.errors import PromptError

_PIECE = 2**20


def export(session: Session, kind: str) -> tuple[str, str, Iterator[bytes]]:
    """All labels in a format, ``coco`` or ``png``.

    Returns:
        a file name, its media type, and its bytes in pieces.

    Raises:
        PromptError: an unknown format.
    """
    if kind == "coco":
        data = json.dumps(session.saver.content()).encode()
        return "labels.json", "application/json", iter([data])
    if kind == "png":
        return "labels_png.zip", "application/zip", _label_maps(session.saver.content())
    raise PromptError(f"the format is coco or png, not {kind!r:.40}")


def _label_maps(content: dict[str, Any]) -> Iterator[bytes]:
    """A label map for each image with labels: 0 is background, n the n-th class of ``classes.txt``."""
    number = {category["id"]: i for i, category in enumerate(content["categories"], start=1)}
    by_image: dict[Any, list[dict[str, Any]]] = {}
    for annotation in content["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            names = [str(category["name"]) for category in content["categories"]]
            archive.writestr("classes.txt", "\n".join(names) + "\n")
            for image in content["images"]:
                if image["id"] in by_image:
                    labels = label_map(image, by_image[image["id"]], number)
                    archive.writestr(_inside(image["file_name"]), cv2.imencode(".png", labels)[1].tobytes())
        file.seek(0)
        while piece := file.read(_PIECE):
            yield piece


def label_map(image: dict[str, Any], annotations: list[dict[str, Any]], number: dict[Any, int]) -> np.ndarray:
    """The classes of an image's pixels, (H, W) uint8 or uint16; where objects overlap the last one counts."""
    size = (int(image["height"]), int(image["width"]))
    masks = (
        (
            number[annotation["category_id"]],
            coco.decode(annotation.get("segmentation"), size, f"annotation {annotation.get('id')}"),
        )
        for annotation in annotations
    )
    return label_maps.label_map(size, masks, len(number))[0]


def _inside(name: str) -> str:
    """A name within the archive: no part of it leads out."""
    parts = [part for part in str(name).replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return "/".join([*parts[:-1], parts[-1].rsplit(".", 1)[0] + ".png"])
