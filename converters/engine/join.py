"""Several COCO files to one class-agnostic file, whole or one side of their split."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import coco_schema
from .coco import agnostic, write_json
from .errors import ConverterError
from .names import locate


def join(
    sources: Sequence[tuple[Path, Path]],
    out: Path,
    *,
    split: str | None = None,
    repeat: Mapping[str, int] | None = None,
) -> Counter[str]:
    """Join COCO files; ids are given anew, file names lead from the new file's folder.

    Args:
        sources: COCO files, each with its image folder.
        out: The file to write.
        split: Take only images whose `split` is this, from files whose images have one.
        repeat: How often the images of a data set are listed, for a balance between large and small ones.

    Returns:
        Images by data set.

    Raises:
        ConverterError: A file is not valid or would be overwritten, an image folder is missing, nothing is
            left, or `repeat` names a data set that is not there.
    """
    for path, folder in sources:
        if path.resolve() == out.resolve():
            raise ConverterError(f"{out} is one of the files to join and would be overwritten")
        if not folder.is_dir():
            raise ConverterError(f"no image folder at {folder}, where the file names of {path} start")
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    for path, folder in sources:
        coco = agnostic(coco_schema.read(path))
        found, _ = locate(folder, [image["file_name"] for image in coco["images"]])
        objects = defaultdict(list)
        for annotation in coco["annotations"]:
            objects[annotation["image_id"]].append(annotation)
        for image in coco["images"]:
            dataset = str(image.get("dataset", path.stem))
            wanted = split is None or image.get("split", split) == split
            file = found.get(image["file_name"], folder / image["file_name"])
            name = os.path.relpath(file, out.parent)
            for _ in range((repeat or {}).get(dataset, 1) if wanted else 0):
                number = len(images) + 1
                images.append({**image, "id": number, "file_name": name, "dataset": dataset})
                for entry in objects[image["id"]]:
                    annotations.append({**entry, "id": len(annotations) + 1, "image_id": number})
                counts[dataset] += 1
    unknown = sorted(set(repeat or {}) - set(counts))
    if unknown:
        raise ConverterError(f"no images of {', '.join(unknown)}; there are {', '.join(sorted(counts))}")
    if not images:
        raise ConverterError(f"no image of split '{split}' in {', '.join(str(path) for path, _ in sources)}")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json({**coco, "info": {}, "licenses": [], "images": images, "annotations": annotations}, out)
    return counts
