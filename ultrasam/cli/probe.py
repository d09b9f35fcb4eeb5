"""``ultrasam probe``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ultrasam.cli.options import add_weights

_EXAMPLES = """examples:
  ultrasam probe train.json test.json --images data/bus_bra/images --checkpoint UltraSam.pth --out probe
  ultrasam probe train.csv test.csv --val val.csv --images frames --checkpoint sam_vit_b \\
      --level clip --out probe
  ultrasam probe train.csv test.csv --images frames --checkpoint UltraSam.pth \\
      --task regression --classes ejection_fraction --limits 0 100 --out probe
  ultrasam classify new.png --checkpoint probe/model.pth

A COCO file's categories are the classes; a table (CSV) has the columns 'file' and 'labels' (joined by '|').
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "probe",
        help="learn classes or numbers of images with a frozen encoder, in seconds",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("train", type=Path, help="COCO file or table to learn from")
    parser.add_argument("test", type=Path, help="COCO file or table to score")
    parser.add_argument("--val", type=Path, help="COCO file or table that chooses the penalty")
    parser.add_argument("--images", type=Path, required=True, help="folder that file names start from")
    add_weights(parser, "--checkpoint", "whose encoder is used", required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for model.pth and scores.json")
    parser.add_argument(
        "--task", choices=("single-label", "multi-label", "regression"), default="single-label"
    )
    parser.add_argument("--classes", nargs="+", metavar="NAME", help="classes, or columns of the numbers")
    parser.add_argument("--column", help="column of the table, or field of COCO's images, with the label")
    parser.add_argument("--clip", default="clip", help="column or field that joins the frames of a clip")
    parser.add_argument("--level", choices=("image", "clip"), default="image", help="what is scored (image)")
    parser.add_argument("--limits", nargs=2, type=float, metavar=("LOW", "HIGH"), help="numbers can be true")
    parser.add_argument("--img-size", type=int, help="side of the input in pixels (the checkpoint's)")
    parser.add_argument(
        "--loss", choices=("focal", "cross-entropy"), default="focal", help="of classes (focal)"
    )
    parser.add_argument("--penalty", type=float, default=1e-2, help="of the weights, without --val (0.01)")
    parser.add_argument("--cache", type=Path, help="folder that keeps features (OUT/features)")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ultrasam.data.files import write_json
    from ultrasam.downstream import label_metrics as metrics
    from ultrasam.downstream import read_labels
    from ultrasam.downstream.encoder import load_encoder
    from ultrasam.downstream.probe import probe

    options = {
        "column": args.column,
        "clip": args.clip,
        "limits": tuple(args.limits) if args.limits else None,
    }
    train = read_labels(args.train, args.images, args.task, names=args.classes, **options)
    others = [
        read_labels(path, args.images, args.task, names=train.names, **options) if path else None
        for path in (args.test, args.val)
    ]
    test, val = others
    assert test is not None
    encoder = load_encoder(args.checkpoint, img_size=args.img_size, output="pooled")
    result = probe(
        encoder,
        train,
        test,
        val,
        cache=args.cache or args.out / "features",
        loss=args.loss,
        penalty=args.penalty,
        level=args.level,
    )
    for table in (train, val, test):
        if table is not None:
            print(table.summary())
    result.model.save(args.out / "model.pth")
    content: dict[str, Any] = {"scores": result.scores, "penalty": result.penalty, "names": train.names}
    if args.task == "single-label":
        matrix = metrics.confusion(result.truth, result.predicted)
        content["confusion"] = matrix.tolist()
        print(metrics.confusion_table(matrix, train.names).text())
    write_json(args.out / "scores.json", content, indent=1)
    print("  ".join(f"{name} {value:.3f}" for name, value in result.scores.items()))
    print(f"fitted in {result.seconds:.1f} s with penalty {result.penalty:g}: {args.out / 'model.pth'}")
    return 0
