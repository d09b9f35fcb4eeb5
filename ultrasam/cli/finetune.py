"""``ultrasam finetune``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ultrasam.cli.options import LABELS, add_weights, labels_as_coco, seed

_EXAMPLES = """examples:
  ultrasam finetune mine.json --images images --from UltraSam.pth --mode decoder
  ultrasam finetune my_labelme_folder --mode decoder
  ultrasam finetune mine.json --images images --from ultrasam --mode lora --amp --batch-size 2
  ultrasam finetune mine.json --images images --from sam_vit_b --categories nodule --steps 1000 --out nodules
  ultrasam predict scan.png --checkpoint finetuned/model.pth --box 120,80,340,260 --out masks

modes: full      everything is trained; best with many images and a GPU
       decoder   the mask decoder alone, on embeddings computed once: minutes on a processor
       lora      low-rank updates of the encoder, and the decoder; merged in the end, an ordinary checkpoint
       adapter   Medical-SAM adapters in the encoder, and the decoder; kept in the checkpoint
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "finetune",
        help="train on your own COCO file, with a table before and after",
        description="Split by subject, train, test on the subjects held out; start it again to go on.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("coco", type=Path, metavar="LABELS", help=LABELS)
    parser.add_argument("--images", type=Path, help="folder of the images (where the labels lie)")
    add_weights(parser, "--from", "start weights (small, which comes with the package)", default="small")
    parser.add_argument(
        "--mode",
        choices=("full", "decoder", "lora", "adapter"),
        default="full",
        help="what is trained (full)",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("finetuned"), help="folder for everything (finetuned)"
    )
    parser.add_argument("--categories", metavar="A,B", help="use only objects of these categories (all)")
    parser.add_argument("--held-out", type=float, default=0.2, help="share of the subjects to test on (0.2)")
    parser.add_argument("--steps", type=int, default=200, help="optimizer steps (200)")
    parser.add_argument("--batch-size", type=int, default=4, help="images a step (4)")
    parser.add_argument(
        "--lr", type=float, help="learning rate (by mode: 1e-4 full, 3e-4 decoder, 2e-4 others)"
    )
    parser.add_argument("--img-size", type=int, help="side of the input in pixels (the weights' own)")
    parser.add_argument("--seed", type=seed, default=0, help="of everything random (0)")
    parser.add_argument("--device", help="cpu, cuda, mps (the best at hand)")
    parser.add_argument("--amp", action="store_true", help="mixed precision in bfloat16")
    parser.add_argument("--checkpointing", action="store_true", help="less memory, a third more time")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ultrasam.finetune.finetune import Settings, finetune
    from ultrasam.finetune.training import RATES, Recipe

    recipe = Recipe(
        mode=args.mode,
        steps=args.steps,
        batch_size=args.batch_size,
        lr=RATES[args.mode] if args.lr is None else args.lr,
        seed=args.seed,
        amp=args.amp,
        checkpointing=args.checkpointing,
    )
    coco, images = labels_as_coco(args.coco, args.images, args.out)
    settings = Settings(
        coco=str(coco),
        images=str(images),
        weights=args.start,
        recipe=recipe,
        categories=args.categories.split(",") if args.categories else None,
        held_out=args.held_out,
        img_size=args.img_size,
    )
    finetune(settings, args.out, args.device)
    return 0
