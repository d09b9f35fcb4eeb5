"""``ultrasam predict``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrasam.cli import predict_records
from ultrasam.cli.options import add_engine, add_weights, make_folder

if TYPE_CHECKING:
    from ultrasam.predict.files.file_run import FileRun, Product, PromptsOf
    from ultrasam.predict.object_prompt import ObjectPrompt
    from ultrasam.predict.predictor import Predictor

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
    how.add_argument("--no-overlays", action="store_true", help="don't draw")
    how.add_argument("--quiet", action="store_true", help="no progress bar")
    predict_records.add_options(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; 1 when some files failed."""
    from tqdm import tqdm

    from ultrasam.machine import process
    from ultrasam.predict.automatic import Everything
    from ultrasam.predict.files import sources
    from ultrasam.predict.files.file_run import FileRun, Options

    process.keep_memory()
    if args.auto not in (None, "boxes", "grid"):
        # An input, as in "--auto images/".
        args.inputs.insert(0, args.auto)
        args.auto = "boxes"
    predict_records.check(args)
    inputs, not_fetched = predict_records.fetch(args)
    files = sources.find(inputs)
    # Prompts name files, and DICOM results are of files, unless something is followed from one to the next;
    # else, the files of a series are one clip.
    if not args.prompts and (args.follow or not (args.dicom_seg or args.dicom_sr)):
        files = sources.join_series(files)
    prompts_of, categories = _prompts(args, [file.file_name for file in files])
    make_folder(args.out)
    predictor = _predictor(args)
    if args.quality is None:
        args.quality = _is_judged(predictor, args)
    settings = _settings(args)
    made = predict_records.products(args, categories, settings)
    job = FileRun(
        predictor,
        args.out,
        prompts_of,
        categories=categories,
        settings=settings,
        products=[*made, *_products(args)],
        options=Options(
            multimask=not args.single_mask,
            window=parse_window(args.window),
            spacing=_pair(args.spacing, "--spacing"),
            follow=args.follow,
            quality=args.quality,
            overlays=not args.no_overlays,
            everything=Everything(
                grid=args.auto == "grid",
                min_score=args.auto_min_score,
                points_per_side=args.auto_points,
                min_iou=args.auto_min_iou,
            ),
            axis=args.axis,
        ),
    )
    _check_names(job, files, args)
    with process.leaving_on_sigterm(), tqdm(unit=" images", disable=args.quiet or None) as bar:
        summary = job.run(files, lambda frame: bar.update())
    print(f"{summary}; see {args.out / 'predictions.json'}")
    failed = not_fetched + summary.failed
    predict_records.tell(failed, made)
    return 1 if failed else 0


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


def _prompts(args: argparse.Namespace, names: list[str]) -> tuple[PromptsOf | None, list[dict[str, Any]]]:
    from ultrasam.errors import PromptError
    from ultrasam.predict.files import prompt_files

    ways = [bool(args.box or args.point or args.object), bool(args.prompts), bool(args.auto)]
    if sum(ways) != 1:
        raise PromptError(
            "say what to segment: --box, --point or --object, or --prompts FILE, or --auto"
            + (" (one of them)" if sum(ways) else "")
        )
    category = [{"id": 1, "name": "object"}]
    if args.auto:
        return None, category
    if args.prompts:
        asked, category = prompt_files.from_file(args.prompts, args.min_score)
        return prompt_files.by_name(asked, names), category
    return prompt_files.same_for_all(_objects(args)), category


def _objects(args: argparse.Namespace) -> list[ObjectPrompt]:
    from ultrasam.errors import PromptError
    from ultrasam.predict.files import prompt_files
    from ultrasam.predict.object_prompt import ObjectPrompt

    objects = [prompt_files.parse_box(text) for text in args.box]
    if args.point:
        points, labels = prompt_files.parse_points(args.point)
        if len(objects) > 1:
            raise PromptError("which of the boxes do the points belong to? Use --object for each object")
        objects = [ObjectPrompt(points, labels, objects[0].box if objects else None)]
    return objects + [prompt_files.parse_object(text) for text in args.object]


def _predictor(args: argparse.Namespace) -> Predictor:
    from ultrasam.predict.predictor import Predictor
    from ultrasam.prompts.refine import Refinement

    names = ("device", "cache", "closer", "engine")
    options: dict[str, Any] = {name: getattr(args, name) for name in names}
    options |= {} if args.cleanup is None else {"cleanup": args.cleanup}
    if args.bf16:
        from ultrasam.machine.extras import need

        need("--bf16", "torch")
        import torch

        options["dtype"] = torch.bfloat16
    if args.refine:
        options["refinement"] = Refinement(passes=args.refine)
    if args.postprocess:
        options["postprocessing"] = args.postprocess
    return (Predictor.as_published if args.published else Predictor)(args.checkpoint, **options)


def _is_judged(predictor: Predictor, args: argparse.Namespace) -> bool:
    """Whether masks are made as they were when the weights' fit of quality was."""
    return predictor.engine.usage.quality is not None and not (args.published or args.refine)


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    """Everything that changes a result; a checkpoint counts as another when its file changes."""
    names = (
        "published",
        "closer",
        "cleanup",
        "quality",
        "refine",
        "single_mask",
        "postprocess",
        "window",
        "spacing",
        "bf16",
        "auto",
        "auto_min_score",
        "auto_points",
        "auto_min_iou",
        "follow",
        "axis",
    )
    path = Path(args.checkpoint)
    stamp = [path.stat().st_size, path.stat().st_mtime_ns] if path.is_file() else []
    return {"checkpoint": path.name, "checkpoint_stamp": stamp} | {n: getattr(args, n) for n in names}


def _check_names(job: FileRun, files: list[Any], args: argparse.Namespace) -> None:
    from ultrasam.errors import PromptError

    if args.prompts and job.prompts_of and not any(job.prompts_of(f.file_name).objects for f in files):
        raise PromptError(
            f"no box in {args.prompts} belongs to one of the {len(files)} inputs; the inputs' names "
            f"(such as {files[0].file_name}) must match the file's file_name entries"
        )


def parse_window(text: str | None) -> Any:
    """``LOW,HIGH`` or ``minmax`` as a window; None for none."""
    return "minmax" if text == "minmax" else _pair(text, "--window")


def _pair(text: str | None, option: str) -> tuple[float, float] | None:
    from ultrasam.errors import UltraSamError

    if text is None:
        return None
    try:
        first, second = (float(v) for v in text.split(","))
    except ValueError as error:
        raise UltraSamError(f"{option} takes two numbers with a comma, got '{text}'") from error
    return first, second
