"""Images a second that one core makes ready from shards, beside PNG files, WebDataset and LitData.

The images are simulated, or some of `--coco FILE --images DIR`, written as PNG as converters do. Peers are
measured where they are installed. Time is that of the processor, on one thread; order is random, as
training's, but where a peer has its own.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from .data import SIZE, fabricate, our_data
from .harness import Bench, main

ORDER = random.Random(0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--coco", type=Path, help="a COCO file of your own")
    parser.add_argument("--images", type=Path, help="its folder of images")
    parser.add_argument("--count", type=int, default=300, help="how many of them (300)")


def measure(bench: Bench) -> None:
    from mmengine.registry import init_default_scope

    import ultrasam.mm  # noqa: F401

    init_default_scope("mmdet")
    cv2.setNumThreads(1)
    if bench.args.coco:
        with tempfile.TemporaryDirectory() as folder:
            path = as_png(bench.args.coco, bench.args.images, Path(folder) / "images", bench.args.count)
            compare(bench, path, Path(folder), "given images")
        return
    for color in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "images").mkdir()
            path = fabricate(Path(folder) / "images", 4 if bench.quick else 40, color)
            compare(bench, path, Path(folder), "color images" if color else "gray images")


def as_png(coco: Path, images: Path, out: Path, count: int) -> Path:
    """Some images of a COCO file as PNG, one channel where all are equal, and their COCO file."""
    from ultrasam.converters.engine.coco import write_png

    from ultrasam.data.images import read_image

    content = json.loads(coco.read_text())
    entries = content["images"]
    entries = [entries[i * len(entries) // count] for i in range(count)] if count < len(entries) else entries
    out.mkdir()
    for entry in entries:
        image = read_image(images / entry["file_name"])
        gray = (image == image[..., :1]).all()
        name = f"{entry['id']}.png"
        write_png(np.ascontiguousarray(image[..., 0]) if gray else image, out / name)
        entry["file_name"] = name
    ids = {entry["id"] for entry in entries}
    annotations = [a for a in content["annotations"] if a["image_id"] in ids]
    (out / "train.json").write_text(json.dumps({**content, "images": entries, "annotations": annotations}))
    return out / "train.json"


def compare(bench: Bench, path: Path, folder: Path, what: str) -> None:
    from ultrasam.data.formats.exporting import export

    images = path.parent
    stores: dict[str, Path] = {}
    for pixels in ("raw", "file"):
        stores[pixels] = folder / pixels
        start = time.process_time()
        done = export(path, "webdataset", stores[pixels], images, pixels=pixels, shard_size=64 * 2**20)
        seconds = time.process_time() - start
        bench.fact(f"Writing shards of {what}, {pixels}, images/s", done.images / seconds)
        size = sum(file.stat().st_size for file in stores[pixels].iterdir()) / done.images
        bench.fact(f"An image of {what} in shards, {pixels}, bytes", f"{size:,.0f}")
    files = sum(file.stat().st_size for file in images.glob("*.png")) / done.images
    bench.fact(f"An image of {what} as PNG file, bytes", f"{files:,.0f}")
    ready(bench, path, stores, what)
    stored(bench, stores["raw"], folder, what)


def ready(bench: Bench, path: Path, stores: dict[str, Path], what: str) -> None:
    """The whole way to a training sample."""
    from ultrasam.mm.datasets.sharded_dataset import ShardedPromptDataset

    plain = our_data(path, path.parent)
    sets = {
        pixels: ShardedPromptDataset(img_size=SIZE, ann_file=str(place), flip=0.5)
        for pixels, place in stores.items()
    }
    order = list(range(len(plain)))
    ORDER.shuffle(order)
    batches = [order[i : i + 8] for i in range(0, len(order), 8)]

    def batched(used: Any) -> Callable[[], Any]:
        return lambda: [len(used.__getitems__(batch)) for batch in batches]

    bench.compare(
        f"{len(order)} {what} to {SIZE} px with prompts and masks, one core",
        {
            "COCO and PNG files": lambda: [plain[i] for i in order],
            "shards of image files": batched(sets["file"]),
            "shards of pixels": batched(sets["raw"]),
        },
        ours="shards of pixels",
        goals={"COCO and PNG files": 1.5},
        items=(len(order), "images"),
        clock=time.process_time,
    )
    unlike = 0
    for i in order:
        here = plain[i]
        for used in sets.values():
            there = used[i]
            targets = (s["data_samples"].gt_instances.targets for s in (here, there))
            unlike += not (torch.equal(here["inputs"], there["inputs"]) and torch.equal(*targets))
    bench.fact(f"Samples of {what} unlike those of the COCO file", str(unlike), "none", not unlike)


def stored(bench: Bench, place: Path, folder: Path, what: str) -> None:
    """From storage to pixels and annotations in memory, the same content in each."""
    from ultrasam.data.shards.shard_reading import ShardStore
    from ultrasam.data.shards.stored_pixels import restore

    store = ShardStore(str(place))
    order = list(range(len(store)))
    ORDER.shuffle(order)

    def ours() -> None:
        for i in range(0, len(order), 8):
            for sample in store.read(order[i : i + 8]):
                size = sample.entry["height"], sample.entry["width"]
                restore(sample.ending, sample.pixels, size, "", gray_view=True)[..., 0].copy()

    variants: dict[str, Callable[[], object]] = {"WebDataset's files by our index": ours}
    if importlib.util.find_spec("webdataset"):
        variants |= of_webdataset(place)
    if importlib.util.find_spec("litdata"):
        start = time.perf_counter()
        variants |= of_litdata(store, folder / "litdata", order)
        bench.fact(f"LitData, writing {what}, images/s", len(order) / (time.perf_counter() - start))
        size = sum(file.stat().st_size for file in (folder / "litdata").iterdir()) / len(order)
        bench.fact(f"An image of {what} in LitData's chunks, bytes", f"{size:,.0f}")
    bench.compare(
        f"{len(order)} {what} from the disk to pixels and annotations",
        variants,
        ours="WebDataset's files by our index",
        items=(len(order), "images"),
        clock=time.process_time,
    )


def of_webdataset(place: Path) -> dict[str, Callable[[], object]]:
    import webdataset

    urls = sorted(str(path) for path in place.glob("*.tar"))

    def stream() -> None:
        for sample in webdataset.WebDataset(urls, shardshuffle=False):
            _decoded(sample["json"], next(sample[e] for e in ("pgm", "ppm") if e in sample))

    return {"webdataset, in its files' order": stream}


def of_litdata(store: Any, out: Path, order: list[int]) -> dict[str, Callable[[], object]]:
    import litdata
    from litdata.streaming.writer import BinaryWriter

    shutil.rmtree(out, ignore_errors=True)
    writer = BinaryWriter(str(out), chunk_bytes=64 * 2**20)
    for i in range(len(store)):
        (sample,) = store.read([i])
        said = json.dumps({"image": sample.entry, "annotations": sample.annotations}).encode()
        writer[i] = {"json": said, "pixels": bytes(sample.pixels)}
    writer.done()
    writer.merge()
    used = litdata.StreamingDataset(str(out), shuffle=False)

    def stream() -> None:
        for sample in used:
            _decoded(sample["json"], sample["pixels"])

    def random_order() -> None:
        for i in order:
            sample = used[i]
            _decoded(sample["json"], sample["pixels"])

    return {"LitData, in its chunks' order": stream, "LitData, random order": random_order}


def _decoded(said: bytes, pixels: bytes) -> np.ndarray:
    """The same work for all: JSON, and Netpbm's header."""
    json.loads(said)
    file = io.BytesIO(pixels)
    kind, size, _ = (file.readline() for _ in range(3))
    width, height = map(int, size.split())
    shape = (height, width, 3 if kind.strip() == b"P6" else 1)
    # Some give the memory of a file, which nothing has read yet.
    return np.frombuffer(pixels, np.uint8, offset=file.tell()).reshape(shape)[..., 0].copy()


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, "shards", add_arguments))
