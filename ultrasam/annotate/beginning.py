"""How a session begins: what its inputs are, where its labels go, and that nobody else writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import filelock

from ultrasam.annotate.items import Items
from ultrasam.data import coco
from ultrasam.errors import DataError, UltraSamError
from ultrasam.predict.pixels import Window


def find(
    inputs: Sequence[str | Path], images: str | Path | None, window: Window | None
) -> tuple[dict[str, Any] | None, Items]:
    """The items, and the content of the COCO file that was given, if one was."""
    if not inputs:
        raise DataError("say what to annotate: images, folders, DICOM files, videos, or a COCO file")
    first = Path(inputs[0])
    if first.suffix.lower() != ".json":
        return None, Items.find(inputs, window)
    if len(inputs) > 1:
        raise DataError("a COCO file is given alone; its images are found beside it, or in --images")
    content = coco.read(first).content
    return content, Items.of_coco(content, _images_of(first, content, images), window)


def _images_of(path: Path, content: Mapping[str, Any], images: str | Path | None) -> Path:
    """The folder that a COCO file's names start from."""
    if images is not None:
        return Path(images)
    places = [path.parent, path.parent / "images", path.parent.parent / "images", path.parent.parent]
    for entry in content["images"]:
        for place in places:
            if (place / str(entry.get("file_name"))).is_file():
                return place
    raise DataError(f"the images of {path} are not beside it: name their folder with --images")


def default_out(inputs: Sequence[str | Path], items: Items) -> Path:
    """``labels.json`` in the input folder, or beside the input."""
    first = Path(inputs[0])
    if first.suffix.lower() == ".json":
        return first.with_name("labels.json")
    return items.root / "labels.json"


def alone(out: Path) -> filelock.BaseFileLock:
    """Hold the labels for this session; the lock ends with the process, however that ends."""
    lock = filelock.FileLock(out.with_name(f".{out.name}.lock"), is_singleton=False)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise UltraSamError(
            f"another 'ultrasam annotate' works on {out}: close it, or choose another --out"
        ) from error
    except NotImplementedError:
        # File systems that cannot lock exist; there, people have to look after it themselves.
        pass
    except OSError as error:
        raise UltraSamError(
            f"cannot write in {out.parent} ({error.strerror or error}): choose another --out"
        ) from error
    return lock
