"""``ultrasam weights``: look into weight files, convert them, fetch them."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ultrasam.types import QualityFit

_EXAMPLES = """examples:
  ultrasam weights list
  ultrasam weights fetch ultrasam
  ultrasam weights info UltraSam.pth
  ultrasam weights convert UltraSam.pth sam.pth --to sam
  ultrasam weights convert UltraSam.pth hf-folder --to transformers
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "weights",
        help="look into, convert and fetch weight files",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    info = actions.add_parser("info", help="what a file holds and whether it loads")
    info.add_argument("file", help="a weight file, a transformers folder, or a name")
    convert = actions.add_parser("convert", help="write a file in another format")
    convert.add_argument("file", help="a weight file, a transformers folder, or a name")
    convert.add_argument("out", help="file to write; a folder for transformers")
    convert.add_argument(
        "--to", required=True, metavar="FORMAT", help="sam, ultrasam, transformers, timm, ..."
    )
    convert.add_argument("--half", action="store_true", help="write float16: half the size")
    convert.add_argument(
        "--closer",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="note in the file that predictors look closer at each object (as FILE notes)",
    )
    convert.add_argument(
        "--cleanup",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="note in the file that predictors give masks in one piece and without holes (as FILE notes)",
    )
    convert.add_argument(
        "--quality",
        metavar="FILE",
        help="note what predicted IoU is worth, as python -m experiments.calibration_fit writes",
    )
    for sub in (info, convert):
        sub.add_argument(
            "--fold-residual",
            action=argparse.BooleanOptionalAction,
            default=None,
            help="undo the doubled residual of the published decoder (decided by the file's names)",
        )
    fetch = actions.add_parser("fetch", help="download named weights from their authors")
    fetch.add_argument("name")
    actions.add_parser("list", help="names that can be fetched, with their licenses")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ultrasam import checkpoints
    from ultrasam.checkpoints.download import WEIGHTS
    from ultrasam.checkpoints.places import OWN
    from ultrasam.checkpoints.reading import read_with_usage

    if args.action == "list":
        print(f"{OWN:10} Apache-2.0, comes with this package: docs/small.md")
        for name, weights in WEIGHTS.items():
            print(f"{name:10} {weights.license}\n{'':10} {weights.url}")
            if weights.note:
                print(f"{'':10} {weights.note}")
    elif args.action == "fetch":
        print(checkpoints.fetch(args.name))
    elif args.action == "convert":
        given: dict[str, Any] = {"closer": args.closer, "cleanup": args.cleanup}
        given |= {"quality": _quality(args.quality)} if args.quality else {}
        given = {name: value for name, value in given.items() if value is not None}
        noted = read_with_usage(checkpoints.resolve(args.file))[1] if given else None
        usage = replace(noted, **given) if noted else None
        for path in checkpoints.convert(
            args.file, args.out, args.to, fold_residual=args.fold_residual, half=args.half, usage=usage
        ):
            print(path)
    else:
        print(_info(args.file, args.fold_residual))
    return 0


def _quality(file: str) -> QualityFit:
    """The fit in a file.

    Raises:
        ConfigError: there is none.
    """
    import json
    from pathlib import Path

    from ultrasam.errors import ConfigError
    from ultrasam.types import QualityFit

    try:
        return QualityFit.of(json.loads(Path(file).read_text()))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ConfigError(f"{file} holds no fit of quality: {error}") from error


def _info(file: str, fold_residual: bool | None) -> str:
    """What a file holds, also where it is an encoder alone."""
    from ultrasam import checkpoints
    from ultrasam.checkpoints.loading import read_encoder
    from ultrasam.errors import CheckpointError

    path = checkpoints.resolve(file)
    state = checkpoints.read(path)
    count = sum(value.numel() for value in state.values())
    kinds = ", ".join(sorted({str(value.dtype).removeprefix("torch.") for value in state.values()}))
    head = f"{path}: {len(state)} tensors, {count:,} values, {kinds}"
    try:
        checkpoints.detect(checkpoints.named_as_sam(state)[0])
    except CheckpointError:
        weights, spec = read_encoder(path)
        return f"{head}\n{weights.kind} weights of an image encoder alone, {checkpoints.describe(spec)}"
    model, report = checkpoints.load_with_report(path, fold_residual=fold_residual)
    said = {True: "yes", False: "no"}
    lines = [
        f"looks closer at each object: {said[model.usage.closer]}",
        f"masks in one piece: {said[model.usage.cleanup]}",
        *(["says how far its masks can be believed"] if model.usage.quality else []),
        *(["one mask for a prompt"] if model.usage.single else []),
        *(["images from 0 to 1"] if model.usage.normalization == "minmax" else []),
    ]
    return "\n".join([head, str(report), *lines])
