"""``ultrasam segment``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ultrasam.cli.options import DictAction

_EXAMPLES = """examples:
  ultrasam segment downstream/segmentation/mask2former_vit-b_bus-bra iter_8000.pth a.png --out found
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "segment",
        help="find and outline objects without a prompt, with a trained Mask2Former",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", help="the configuration it was trained with")
    parser.add_argument("checkpoint", help="of that training run")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for pictures and instances.json (COCO)"
    )
    parser.add_argument("--score", type=float, default=0.3, help="leave out objects below it (0.3)")
    parser.add_argument(
        "--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="as in training"
    )
    parser.set_defaults(func=run, launcher="none", work_dir=None)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ultrasam.mm.engine.segment import segment

    return segment(args)
