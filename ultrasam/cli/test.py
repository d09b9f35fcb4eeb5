"""``ultrasam test``."""

from __future__ import annotations

import argparse
from typing import Any

from ultrasam.cli.options import WEIGHTS, add_run, set_local_rank

_EXAMPLES = """examples:
  ultrasam test ultrasam/ultrasam_vit-b_box-refine_bus_bra UltraSam.pth
  ultrasam test ultrasam/ultrasam_vit-t_phantom work_dirs/ultrasam_vit-t_phantom/iter_1000.pth --show-dir vis
  tools/dist_test.sh configs/ultrasam/ultrasam_vit-b_point-refine_mmotu_2d.py UltraSam.pth 4
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "test",
        help="score a checkpoint",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_run(parser)
    parser.add_argument("checkpoint", help=WEIGHTS)
    parser.add_argument(
        "--out", metavar="FILE", help="write the predictions: COCO's results to .json, MMDetection's to .pkl"
    )
    parser.add_argument(
        "--show-dir", metavar="DIR", help="draw prompts and masks to this folder of the work directory"
    )
    parser.add_argument(
        "--fold-residual",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="undo the doubled residual of the published decoder (decided by the file's names)",
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ultrasam.mm.engine.test import test

    set_local_rank(args)
    test(
        args.config,
        args.checkpoint,
        work_dir=args.work_dir,
        out=args.out,
        show_dir=args.show_dir,
        fold_residual=args.fold_residual,
        launcher=args.launcher,
        cfg_options=args.cfg_options,
    )
    return 0
