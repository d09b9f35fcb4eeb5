"""The converters' speed: pairs a second against the naive way, two cores against one, merging, the audit.

`python -m benchmarks.converters [--images 1000] [--annotations 280000] [--audit 1000]`

The naive way is what scripts of this kind do: PIL, one full-image mask a component, pycocotools on each,
indented JSON at the end. Times are the wall clock's and, for one worker, the processor's.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask
from scipy import ndimage
from ultrasam.converters import Card, Category, Dataset, convert
from ultrasam.converters.engine import audit
from ultrasam.converters.engine.coco import write_json
from ultrasam.converters.engine.find import pairs
from ultrasam.converters.engine.merge import merge
from ultrasam.converters.engine.recipes import binary_still

WIDTH, HEIGHT = 600, 400


def cases(root: Path):
    return pairs(root, "Images/*.png", "Masks/*.png")


def read(case):
    yield from binary_still("lesion")(case)


DATASET = Dataset("bench", Card("Bench"), (Category("lesion"),), cases, read)


def fabricate(root: Path, count: int) -> None:
    """Grey speckle pictures with 1-bit masks of one lesion, as in BUS-BRA."""
    rng = np.random.default_rng(1)
    for folder in ("Images", "Masks"):
        (root / folder).mkdir(parents=True)
    for n in range(count):
        speckle = rng.rayleigh(40, (HEIGHT, WIDTH)).astype(np.float32)
        picture = np.clip(cv2.GaussianBlur(speckle, (0, 0), 1.2), 0, 255).astype(np.uint8)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        centre = (int(rng.integers(150, 450)), int(rng.integers(120, 280)))
        cv2.ellipse(
            mask, centre, (int(rng.integers(40, 110)), int(rng.integers(30, 90))), 20, 0, 360, 255, -1
        )
        Image.fromarray(picture).save(root / f"Images/{n:05d}.png")
        Image.fromarray(mask).convert("1").save(root / f"Masks/{n:05d}.png")


def naive(root: Path, out: Path, count: int) -> None:
    out.mkdir()
    images, annotations = [], []
    for path in list(root.glob("Images/*.png"))[:count]:
        picture = np.asarray(Image.open(path).convert("RGB"))
        mask = np.asarray(Image.open(root / "Masks" / path.name).convert("L"))
        Image.fromarray(picture).save(out / path.name)
        labels, count = ndimage.label(mask > 127, np.ones((3, 3)))
        images.append({"id": len(images), "file_name": path.name, "width": WIDTH, "height": HEIGHT})
        for label in range(1, count + 1):
            rle = coco_mask.encode(np.asfortranarray(labels == label, np.uint8))
            box, area = coco_mask.toBbox(rle).tolist(), int(coco_mask.area(rle))
            rle["counts"] = rle["counts"].decode()
            annotations.append({"segmentation": rle, "bbox": box, "area": area, "image_id": len(images) - 1})
    (out / "all.json").write_text(json.dumps({"images": images, "annotations": annotations}, indent=2))


def clock(work: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def conversion(folder: Path, count: int) -> None:
    cv2.setNumThreads(1)
    fabricate(folder / "raw", count)
    few = min(count, 100)
    plain, plain_cpu = clock(lambda: naive(folder / "raw", folder / "naive", few))
    one, one_cpu = clock(lambda: convert(DATASET, folder / "raw", folder / "one"))
    two, _ = clock(lambda: convert(DATASET, folder / "raw", folder / "two", workers=2))
    print(f"{count} pairs of {WIDTH} x {HEIGHT}: images/s by wall clock (by processor time)")
    print(f"  naive       {few / plain:7.1f} ({few / plain_cpu:.1f})")
    print(f"  one worker  {count / one:7.1f} ({count / one_cpu:.1f})")
    print(f"  two workers {count / two:7.1f}, {one / two:.2f} times one")


def merging(folder: Path, annotations: int) -> None:
    """`annotations` objects in 43 data sets, three an image."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(mask, (250, 200), (150, 100), 20, 0, 360, 1, -1)
    rle = coco_mask.encode(np.asfortranarray(mask))
    rle["counts"] = rle["counts"].decode()
    each = annotations // 43
    for n in range(43):
        name = f"set{n:02d}"
        path = folder / "data" / name / "annotations"
        path.mkdir(parents=True)
        images = [
            {
                "id": i,
                "file_name": f"{i:06d}.png",
                "width": WIDTH,
                "height": HEIGHT,
                "dataset": name,
                "subject": f"s{i // 20}",
                "source": {"file": f"raw/{i}.png"},
                "split": "val" if i // 20 % 20 == 0 else "train",
            }
            for i in range(1, each // 3 + 2)
        ]
        objects = [
            {
                "id": i + 1,
                "image_id": i // 3 + 1,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [100, 100, 300, 200],
                "area": 60000,
                "segmentation": rle,
            }
            for i in range(each)
        ]
        categories = [{"id": 1, "name": "lesion", "supercategory": "x"}]
        coco = {"info": {"organ": "x"}, "images": images, "annotations": objects, "categories": categories}
        write_json(coco, path / "all.json")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = clock(lambda: merge(folder / "data", folder / "merged"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = sum(p.stat().st_size for p in (folder / "merged").iterdir()) / 2**20
    print(f"merging {each * 43} objects ({size:.0f} MiB of JSON): {wall:.1f} s ({cpu:.1f} s of processor)")
    print(f"  peak memory of the process {peak / 2**20:.2f} GiB ({before / 2**20:.2f} before)")


def auditing(folder: Path, count: int) -> None:
    """Distinct phantoms on two sides, and changed copies of some: recall and false pairs."""
    from ultrasam.phantom import simulate

    cv2.setNumThreads(1)
    changes: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "resized": lambda i: cv2.resize(i, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA),
        "re-encoded": lambda i: cv2.imdecode(cv2.imencode(".jpg", i, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 0),
        "flipped": lambda i: i[:, ::-1],
        "cropped by 5 %": lambda i: i[round(0.05 * i.shape[0]) :, round(0.05 * i.shape[1]) :],
    }
    found: list[audit.Entry] = []
    truth: dict[tuple[str, str], str] = {}
    for n in range(count):
        image = simulate(21, n).image
        image = np.ascontiguousarray(image if image.ndim == 2 else image[..., 0])
        path = folder / f"p{n}.png"
        cv2.imwrite(str(path), image)
        found.append(audit.Entry("phantom", path.name, "train" if n % 2 else "val", str(n), path))
        if n % 5 == 0:
            kind = list(changes)[n // 5 % len(changes)]
            copy = folder / f"c{n}.png"
            cv2.imwrite(str(copy), np.ascontiguousarray(changes[kind](image)))
            found.append(audit.Entry("copy", copy.name, "test", str(n), copy))
            truth[path.name, copy.name] = kind
    hits: list[audit.Pair] = []
    wall, _ = clock(lambda: hits.extend(audit.near_duplicates(found)[0]))
    names = {tuple(sorted((p.first.file_name, p.second.file_name), reverse=True)) for p in hits}
    print(f"audit of {len(found)} images, {len(truth)} planted: {wall:.1f} s")
    for kind in changes:
        planted = {pair for pair, k in truth.items() if k == kind}
        print(f"  {kind:15} recall {len(names & planted) / max(1, len(planted)):.3f} of {len(planted)}")
    print(f"  false pairs: {len(names - set(truth))}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--annotations", type=int, default=280_000)
    parser.add_argument("--audit", type=int, default=1000)
    args = parser.parse_args()
    for work, number in ((conversion, args.images), (merging, args.annotations), (auditing, args.audit)):
        if number:
            with tempfile.TemporaryDirectory() as folder:
                work(Path(folder), number)


if __name__ == "__main__":
    main()
