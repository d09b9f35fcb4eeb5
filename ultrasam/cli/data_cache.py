"""``ultrasam data cache``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ultrasam.cli.options import make_folder, workers

_EXAMPLES = """example:
  ultrasam data cache data/phantom/annotations/train.json data/phantom/annotations/val.json --out fast/phantom
"""


def add_parser(subparsers: Any) -> None:
    """Add the command to those of ``ultrasam data``."""
    parser = subparsers.add_parser(
        "cache",
        help="store images again, to be read in less time",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("coco", type=Path, nargs="+")
    parser.add_argument("--images", type=Path, help="image folder (../images beside each file's folder)")
    parser.add_argument("--out", type=Path, required=True, help="gets annotations/ and images/")
    parser.add_argument(
        "--format",
        choices=("raw", "webp"),
        default="raw",
        help="raw: not compressed, read quickest; webp: without losses, smallest (raw)",
    )
    parser.add_argument("--workers", type=workers, default=2, help="threads (2)")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; 1 where images could not be stored."""
    from tqdm import tqdm

    from ultrasam.data.image_store import store

    make_folder(args.out)
    with tqdm(unit=" images", disable=None) as bar:
        found = store(args.coco, args.images, args.out, args.format, workers=args.workers, each=bar.update)
    for reason in found.failed:
        print(f"failed: {reason}")
    kept = f", {found.kept} kept from an earlier run" if found.kept else ""
    megabytes = [number / 1e6 for number in (found.bytes_before, found.bytes_now)]
    print(f"{found.images} images{kept}: {megabytes[0]:.1f} MB before, {megabytes[1]:.1f} MB now")
    if found.failed:
        print(f"{len(found.failed)} images failed: no COCO file is written")
        return 1
    print("\n".join(map(str, found.written)))
    return 0
