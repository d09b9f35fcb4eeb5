"""64 boxes on one image, ViT-b, CPU: our predictor beside 64 calls of segment-anything's.

Random weights whose decoder is biased so that masks are compact, the same in both; the image is encoded
once and shared. Runs interleave; the best of each is compared.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import torch

from ultrasam.compat import bridge_torchvision

bridge_torchvision()

from pycocotools import mask as coco_mask  # noqa: E402
from segment_anything import SamPredictor, sam_model_registry  # noqa: E402

from ultrasam.modeling.build import build_ultrasam  # noqa: E402
from ultrasam.predict.object_prompt import ObjectPrompt  # noqa: E402
from ultrasam.predictor import Predictor  # noqa: E402

SIZE = (768, 1024)


def boxes_of(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, (SIZE[1] - 220, SIZE[0] - 220), (count, 2))
    return np.concatenate([corner, corner + rng.uniform(40, 200, (count, 2))], axis=1)


def pair() -> tuple[SamPredictor, Predictor]:
    torch.manual_seed(0)
    ours = Predictor(build_ultrasam("vit_b"), resampling="pillow")
    theirs = SamPredictor(sam_model_registry["vit_b"]().eval())
    theirs.model.load_state_dict(ours.model.state_dict())
    # A smooth embedding instead of an encoded image: what is timed comes after the encoder.
    embedding = torch.nn.functional.interpolate(torch.randn(1, 256, 6, 6), (64, 64), mode="bicubic") * 2
    theirs.features, theirs.original_size, theirs.input_size = embedding, SIZE, SIZE
    theirs.is_image_set = True
    ours.set_torch_image(torch.zeros(1, 3, 64, 64), (64, 64))
    ours.features = embedding
    ours.geometries = [ours.embedder.geometry(np.zeros((*SIZE, 3), np.uint8))]
    return theirs, ours


def run_theirs(predictor: SamPredictor, boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([predictor.predict(box=box, multimask_output=False)[0] for box in boxes])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxes", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    theirs, ours = pair()
    boxes = boxes_of(args.boxes)
    objects = [ObjectPrompt(box=box) for box in boxes]
    took: dict[str, list[float]] = {"theirs": [], "ours": [], "theirs_rle": [], "ours_rle": []}
    for _ in range(args.rounds):
        start = time.perf_counter()
        expected = run_theirs(theirs, boxes)
        took["theirs"].append(time.perf_counter() - start)
        codes = [coco_mask.encode(np.asfortranarray(mask, np.uint8)) for mask in expected]
        took["theirs_rle"].append(time.perf_counter() - start)
        start = time.perf_counter()
        found = ours.segment(objects)
        masks = found.masks
        took["ours"].append(time.perf_counter() - start)
        rles = found.rles()
        took["ours_rle"].append(time.perf_counter() - start)
    best = {name: min(values) for name, values in took.items()}
    same = [a["counts"].decode() == b["counts"] for a, b in zip(codes, rles, strict=True)]
    report = {
        **{f"{name}_seconds": round(value, 3) for name, value in best.items()},
        "speedup": round(best["theirs"] / best["ours"], 2),
        "speedup_with_rle": round(best["theirs_rle"] / best["ours_rle"], 2),
        "pixels_that_differ": int((masks != expected).sum()),
        "foreground": round(float(expected.mean()), 3),
        "identical_rles": f"{sum(same)} of {len(same)}",
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
