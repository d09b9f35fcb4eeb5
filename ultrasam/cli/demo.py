"""``ultrasam demo``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ultrasam.cli.options import add_weights, seed

_EXAMPLES = """examples:
  ultrasam demo
  ultrasam demo --out demo_breast --coco data/bus_bra/annotations/all.json --images data/bus_bra/images
  ultrasam demo --coco mine.json --images images --out demo_mine --from demo/model.pth
  ultrasam demo --iterations 2000 --num 8000        a better model, if there is time
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "demo",
        help="simulate ultrasound, train a small model, score it, draw masks",
        description="The main job from start to end; what is finished is not repeated.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for everything (demo)")
    parser.add_argument("--coco", type=Path, help="your own COCO file instead of simulated images")
    parser.add_argument("--images", type=Path, help="the folder that its file names start from")
    add_weights(parser, "--from", "a vit_t to start from (none)", renamed="--weights")
    parser.add_argument("--num", type=int, default=2400, help="simulated images (2400)")
    parser.add_argument("--iterations", type=int, default=550, help="training steps (550)")
    parser.add_argument("--batch-size", type=int, default=16, help="images a step (16)")
    parser.add_argument("--seed", type=seed, default=0, help="of everything random (0)")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ultrasam.demo.demo import Settings, run_demo

    settings = Settings(
        num=args.num,
        iterations=args.iterations,
        batch_size=args.batch_size,
        seed=args.seed,
        coco=str(args.coco) if args.coco else None,
        images=str(args.images) if args.images else None,
        weights=args.start,
    )
    run_demo(settings, args.out)
    return 0
