"""``ultrasam data phantom``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ultrasam.cli.options import seed

_EXAMPLES = """examples:
  ultrasam data phantom --out data                    2,400 images in data/phantom
  ultrasam data phantom --out data --num 20000 --size 1024 --workers 8
  ultrasam data phantom --cine --out data --num 40    40 moving clips in data/phantom_cine
"""


def add_parser(subparsers: Any) -> None:
    """Add the command to those of ``ultrasam data``."""
    parser = subparsers.add_parser(
        "phantom",
        help="simulate ultrasound with exact masks",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of all data; gets a folder 'phantom'")
    parser.add_argument("--num", type=int, help="images or cines in all (2400; 40)")
    parser.add_argument("--size", type=int, default=256, help="longest side in pixels (256)")
    parser.add_argument("--seed", type=seed, default=0, help="another seed gives other images (0)")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument(
        "--cine",
        action="store_true",
        help="clips: heartbeat, breath, a moving probe, objects that leave and return",
    )
    parser.add_argument("--frames", type=int, default=48, help="frames of each clip (48)")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ultrasam.data.cines import write_cines
    from ultrasam.data.phantoms import write_phantoms

    if args.cine:
        num = 40 if args.num is None else args.num
        path = write_cines(
            args.out, num, frames=args.frames, seed=args.seed, size=args.size, workers=args.workers
        )
        print(f"{path}: {num} cines of {args.frames} frames")
        return 0
    num = 2400 if args.num is None else args.num
    report = write_phantoms(args.out, num, seed=args.seed, size=args.size, workers=args.workers)
    print(report.summary())
    return 0 if report.ok else 1
