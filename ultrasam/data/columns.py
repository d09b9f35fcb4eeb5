"""The usable images and objects of a COCO file as flat arrays, kept in a file that processes share.

Reading and checking a JSON file of 280,000 objects takes seconds and most of a gigabyte, in every process.
The first one to do it writes the arrays beside the JSON file; from then on each process maps that file into
its memory, where all of them look at the same pages.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pooch
from numpy.typing import NDArray

from ultrasam.data import coco
from ultrasam.data.coco import CocoFile, CocoImage
from ultrasam.data.files import open_atomic
from ultrasam.errors import UltraSamError

#: First line of a file; its number changes with what follows.
MAGIC = b"ultrasam columns 2\n"
#: Smaller JSON files are read as they are: it takes a moment.
LEAST = 8 * 2**20
#: Image files that are looked for when the arrays come from a file; all were when it was written.
LOOKED_FOR = 200
ALIGNED = 64
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Columns:
    """What `coco.load` gives, column by column.

    Attributes:
        summary: one line on what is used and what is left out.
        datasets: names, which ``dataset`` counts from 0.
        arrays: by name. For n images: ``id``, ``size`` (n, 2) H and W, ``dataset``, ``path``, and ``first``
            (n + 1), the first object of each. For m objects: ``object_id``, ``bbox`` (m, 4) xywh, ``counts``,
            compressed RLE. A text is two arrays: ``path`` the bytes of all, and ``path_end`` (n + 1), where
            each begins and the last ends.
    """

    summary: str
    datasets: Sequence[str]
    arrays: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.arrays["id"])

    def image(self, index: int) -> CocoImage:
        """An image and its objects, as `coco.load` gives them; masks are compressed RLE."""
        arrays = self.arrays
        height, width = arrays["size"][index].tolist()
        rows = range(int(arrays["first"][index]), int(arrays["first"][index + 1]))
        annotations = [
            {
                "id": arrays["object_id"][row : row + 1].tolist()[0],
                "bbox": arrays["bbox"][row].tolist(),
                "segmentation": {"size": [height, width], "counts": self._text("counts", row)},
            }
            for row in rows
        ]
        path = Path(os.fsdecode(self._text("path", index)))
        dataset = self.datasets[arrays["dataset"][index]]
        number = arrays["id"][index : index + 1].tolist()[0]
        return CocoImage(number, path, (height, width), dataset, annotations)

    def _text(self, name: str, row: int) -> bytes:
        ends = self.arrays[f"{name}_end"]
        return self.arrays[name][ends[row] : ends[row + 1]].tobytes()


def columns_of(content: CocoFile) -> Columns:
    """The columns of a COCO file that is in memory."""
    images = content.images
    datasets = sorted({image.dataset for image in images})
    number = {name: row for row, name in enumerate(datasets)}
    objects = [(image, annotation) for image in images for annotation in image.annotations]
    # What `coco.load` gives has been looked at.
    masks = [coco.to_rle(a["segmentation"], image.size) for image, a in objects]
    counts = [m["counts"] if isinstance(m["counts"], bytes) else m["counts"].encode() for m in masks]
    arrays = {
        "id": _ids([image.id for image in images]),
        "size": np.array([image.size for image in images], np.int32),
        "dataset": np.array([number[image.dataset] for image in images], np.int32),
        "first": np.cumsum([0, *(len(image.annotations) for image in images)], dtype=np.int64),
        "object_id": _ids([a.get("id") for _, a in objects]),
        "bbox": np.array([a["bbox"] for _, a in objects], np.float64),
    }
    for name, texts in (("path", [os.fsencode(image.path) for image in images]), ("counts", counts)):
        arrays[name] = np.frombuffer(b"".join(texts), np.uint8)
        arrays[f"{name}_end"] = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return Columns(content.summary(), datasets, arrays)


def _ids(values: list[Any]) -> NDArray[Any]:
    """Ids as 64-bit integers, or as the objects they are: files with ids of 128 bits or of text exist."""
    if all(type(value) is int and abs(value) < 2**63 for value in values):
        return np.array(values, np.int64)
    return np.array(values, object)


def load(
    path: str | Path, images_dir: str | Path, categories: Sequence[str] | None = None, least: int = LEAST
) -> Columns:
    """`coco.load`, from the arrays of an earlier call where the file has not changed.

    The arrays lie beside the COCO file, or in the user's cache folder where that is read-only. Several
    processes may call at once: one reads the JSON file, the others wait for it.

    Args:
        path: the COCO file.
        images_dir: the folder that its ``file_name`` entries start from.
        categories: use only objects of these categories; None for all.
        least: bytes from which on arrays are kept.

    Raises:
        DataError: as `coco.load`.
    """
    path = Path(path)
    if not path.is_file() or path.stat().st_size < least:
        return columns_of(coco.load(path, images_dir, categories))
    stat, choice = path.stat(), [str(images_dir), None if categories is None else list(categories)]
    key = [stat.st_size, stat.st_mtime_ns, *choice]
    files = _places(path, choice)
    with _alone(path, wanted=_read(files, key) is None):
        columns = _read(files, key)
        if columns is None:
            columns = columns_of(coco.load(path, images_dir, categories))
            if _write(columns, files, key):
                columns = _read(files, key) or columns
    rows = np.linspace(0, len(columns) - 1, min(len(columns), LOOKED_FOR)).astype(int)
    if not all(columns.image(row).path.is_file() for row in rows.tolist()):
        coco.check_files(path, [columns.image(row) for row in range(len(columns))])
    return columns


def _places(path: Path, choice: Sequence[Any]) -> list[Path]:
    """Where the arrays of a file may lie, the best place first."""

    def digest(text: str) -> str:
        return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:12]

    cache = Path(pooch.os_cache("ultrasam")) / "annotations" / digest(str(path.resolve()))
    name = f".{path.name}.{digest(json.dumps(choice))}.columns"
    return [path.with_name(name), cache / name]


@contextlib.contextmanager
def _alone(path: Path, wanted: bool) -> Iterator[None]:
    """One process at a time where the file system can lock; elsewhere each does the work for itself."""
    with contextlib.ExitStack() as stack:
        if wanted:
            with contextlib.suppress(ImportError, OSError):
                import fcntl

                # The JSON file itself is locked, so nothing is left behind, whoever dies.
                fcntl.flock(stack.enter_context(path.open("rb")), fcntl.LOCK_EX)
        yield


def _write(columns: Columns, files: Sequence[Path], key: Sequence[Any]) -> bool:
    """Write the arrays to the first place that takes them, whole or not at all."""
    if any(array.dtype.hasobject for array in columns.arrays.values()):
        logger.info(
            "%s: ids that are no 64-bit integers, so annotations are read anew each time", columns.summary
        )
        return False
    starts, position = {}, 0
    for name, array in columns.arrays.items():
        starts[name] = [array.dtype.str, list(array.shape), position]
        position += array.nbytes + -array.nbytes % ALIGNED
    header = json.dumps(
        {
            "key": key,
            "bytes": position,
            "summary": columns.summary,
            "datasets": columns.datasets,
            "arrays": starts,
        }
    ).encode()
    header += b" " * (-(len(MAGIC) + len(header) + 1) % ALIGNED) + b"\n"
    for file in files:
        try:
            with open_atomic(file) as out:
                out.writelines([MAGIC, header])
                for array in columns.arrays.values():
                    out.writelines([array.tobytes(), bytes(-array.nbytes % ALIGNED)])
            return True
        except UltraSamError:
            continue
    logger.info("neither %s nor %s can be written, so annotations are read anew each time", *files)
    return False


def _read(files: Sequence[Path], key: Sequence[Any]) -> Columns | None:
    """The arrays of the first file that is whole and was made for this key."""
    for file in files:
        try:
            with file.open("rb") as source:
                if source.readline() != MAGIC:
                    continue
                header = json.loads(source.readline())
                start = source.tell()
                if header["key"] != list(key) or start + header["bytes"] != os.fstat(source.fileno()).st_size:
                    continue
                memory = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
            # NumPy makes no objects of bytes here: such a type is a ValueError.
            arrays = {
                name: np.frombuffer(memory, dtype, int(np.prod(shape)), start + offset).reshape(shape)
                for name, (dtype, shape, offset) in header["arrays"].items()
            }
            return Columns(header["summary"], header["datasets"], arrays)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return None
