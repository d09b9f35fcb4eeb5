"""``ultrasam classify``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

_EXAMPLES = """examples:
  ultrasam classify lesion.png --checkpoint probe/model.pth
  ultrasam classify clip/*.jpg --checkpoint probe/model.pth --clip
  ultrasam classify images/*.png --checkpoint work_dirs/classifier_vit-b_bus_bra/iter_2000.pth --json out.json
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "classify",
        help="classes or numbers of images, from a probe or a trained classifier",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument(
        "--checkpoint", required=True, metavar="FILE", help="of 'ultrasam probe' or of a training run"
    )
    parser.add_argument("--clip", action="store_true", help="the images are one clip: average over them")
    parser.add_argument("--top", type=int, default=3, help="classes to show (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all scores to this file")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; 1 when some images could not be read."""
    import sys

    from tqdm import tqdm

    from ultrasam.data.files import write_json
    from ultrasam.downstream.model import load_image_model, predict_files

    model = load_image_model(args.checkpoint)
    failed: list[str] = []
    read, scores = predict_files(
        model, args.images, failed, progress=lambda paths: tqdm(paths, disable=len(paths) < 17, unit="image")
    )
    titles = [str(path) for path in read]
    if args.clip:
        scores, titles = scores.mean(axis=0, keepdims=True), [f"clip of {len(titles)} images"]
    for title, row in zip(titles, scores, strict=True):
        named = list(zip(model.head.names, row.tolist(), strict=True))
        if model.head.task != "regression":
            named = sorted(named, key=lambda pair: -pair[1])[: args.top]
        print(f"{title}: " + ", ".join(f"{name} {value:.3g}" for name, value in named))
    if args.json:
        rows = [
            {"image": title, **dict(zip(model.head.names, row, strict=True))}
            for title, row in zip(titles, scores.tolist(), strict=True)
        ]
        write_json(args.json, {"task": model.head.task, "predictions": rows}, indent=1)
    for message in failed:
        print(f"failed: {message}", file=sys.stderr)
    return 1 if failed else 0
