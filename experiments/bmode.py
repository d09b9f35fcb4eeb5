"""The regression of `ultrasam.predict.bmode`: ultrasound against scikit-image's and pydicom's pictures.

  python -m experiments.bmode --data corpus more

Each folder of --data has ``images/<set>/*.jpg``. Fitted on sets whose license permits it and on phantoms,
some of them tinted, blurred or of another aspect; pictures of the other side are few, so each is judged by a
fit without it (and without all of its crops), and sets that take no part in the fit are the ultrasound that
it is judged on. Prints what goes into the module.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ultrasam.data.images import read_image, read_samples
from ultrasam.phantom import simulate
from ultrasam.predict.bmode import features
from ultrasam.predict.pixels import to_rgb8

FITTED = ("bus_bra", "breast_usg", "hc", "ccaui", "usgra_seg", "dl_track")
FOLDS, CROPS, RIDGE = 5, 6, 3.0


def others() -> dict[str, np.ndarray]:
    """Pictures that are no ultrasound, by name."""
    import pydicom
    import skimage.data
    from pydicom.data import get_testdata_files

    found: dict[str, np.ndarray] = {}
    for path in sorted(Path(skimage.data.__file__).parent.iterdir()):
        if path.suffix in (".png", ".jpg", ".gif"):
            samples = read_samples(path)
            found[path.name] = to_rgb8(samples, window=None if samples.dtype == np.uint8 else "minmax")
    for name in sorted(get_testdata_files("*.dcm")):
        try:
            pixels, modality = None, pydicom.dcmread(name, force=True)
            if modality.get("Modality") != "US":
                pixels = modality.pixel_array
        except Exception:  # files that are made to be broken
            continue
        if pixels is None or pixels.ndim not in (2, 3) or min(pixels.shape[:2]) < 16:
            continue
        if pixels.ndim == 3 and pixels.shape[2] != 3:
            pixels = pixels[len(pixels) // 2]
        if min(pixels.shape[:2]) >= 16:
            found[Path(name).name] = to_rgb8(
                np.asarray(pixels), window=None if pixels.dtype == np.uint8 else "minmax"
            )
    return found


def crops(image: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """The image and random parts of it, mirrored at times."""
    height, width = image.shape[:2]
    found = [image]
    for _ in range(CROPS):
        h, w = (max(int(side * rng.uniform(0.4, 0.95)), 16) for side in (height, width))
        y, x = rng.integers(0, max(height - h, 0) + 1), rng.integers(0, max(width - w, 0) + 1)
        found.append(np.ascontiguousarray(image[y : y + h, x : x + w, :][:, :: rng.choice([1, -1])]))
    return found


def varied(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ultrasound as other machines and exports show it: another aspect, smoother, tinted."""
    width = max(int(image.shape[1] * rng.uniform(0.6, 1.6)), 16)
    image = cv2.resize(image, (width, image.shape[0]), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.5))
    if rng.random() < 0.4:
        tint = rng.uniform(0.5, 1.0, 3)
        image = (image * (tint / tint.max())).astype(np.uint8)
    return np.ascontiguousarray(image)


def fit(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Ridge logistic regression by Newton's steps, both sides of equal weight.

    Returns:
        means and deviations of the features, weights, intercept.
    """
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    z = np.column_stack([np.clip((x - mean) / deviation, -4, 4), np.ones(len(x))])
    share = np.where(y > 0, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    w = np.zeros(z.shape[1])
    ridge = np.diag([RIDGE] * x.shape[1] + [0.0])
    for _ in range(30):
        p = 1 / (1 + np.exp(-z @ w))
        gradient = z.T @ (share * (p - y)) + ridge @ w
        w -= np.linalg.solve((z * (share * p * (1 - p))[:, None]).T @ z + ridge, gradient)
    return mean, deviation, w[:-1], float(w[-1])


def score(x: np.ndarray, made: tuple[np.ndarray, np.ndarray, np.ndarray, float]) -> np.ndarray:
    """As `bmode_score`, before the logistic function."""
    mean, deviation, w, intercept = made
    return np.clip((x - mean) / deviation, -4, 4) @ w + intercept


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Share of pairs in the right order."""
    return float(
        (positive[:, None] > negative[None]).mean() + 0.5 * (positive[:, None] == negative[None]).mean()
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.bmode",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="DIR")
    parser.add_argument("--limit", type=int, default=60, help="images a set (60)")
    args = parser.parse_args(argv)
    rng = np.random.default_rng(0)
    fitted, unseen = [], {}
    for folder in args.data:
        for part in sorted((folder / "images").iterdir()):
            files = sorted(part.iterdir())
            chosen = [
                files[i] for i in np.linspace(0, len(files) - 1, min(args.limit, len(files))).astype(int)
            ]
            images = [read_image(path) for path in chosen]
            if part.name in FITTED:
                fitted += [
                    features(view)
                    for image in images
                    for view in (image, *(varied(one, rng) for one in crops(image, rng)[:3]))
                ]
            else:
                unseen[part.name] = np.array([features(image) for image in images])
    for index in range(args.limit):
        fitted.append(features(np.repeat(simulate(7, index, size=256).image[..., None], 3, axis=2)))
    pictures = {
        name: np.array([features(view) for view in crops(image, rng)]) for name, image in others().items()
    }
    names = list(pictures)
    held: dict[str, float] = {}
    x = np.array(fitted)
    for fold in range(FOLDS):
        away = names[fold::FOLDS]
        rest = np.concatenate([pictures[name] for name in names if name not in away])
        made = fit(np.concatenate([x, rest]), np.r_[np.ones(len(x)), np.zeros(len(rest))])
        held |= {name: float(score(pictures[name][:1], made)[0]) for name in away}
    rest = np.concatenate(list(pictures.values()))
    made = fit(np.concatenate([x, rest]), np.r_[np.ones(len(x)), np.zeros(len(rest))])
    negative = np.array(list(held.values()))
    for name, part in unseen.items():
        s = score(part, made)
        print(f"{name}: AUROC {auroc(s, negative):.4f}, flagged {(s < 0).mean():.3f} of {len(s)}")
    everything = np.concatenate([score(part, made) for part in unseen.values()])
    print(
        f"all unseen sets: AUROC {auroc(everything, negative):.4f}; of {len(negative)} pictures "
        f"{(negative < 0).mean():.3f} flagged"
    )
    print("taken for ultrasound:", [name for name, s in held.items() if s > 0])
    for title, values in zip(("MEANS", "DEVIATIONS", "WEIGHTS"), made[:3], strict=True):
        print(f"{title}: tuple[float, ...] = ({', '.join(f'{v:.4g}' for v in values)})")
    print(f"INTERCEPT = {made[3]:.4g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
