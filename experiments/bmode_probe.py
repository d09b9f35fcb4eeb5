"""Does an image look like B-mode ultrasound? A logistic regression on the small model's embedding of it.

  python -m experiments.bmode_probe --data corpus more --embeddings box_head --out bmode.json

Ultrasound are the train parts of sets that may be shipped, and phantoms (``box_head`` is the folder of
`experiments.box_head_training`). The other side are pictures of scikit-image, scikit-learn and matplotlib,
pydicom's test files, pages of text, charts, and ultrasound with colored flow drawn onto it. Judged on
ultrasound of sets that take no part in the fit, against pictures that take none: one kind left out after
the other.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from experiments.head_data import PERMITTED, HeadData, Job, make, real, samples
from ultrasam.data.files import write_json
from ultrasam.data.images import read_samples
from ultrasam.evaluate.prompting import read_checked
from ultrasam.predict.bmode import pooled
from ultrasam.predict.pixels import to_rgb8
from ultrasam.preprocess import Geometry

UNSEEN = ("busi", "bus_uclm", "stu_hospital", "ddti", "mmotu_2d", "camus", "us_nerve", "aul")
#: Views of each picture, images of each set that are judged, and made pictures of each kind.
CROPS, JUDGED, MADE = 4, 40, 40
_WORDS = (
    "Findings",
    "none",
    "of",
    "note",
    "left",
    "liver",
    "12.5 mm",
    "2024",
    "the",
    "patient",
    "was",
    "seen",
    "MI 0.7",
)
#: Kinds that are found and not made.
FOUND = ("photograph", "other photograph", "DICOM")
_EMPTY = np.zeros((0, 4))


def pictures() -> Iterator[tuple[str, str, np.ndarray]]:
    """Kind, name and pixels (H, W, 3) of what is no ultrasound and lies about."""
    import matplotlib as mpl
    import skimage.data
    import sklearn.datasets

    folders = {
        "photograph": [Path(skimage.data.__file__).parent],
        "other photograph": [
            Path(sklearn.datasets.__file__).parent / "images",
            Path(mpl.get_data_path()) / "sample_data",
        ],
    }
    for kind, places in folders.items():
        for path in sorted(p for place in places for p in place.iterdir()):
            if path.suffix in (".png", ".jpg", ".gif"):
                shown = read_samples(path)
                yield kind, path.name, to_rgb8(shown, window=None if shown.dtype == np.uint8 else "minmax")
    yield from _dicom()


def _dicom() -> Iterator[tuple[str, str, np.ndarray]]:
    import pydicom
    from pydicom.data import get_testdata_files

    for name in sorted(get_testdata_files("*.dcm")):
        try:
            file = pydicom.dcmread(name, force=True)
            modality = str(file.get("Modality") or "?")
            pixels = np.asarray(file.pixel_array) if modality != "US" else None
        # Some of these files are made to be broken.
        except Exception:
            continue
        if pixels is None:
            continue
        if pixels.ndim > 2 and pixels.shape[-1] != 3:
            pixels = pixels[len(pixels) // 2]
        if pixels.ndim in (2, 3) and min(pixels.shape[:2]) >= 16:
            yield (
                "DICOM",
                Path(name).name,
                to_rgb8(pixels, window=None if pixels.dtype == np.uint8 else "minmax"),
            )


def made(ultrasound: Sequence[np.ndarray]) -> Iterator[tuple[str, str, np.ndarray]]:
    """Pages of text, charts, noise, and colored flow on ultrasound."""
    for number in range(MADE):
        rng = np.random.default_rng([11, number])
        yield "page", f"page{number}", _page(rng)
        yield "chart", f"chart{number}", _chart(rng)
        yield "Doppler", f"doppler{number}", _doppler(ultrasound[number % len(ultrasound)].copy(), rng)
        if number % 6 == 0:
            yield "noise", f"noise{number}", _noise(rng)


def _page(rng: np.random.Generator) -> np.ndarray:
    height, width = rng.integers(200, 700, 2)
    dark = rng.random() < 0.3
    image = np.full((height, width, 3), rng.integers(0, 30) if dark else rng.integers(225, 256), np.uint8)
    size = float(rng.uniform(0.35, 0.9))
    for row in range(int(30 * size) + 5, height, int(rng.uniform(28, 45) * size) + 4):
        text = " ".join(rng.choice(_WORDS, rng.integers(1, 12)))
        ink = (230,) * 3 if dark else (20,) * 3
        cv2.putText(
            image, text, (int(rng.integers(4, 40)), row), int(rng.integers(0, 4)), size, ink, 1, cv2.LINE_AA
        )
    return image


def _chart(rng: np.random.Generator) -> np.ndarray:
    height, width = rng.integers(200, 600, 2)
    image = np.full((height, width, 3), 255, np.uint8)
    cv2.rectangle(image, (30, 10), (int(width) - 10, int(height) - 30), (0, 0, 0), 1)
    for _ in range(rng.integers(1, 6)):
        ink = tuple(int(v) for v in rng.integers(0, 200, 3))
        x = np.linspace(30, width - 10, 60)
        y = height / 2 + np.cumsum(rng.normal(0, height / 40, 60))
        if rng.random() < 0.5:
            cv2.polylines(image, [np.stack([x, y], 1).astype(np.int32)], False, ink, 2, cv2.LINE_AA)
        else:
            for left, top in zip(x[::5], y[::5], strict=True):
                cv2.rectangle(image, (int(left), int(top)), (int(left) + 12, int(height) - 30), ink, -1)
    return image


def _doppler(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flow in red and blue within a window, as scanners draw it, with the bar of colors beside."""
    height, width = image.shape[:2]
    grain = cv2.GaussianBlur(
        rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), float(rng.uniform(6, 18))
    )
    speed = grain / (np.abs(grain).max() + 1e-6)
    y, x = np.mgrid[:height, :width]
    cy, cx = rng.uniform(0.35, 0.65, 2) * (height, width)
    window = (np.abs(y - cy) < rng.uniform(0.2, 0.35) * height) & (
        np.abs(x - cx) < rng.uniform(0.2, 0.35) * width
    )
    shown = window & (np.abs(speed) > rng.uniform(0.15, 0.4))
    fast = (np.abs(speed) * 255).astype(np.uint8)
    red = np.stack([np.maximum(fast, 130), fast, fast // 6], -1)
    blue = np.stack([fast // 6, fast, np.maximum(fast, 130)], -1)
    image[shown] = np.where((speed > 0)[..., None], red, blue)[shown]
    if rng.random() < 0.6:
        bar = np.linspace(1, -1, height // 3)
        side = np.stack([(bar.clip(0) * 255), np.zeros_like(bar), ((-bar).clip(0) * 255)], -1).astype(
            np.uint8
        )
        image[5 : 5 + len(bar), 5:13] = side[: height - 5, None]
    return image


def _noise(rng: np.random.Generator) -> np.ndarray:
    image = rng.integers(0, 256, (240, 320, 1 if rng.random() < 0.5 else 3)).astype(np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 20))).reshape(240, 320, -1)
    return np.broadcast_to(image, (240, 320, 3)).copy()


def tinted(images: Sequence[np.ndarray]) -> list[Job]:
    """Ultrasound in one tint, which is still ultrasound."""

    def job(number: int) -> tuple[str, np.ndarray, np.ndarray]:
        tint = np.random.default_rng([12, number]).uniform(0.5, 1.0, 3)
        return "tinted", (images[number] * (tint / tint.max())).astype(np.uint8), _EMPTY

    return [partial(job, number) for number in range(len(images))]


def views(kind: str, name: str, image: np.ndarray) -> list[Job]:
    """A picture, and parts of one that is not made, mirrored at times."""

    def job(number: int) -> tuple[str, np.ndarray, np.ndarray]:
        if number == 0:
            return f"{kind}/{name}", image, _EMPTY
        rng = np.random.default_rng([number, zlib.crc32(name.encode())])
        height, width = image.shape[:2]
        h, w = (max(int(side * rng.uniform(0.4, 0.95)), 16) for side in (height, width))
        y, x = rng.integers(0, max(height - h, 0) + 1), rng.integers(0, max(width - w, 0) + 1)
        return (
            f"{kind}/{name}",
            np.ascontiguousarray(image[y : y + h, x : x + w][:, :: int(rng.choice([1, -1]))]),
            _EMPTY,
        )

    return [partial(job, number) for number in range(1 + (CROPS if kind in FOUND else 0))]


def pool(data: HeadData, rows: Sequence[int] | None = None) -> np.ndarray:
    """Pooled embeddings (N, 2C) of some rows."""
    chosen = range(len(data.rows)) if rows is None else rows
    sizes = [tuple(data.rows[i]["resized"]) for i in chosen]
    return np.stack(
        [pooled(data.features[i], Geometry(s, s, 256)) for i, s in zip(chosen, sizes, strict=True)]
    )


def fit(x: np.ndarray, y: np.ndarray, ridge: float = 30.0) -> tuple[np.ndarray, float]:
    """Weights and intercept of a ridge logistic regression by Newton's steps; both sides count alike."""
    mean, deviation = x.mean(0), x.std(0) + 1e-3
    z = np.column_stack([(x - mean) / deviation, np.ones(len(x))])
    share = np.where(y > 0, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    w = np.zeros(z.shape[1])
    penalty = np.diag([ridge] * x.shape[1] + [0.0])
    for _ in range(15):
        p = 1 / (1 + np.exp(-np.clip(z @ w, -30, 30)))
        curve = np.maximum(share * p * (1 - p), 1e-6)
        w -= np.linalg.solve((z * curve[:, None]).T @ z + penalty, z.T @ (share * (p - y)) + penalty @ w)
    weights = w[:-1] / deviation
    return weights, float(w[-1] - mean @ weights)


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Share of pairs in the right order."""
    return float((positive[:, None] > negative).mean() + 0.5 * (positive[:, None] == negative).mean())


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.bmode_probe",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="DIR")
    parser.add_argument("--embeddings", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    args = parser.parse_args(argv)
    ours = [read_checked(s.item) for s in samples(args.data, PERMITTED, "train", 30)]
    both = [*pictures(), *made(ours)]
    jobs = [job for kind, name, image in both for job in views(kind, name, image)]
    others = make(args.embeddings / "others", [*jobs, *tinted(ours)])
    unseen = make(args.embeddings / "unseen", real(samples(args.data, UNSEEN, None, JUDGED), 1, 0))
    shown = HeadData(args.embeddings / "train")
    names = np.array([row["set"] for row in others.rows])
    x, judged = pool(others), pool(unseen)
    rows = [i for name in (*PERMITTED, "phantom") for i in _some(shown, name, 400)]
    ultrasound = np.concatenate([pool(shown, rows), x[names == "tinted"]])
    x, names = x[names != "tinted"], names[names != "tinted"]
    kinds = np.array([name.split("/")[0] for name in names])
    first = np.r_[True, names[1:] != names[:-1]]
    held = np.full(len(names), np.nan)
    told: dict[str, object] = {}
    positive = []
    for kind in dict.fromkeys(kinds):
        w, b = _fitted(ultrasound, x[kinds != kind])
        own, seen = x[(kinds == kind) & first] @ w + b, judged @ w + b
        positive.append(seen)
        held[(kinds == kind) & first] = own
        told[f"{kind} left out"] = {
            "AUROC": round(auroc(seen, own), 4),
            "images": len(own),
            "flagged": round(float((own < 0).mean()), 3),
            "ultrasound flagged": round(float((seen < 0).mean()), 3),
        }
    pairs = [
        auroc(seen, held[(kinds == kind) & first])
        for seen, kind in zip(positive, dict.fromkeys(kinds), strict=True)
    ]
    counts = [int(((kinds == kind) & first).sum()) for kind in dict.fromkeys(kinds)]
    told["all kinds, each left out"] = round(float(np.average(pairs, weights=counts)), 4)
    # One picture left out of its kind: ten parts.
    parts = np.unique(names, return_inverse=True)[1] % 10
    values, seen = np.full(len(names), np.nan), np.zeros(len(judged))
    for part in range(10):
        w, b = _fitted(ultrasound, x[parts != part])
        values[parts == part] = x[parts == part] @ w + b
        seen += (judged @ w + b) / 10
    bundled = np.isin(kinds, ("photograph", "DICOM")) & first
    told["scikit-image and pydicom, each picture left out"] = round(auroc(seen, values[bundled]), 4)
    told["all pictures, each left out"] = round(auroc(seen, values[first]), 4)
    told["taken for ultrasound"] = names[first][values[first] > 0].tolist()
    sets = np.array([row["set"] for row in unseen.rows])
    flagged = {s: round(float((seen[sets == s] < 0).mean()), 3) for s in np.unique(sets)}
    told["unseen ultrasound flagged"] = flagged
    w, b = _fitted(ultrasound, x)
    write_json(
        args.out, {"checked": told, "weight": [round(float(v), 6) for v in w], "bias": round(b, 6)}, indent=1
    )
    for what, value in told.items():
        print(what, value)
    return 0


def _some(data: HeadData, name: str, most: int) -> list[int]:
    own = [i for i, row in enumerate(data.rows) if row["set"] == name]
    return [own[i] for i in np.linspace(0, len(own) - 1, min(most, len(own))).astype(int)] if own else []


def _fitted(ultrasound: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, float]:
    return fit(np.concatenate([ultrasound, others]), np.r_[np.ones(len(ultrasound)), np.zeros(len(others))])


if __name__ == "__main__":
    sys.exit(main())
