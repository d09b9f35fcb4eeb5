"""``ultrasam export``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrasam.cli.options import WEIGHTS, make_folder

if TYPE_CHECKING:
    from ultrasam.modeling.sam import Sam

_EXAMPLES = """examples:
  ultrasam export UltraSam.pth --out onnx
  ultrasam export UltraSam.pth --out onnx --precision fp16 int8 --pictures some/images
  ultrasam export UltraSam.pth --out onnx --single-mask
  ultrasam export small --for x-anylabeling --out small_model
  ultrasam export tuned/model.pth --for predictor --out light

writes encoder*.onnx, decoder.onnx and parity.json, which says how far they are from the model; with --for
encoder.onnx, decoder.onnx and the file that the client loads
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "export",
        help="write ONNX or torch.export files",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", help=WEIGHTS)
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the files")
    parser.add_argument(
        "--for",
        dest="client",
        choices=("x-anylabeling", "predictor"),
        help="files for a tool that has Segment Anything's sizes written into its code; or for our own "
        "predictor without PyTorch",
    )
    parser.add_argument("--format", choices=("onnx", "torch"), default="onnx", help="what to write")
    parser.add_argument(
        "--precision",
        nargs="+",
        choices=("fp32", "fp16", "int8"),
        default=["fp32"],
        help="of the encoder; the decoder stays in fp32",
    )
    parser.add_argument("--single-mask", action="store_true", help="one mask a prompt instead of four")
    parser.add_argument(
        "--batch",
        action="store_true",
        help="an encoder for normalized inputs (B, 3, S, S) instead of one picture's pixels",
    )
    parser.add_argument("--pictures", metavar="DIR", help="compare masks on these images in the report")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ultrasam import checkpoints
    from ultrasam.data import images
    from ultrasam.export import onnx_files as export
    from ultrasam.machine import process
    from ultrasam.predict.files import sources

    process.keep_memory()
    make_folder(args.out)
    model = checkpoints.load(args.checkpoint)
    if args.client == "predictor":
        return _for_predictor(model, args)
    if args.client:
        return _for_client(model, args)
    if args.format == "torch":
        print(export.to_torch_export(model, args.out))
        return 0
    files = sources.find([args.pictures]) if args.pictures else []
    done = export.to_onnx(
        model,
        args.out,
        precisions=args.precision,
        single_mask=args.single_mask,
        from_pixels=not args.batch,
        pictures=[images.read_image(source.path) for source in files],
    )
    for path in (*done.encoders.values(), done.decoder, done.report):
        print(path)
    return 0


def _for_client(model: Sam, args: argparse.Namespace) -> int:
    from ultrasam.errors import ConfigError
    from ultrasam.export.x_anylabeling import to_x_anylabeling

    if args.precision != ["fp32"] or args.batch or args.pictures or args.format != "onnx":
        raise ConfigError("--for takes no --precision, --batch, --pictures and --format: the client decides")
    files = to_x_anylabeling(model, args.out, Path(args.checkpoint).stem)
    for path in (files.encoder, files.decoder, files.config):
        print(path)
    print(f"in X-AnyLabeling: AI, Load Custom Model, {files.config}")
    return 0


def _for_predictor(model: Sam, args: argparse.Namespace) -> int:
    from ultrasam.errors import ConfigError
    from ultrasam.export.predictor_files import to_predictor
    from ultrasam.predict.graph_files import PARTS, description

    halves = {("fp32",): False, ("fp16",): True}
    if tuple(args.precision) not in halves or args.batch or args.pictures or args.single_mask:
        raise ConfigError(
            "--for predictor takes --precision fp32 or fp16 (of the stored weights), and no --batch, "
            "--pictures and --single-mask"
        )
    if args.format != "onnx":
        raise ConfigError("--for predictor writes ONNX files: leave out --format")
    graphs = to_predictor(model, args.out, Path(args.checkpoint).stem, half=halves[tuple(args.precision)])
    for path in (graphs.weights, *(graphs.graph(part) for part in PARTS), description(graphs.weights)):
        print(path)
    print(f"without PyTorch: ultrasam predict IMAGES --checkpoint {graphs.weights} --engine onnx ...")
    return 0
