"""``ultrasam train``."""

from __future__ import annotations

import argparse
import os
from typing import Any

from ultrasam.cli.options import add_run, add_weights, seed, set_local_rank
from ultrasam.errors import Interrupted

_EXAMPLES = """examples:
  ultrasam train ultrasam/ultrasam_vit-t_phantom
  ultrasam train ultrasam/ultrasam_vit-b_us43d --from sam_vit_b_01ec64.pth --amp
  ultrasam train my_config.py --resume
  ultrasam train downstream/segmentation/mask2former_vit-b_bus_bra --from UltraSam.pth --amp
  ultrasam train downstream/classification/classifier_vit-t_phantom --from demo/model.pth
  tools/dist_train.sh configs/ultrasam/ultrasam_vit-b_us43d.py 4 --from sam_vit_b_01ec64.pth --amp
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "train",
        help="train from a configuration",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_run(parser)
    parser.add_argument(
        "--resume",
        nargs="?",
        const=True,
        default=False,
        metavar="CHECKPOINT",
        help="go on from a checkpoint, or from the last whole one in the work directory; without, start anew",
    )
    start = parser.add_mutually_exclusive_group()
    add_weights(start, "--from", "start weights of the model, or of a task's backbone")
    start.add_argument(
        "--from-scratch", action="store_true", help="start from random weights where fine-tuning is usual"
    )
    parser.add_argument("--amp", action="store_true", help="mixed precision")
    parser.add_argument(
        "--amp-dtype", choices=("bfloat16", "float16"), default="bfloat16", help="of --amp (bfloat16)"
    )
    parser.add_argument("--auto-scale-lr", action="store_true", help="scale the rate with the batch size")
    parser.add_argument("--accumulate", type=int, default=1, metavar="N", help="sum gradients over N steps")
    parser.add_argument(
        "--ema", type=float, default=0.0, metavar="MOMENTUM", help="keep averaged weights, e.g. 0.0002"
    )
    parser.add_argument("--seed", type=seed, help="of data order, flips, prompts and dropout (0)")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ultrasam.mm.engine.train import train

    set_local_rank(args)
    try:
        train(
            args.config,
            work_dir=args.work_dir,
            resume=args.resume,
            start=args.start,
            from_scratch=args.from_scratch,
            amp=args.amp,
            amp_dtype=args.amp_dtype,
            accumulate=args.accumulate,
            ema=args.ema,
            seed=args.seed,
            auto_scale_lr=args.auto_scale_lr,
            launcher=args.launcher,
            cfg_options=args.cfg_options,
        )
    except Interrupted:
        if os.environ.get("RANK", "0") != "0":
            # At once: a launcher that sees the first process's code kills the others, and would report that.
            os._exit(0)
        raise
    return 0
