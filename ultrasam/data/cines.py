"""Simulated cines as a COCO file with the fields of videos, and a PNG for each frame."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ultrasam.data import coco
from ultrasam.data.boxes import tight_box, to_xywh
from ultrasam.data.files import write_bytes, write_json
from ultrasam.data.images import encode_image
from ultrasam.data.phantoms import split_of
from ultrasam.phantom import CATEGORIES
from ultrasam.phantom.cine import RATE, Cine


def write_cines(
    out: Path, num: int, *, frames: int = 48, seed: int = 0, size: int = 256, workers: int = 1
) -> Path:
    """Write ``num`` simulated cines with exact masks to ``out/phantom_cine``.

    ``videos`` list the cines; images name theirs by ``video_id`` and their place in it by ``frame_id``, from
    0; annotations name their object by ``instance_id``, the same in all frames and of no other object. An
    object that can't be seen in a frame has no annotation there. (The names are COCO-VID's, as MMTracking has
    them.)

    Args:
        out: the folder that holds a folder for each data set.
        num: cines in all; 80 % train, 5 % validate, 15 % test.
        frames: of each cine.
        seed: another seed gives other cines.
        size: side in pixels.
        workers: processes.

    Returns:
        the COCO file.
    """
    folder = out / "phantom_cine"
    work = partial(_write, folder / "images", frames, seed, size)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        done = list(tqdm(pool.map(work, range(num)), total=num, desc="simulating", unit="cine"))
    path = folder / "annotations" / "all.json"
    write_json(path, _content(done, frames, size))
    return path


def _write(folder: Path, frames: int, seed: int, size: int, index: int) -> dict[str, Any]:
    """Write the images of a cine; what there is to say of it, with the masks of each frame."""
    cine = Cine(seed, index, frames=frames, size=size)
    name = f"{seed}_{index:05d}"
    codes = []
    for number, frame in enumerate(cine):
        write_bytes(folder / name / f"{number:05d}.png", encode_image(frame.image))
        codes.append([_shape(mask) if mask.any() else None for mask in frame.masks])
    told = {"name": name, "motion": cine.motion, "scene": cine.organ, "geometry": cine.geometry}
    return {"video": {**told, "split": split_of(index)}, "categories": cine.categories, "codes": codes}


def _content(done: list[dict[str, Any]], frames: int, size: int) -> dict[str, Any]:
    ids = {name: number for number, name in enumerate(CATEGORIES, start=1)}
    content: dict[str, Any] = {
        "info": {"description": "Simulated B-mode cines", "license": "Apache-2.0"},
        "videos": [],
        "images": [],
        "annotations": [],
        "categories": [
            {"id": number, "name": name, "supercategory": "simulated"} for name, number in ids.items()
        ],
    }
    instances = 0
    for number, cine in enumerate(done, start=1):
        video, side = cine["video"], {"width": size, "height": size}
        content["videos"].append({"id": number, **video, **side, "length": frames, "fps": RATE})
        for frame, codes in enumerate(cine["codes"]):
            image = {
                "id": len(content["images"]) + 1,
                "file_name": f"{video['name']}/{frame:05d}.png",
                **side,
                "video_id": number,
                "frame_id": frame,
                "dataset": "phantom_cine",
                "subject": video["name"],
                "split": video["split"],
            }
            content["images"].append(image)
            for which, shape in enumerate(codes):
                if shape is not None:
                    entry = {
                        "id": len(content["annotations"]) + 1,
                        "image_id": image["id"],
                        "video_id": number,
                        "instance_id": instances + which + 1,
                        "category_id": ids[cine["categories"][which]],
                        **shape,
                    }
                    content["annotations"].append(entry)
        instances += len(cine["categories"])
    return content


def _shape(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """What an annotation says of a mask (H, W), not empty."""
    bbox = to_xywh(tight_box(mask)).tolist()
    return {"segmentation": coco.encode(mask), "bbox": bbox, "area": int(mask.sum()), "iscrowd": 0}
