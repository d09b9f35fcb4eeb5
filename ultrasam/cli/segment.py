"""``ultrasam segment``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ultrasam.cli.options import add_config, make_folder

_EXAMPLES = """examples:
  ultrasam segment downstream/segmentation/mask2former_vit-b_bus_bra iter_8000.pth a.png --out found
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "segment",
        help="find and outline objects without a prompt, with a trained Mask2Former",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser, "the configuration it was trained with")
    parser.add_argument("checkpoint", help="of that training run")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for pictures and instances.json (COCO)"
    )
    parser.add_argument("--score", type=float, default=0.3, help="leave out objects below it (0.3)")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; 1 when some images could not be read."""
    import sys

    from ultrasam.mm.engine.segment import segment

    make_folder(args.out)
    file = segment(
        args.config,
        args.checkpoint,
        args.images,
        out=args.out,
        score=args.score,
        cfg_options=args.cfg_options,
    )
    content = json.loads(file.read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    found: dict[int, list[str]] = {image["id"]: [] for image in content["images"]}
    for entry in content["annotations"]:
        found[entry["image_id"]].append(f"{names[entry['category_id']]} {entry['score']:.2f}")
    for image in content["images"]:
        print(f"{image['file_name']}: {', '.join(found[image['id']]) or 'nothing found'}")
    print(file)
    for message in content["info"]["unreadable"]:
        print(f"failed: {message}", file=sys.stderr)
    return 1 if content["info"]["unreadable"] else 0
