"""``ultrasam predict``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrasam.cli import predict_choices, predict_records
from ultrasam.cli.options import add_engine, add_executor, add_weights, make_folder, workers

if TYPE_CHECKING:
    from ultrasam.predict.files.biplane import Biplane
    from ultrasam.predict.files.file_run import FileRun, Product
    from ultrasam.predict.files.sources import Source

_EXAMPLES = """examples:
  ultrasam predict scan.png --box 120,80,340,260 --out out
  ultrasam predict scan.png --checkpoint UltraSam.pth --point 200,150 --point 60,40,0 --out out
  ultrasam predict scan.png --checkpoint F --out out --object "box=9,9,80,70 point=20,30,0"
  ultrasam predict images/ --checkpoint UltraSam.pth --prompts detections.json --out out
  ultrasam predict images/ --auto --out out
  ultrasam predict images/ --prompts boxes.csv --out out        (file,x1,y1,x2,y2[,class])
  ultrasam predict cine.dcm --checkpoint UltraSam.pth --box 120,80,340,260 --follow --out out
  ultrasam predict cine.dcm --box 120,80,340,260 --follow --dicom-seg --dicom-sr --out out

writes out/masks/*.png, out/overlays/*.png and out/predictions.json (COCO); start it again to go on
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "predict",
        help="segment images, DICOM files and videos",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help="files, folders or globs")
    add_weights(parser, "--checkpoint", "the model (small, which comes with the package)", default="small")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the results")
    ask = parser.add_argument_group(
        "what to segment",
        "in pixels of the image, x to the right, y down, from its top-left corner: 0.5,0.5 is the middle of "
        "its first pixel",
    )
    ask.add_argument("--box", action="append", default=[], metavar="X1,Y1,X2,Y2", help="one object each")
    ask.add_argument(
        "--point",
        action="append",
        default=[],
        metavar="X,Y[,LABEL]",
        help="points of one object, LABEL 0 for outside it; with a single --box, of that object",
    )
    ask.add_argument(
        "--object", action="append", default=[], metavar="TEXT", help="an object with several prompts"
    )
    ask.add_argument(
        "--prompts", metavar="FILE", help="COCO boxes, or CSV or JSON of boxes and points, by file name"
    )
    ask.add_argument("--min-score", type=float, default=0.0, help="leave out boxes below this score")
    ask.add_argument(
        "--auto",
        nargs="?",
        const="boxes",
        metavar="WAY",
        help="everything that looks like an object: 'boxes' that the model proposes, where the weights can, "
        "or a 'grid' of clicks (boxes)",
    )
    ask.add_argument(
        "--auto-min-score", type=float, default=0.3, metavar="X", help="lowest score of a proposed box (0.3)"
    )
    ask.add_argument("--auto-points", type=int, default=16, metavar="N", help="of a grid: clicks a side (16)")
    ask.add_argument(
        "--auto-min-iou",
        type=float,
        metavar="X",
        help="lowest predicted IoU of automatic masks (0.8 with a grid, none with boxes)",
    )
    ask.add_argument("--follow", action="store_true", help="in clips, follow the objects of the first frame")
    more = parser.add_argument_group("more results")
    more.add_argument(
        "--measures", action="store_true", help="measures.csv, and of each clip a plot and its extremes"
    )
    more.add_argument(
        "--biplane",
        action="store_true",
        help="biplane.csv: volumes by Simpson's rule; the two INPUTs show one body in two planes",
    )
    more.add_argument("--video", action="store_true", help="the overlays of each clip as an MP4 video")
    how = parser.add_argument_group("how")
    how.add_argument("--published", action="store_true", help="repeat the published test to the pixel")
    how.add_argument(
        "--closer",
        action=argparse.BooleanOptionalAction,
        help="cut out the region round each object and segment it there (as the weights note)",
    )
    how.add_argument(
        "--cleanup",
        action=argparse.BooleanOptionalAction,
        help="masks in one piece and without holes (as the weights note)",
    )
    how.add_argument(
        "--quality",
        action=argparse.BooleanOptionalAction,
        help="say how far each mask can be believed, and between which areas the true one lies (where the "
        "weights note what that is worth)",
    )
    how.add_argument("--refine", type=int, default=0, metavar="N", help="feed the mask back N times")
    how.add_argument("--single-mask", action="store_true", help="one mask a prompt, not the best of three")
    how.add_argument("--postprocess", choices=("logits", "official"), help="how logits become masks")
    how.add_argument("--window", metavar="LOW,HIGH", help="gray values shown as black and white, or 'minmax'")
    how.add_argument("--spacing", metavar="X,Y", help="mm a pixel, for files that don't say")
    how.add_argument("--device", help="cpu, cuda, mps (the best at hand)")
    add_engine(how)
    how.add_argument("--bf16", action="store_true", help="encode images in bfloat16")
    how.add_argument("--cache", metavar="DIR", help="keep image embeddings in this folder")
    how.add_argument(
        "--axis", choices=("x", "y", "z"), default="z", help="slices of volumes are counted along it (z)"
    )
    how.add_argument(
        "--workers",
        type=workers,
        metavar="N",
        help="images that are worked on at the same time (as many as there are cores, at most 8)",
    )
    add_executor(how, None)
    how.add_argument("--no-overlays", action="store_true", help="don't draw")
    how.add_argument("--quiet", action="store_true", help="no progress bar")
    predict_records.add_options(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; 1 when some files failed."""
    from tqdm import tqdm

    from ultrasam.machine import process, threads
    from ultrasam.predict.files import prompt_files, sources
    from ultrasam.predict.files.file_run import FileRun

    process.keep_memory()
    if args.auto not in (None, "boxes", "grid"):
        # An input, as in "--auto images/".
        args.inputs.insert(0, args.auto)
        args.auto = "boxes"
    predict_records.check(args)
    inputs, not_fetched = predict_records.fetch(args)
    files = _files(inputs, args.out)
    prompts_of, categories = predict_choices.prompts_of(args, [file.file_name for file in files])
    # Prompts name files, and DICOM results are of files, unless something is followed from one to the next;
    # else, the files of a series are one clip.
    if args.follow or not (args.prompts or args.dicom_seg or args.dicom_sr):
        files = sources.join_series(files)
    if args.prompts and args.follow and prompts_of:
        prompts_of = prompt_files.by_series(prompts_of, files)
    biplane = _biplane(args, files)
    make_folder(args.out)
    # One picture, and what is followed from frame to frame, is quickest with all threads.
    alone = len(files) == 1 and sources.is_picture(files[0])
    number = args.workers or (1 if alone else threads.workers())
    make = predict_choices.predictor_of(args)
    elsewhere = predict_choices.elsewhere_of(make, args)
    with threads.shared(1 if args.follow or elsewhere else number):
        predictor = make()
        if args.quality is None:
            args.quality = predict_choices.is_judged(predictor, args)
        settings = predict_choices.settings_of(args)
        made = predict_records.products(args, categories, settings)
        job = FileRun(
            predictor,
            args.out,
            prompts_of,
            categories=categories,
            settings=settings,
            products=[*made, *_products(args), *biplane],
            options=predict_choices.options_of(args),
            workers=number,
        )
        _check_names(job, files, args)
        with process.leaving_on_sigterm(), tqdm(unit=" images", disable=args.quiet or None) as bar:
            summary = job.run(files, lambda record: bar.update(), elsewhere)
    print(f"{summary}; see {args.out / 'predictions.json'}")
    failed = not_fetched + summary.failed + [lack for product in biplane if (lack := product.lacks())]
    predict_records.tell(failed, made)
    return 1 if failed else 0


def _files(inputs: Sequence[str | Path], out: Path) -> list[Source]:
    """What inputs stand for; a folder of results within them is none."""
    from ultrasam.errors import UltraSamError
    from ultrasam.predict.files import sources
    from ultrasam.predict.files.former_results import without_results

    found = sources.find(inputs)
    files = without_results(found, out)
    if len(files) < len(found):
        print(f"left out of the inputs: {len(found) - len(files)} results of earlier runs in {out}")
    if not files:
        raise UltraSamError(f"the inputs are results of earlier runs in {out}: choose another --out")
    return files


def _products(args: argparse.Namespace) -> list[Product]:
    """What is made of whole files."""
    from ultrasam.errors import UltraSamError
    from ultrasam.predict.files import overlay_video
    from ultrasam.predict.files.label_volume import LabelVolume
    from ultrasam.predict.files.measures import Measures

    products: list[Product] = [LabelVolume(args.out, args.axis)]
    if args.measures:
        products.append(Measures(args.out, tracked=args.follow or not args.auto))
    if args.video:
        if args.no_overlays:
            raise UltraSamError("--video is made of the overlays: leave --no-overlays out")
        overlay_video.check_installed()
        products.append(overlay_video.OverlayVideo(args.out))
    return products


def _biplane(args: argparse.Namespace, files: list[Source]) -> list[Biplane]:
    from ultrasam.errors import UltraSamError
    from ultrasam.predict.files.biplane import Biplane

    if not args.biplane:
        return []
    if len(files) != 2:
        raise UltraSamError(f"--biplane takes two files, one a plane; the inputs are {len(files)}")
    if args.auto:
        raise UltraSamError("--biplane needs prompts: nothing says which objects of --auto belong together")
    return [Biplane(args.out)]


def _check_names(job: FileRun, files: list[Any], args: argparse.Namespace) -> None:
    from ultrasam.errors import PromptError

    if args.prompts and job.prompts_of and not any(job.prompts_of(f.file_name).objects for f in files):
        raise PromptError(
            f"no box in {args.prompts} belongs to one of the {len(files)} inputs; the inputs' names "
            f"(such as {files[0].file_name}) must match the file's file_name entries"
        )
