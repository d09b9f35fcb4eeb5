"""What the options of ``ultrasam predict`` mean: prompts, a predictor, where it works."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrasam.cli.options import workers_of

if TYPE_CHECKING:
    from ultrasam.predict.files.asked import PromptsOf
    from ultrasam.predict.files.elsewhere import Elsewhere
    from ultrasam.predict.files.frame_work import Options
    from ultrasam.predict.object_prompt import ObjectPrompt
    from ultrasam.predict.predictor import Predictor


def options_of(args: argparse.Namespace) -> Options:
    """How files are segmented."""
    from ultrasam.predict.automatic import Everything
    from ultrasam.predict.files.frame_work import Options

    return Options(
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
    )


def prompts_of(args: argparse.Namespace, names: list[str]) -> tuple[PromptsOf | None, list[dict[str, Any]]]:
    """What is asked of each file, None for everything, and COCO's categories."""
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


def elsewhere_of(make: partial[Predictor], args: argparse.Namespace) -> Elsewhere | None:
    """Workers in other processes, where they are asked for; they may stand in another folder."""
    if args.executor is None:
        return None
    from ultrasam.predict.files.elsewhere import Elsewhere

    workers = workers_of(args)
    options, path = dict(make.keywords), Path(args.checkpoint)
    if args.cache:
        options["cache"] = Path(args.cache).absolute()
    there = partial(make.func, str(path.absolute()) if path.exists() else args.checkpoint, **options)
    return Elsewhere(there, workers)


def predictor_of(args: argparse.Namespace) -> partial[Predictor]:
    """How the predictor is made."""
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
    return partial(Predictor.as_published if args.published else Predictor, args.checkpoint, **options)


def is_judged(predictor: Predictor, args: argparse.Namespace) -> bool:
    """Whether masks are made as they were when the weights' fit of quality was."""
    return predictor.engine.usage.quality is not None and not (args.published or args.refine)


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
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
    return {"checkpoint": path.name, "checkpoint_stamp": _stamp(path)} | {n: getattr(args, n) for n in names}


def _stamp(path: Path) -> list[Any]:
    """What changes with weights: a file's size and time; of the package's own, what its graphs' file says."""
    from ultrasam.checkpoints.places import OWN, OWN_FILE
    from ultrasam.predict.files.former_results import fingerprint

    if path.is_file():
        return [path.stat().st_size, path.stat().st_mtime_ns]
    return fingerprint(OWN_FILE.with_suffix(".onnx.json").read_bytes()) if str(path) == OWN else []


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
