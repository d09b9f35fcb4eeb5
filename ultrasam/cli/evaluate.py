"""``ultrasam evaluate``."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrasam.cli.options import LABELS, WEIGHTS, DictAction, labels_as_coco, make_folder, seed

if TYPE_CHECKING:
    from ultrasam.evaluate.evaluate import Subject
    from ultrasam.evaluate.protocol import Protocol
    from ultrasam.evaluate.results import Results

_EXAMPLES = """examples:
  ultrasam evaluate UltraSam.pth data/bus_bra.json --images data/images --out report
  ultrasam evaluate UltraSam.pth data/*.json --images data/images --split test --noise --degrade --out report
  ultrasam evaluate UltraSam.pth mine.json --images mine --prompts box --limit 50 --out quick
  ultrasam evaluate sam_vit_b data/*.json --images data/images --out sam --compare report

writes report.html (tables, plots, worst and best masks), results.json, results.md; start it again to go on
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score any checkpoint on any COCO files, with a report",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", help=WEIGHTS)
    parser.add_argument("coco", nargs="+", type=Path, metavar="LABELS", help=LABELS)
    parser.add_argument("--images", type=Path, metavar="DIR", help="where file names start from (as needed)")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the report")
    which = parser.add_argument_group("which images")
    which.add_argument("--split", default="", metavar="NAME[,NAME]", help="those with this 'split' (all)")
    which.add_argument("--limit", type=int, metavar="N", help="at most N images a file, evenly spread")
    which.add_argument(
        "--organ",
        nargs="+",
        action=DictAction,
        default={},
        metavar="DATASET=ORGAN",
        help="where neither the file nor a data set's card says",
    )
    ask = parser.add_argument_group("what to ask")
    ask.add_argument("--prompts", default="box,point,clicks", help="some of box,point,clicks (all)")
    ask.add_argument("--clicks", type=int, default=8, metavar="N", help="clicks of a session (8)")
    ask.add_argument("--noise", action="store_true", help="also loose and shifted boxes, off-centre clicks")
    ask.add_argument(
        "--degrade",
        nargs="?",
        const="all",
        default="",
        metavar="KIND[,KIND]",
        help="also on degraded images (all kinds): downsample, speckle, noise, lines, gain, blur, portable",
    )
    ask.add_argument(
        "--sonobase",
        action="store_true",
        help="also as SonoBase asks: noised prompts, 3 seeds, 0 to 7 clicks",
    )
    ask.add_argument("--no-baselines", action="store_true", help="without ellipses and grown regions")
    ask.add_argument("--seed", type=seed, default=0, help="of noise and degradations (0)")
    how = parser.add_argument_group("how")
    how.add_argument("--single-mask", action="store_true", help="one mask a prompt, not the best of three")
    how.add_argument("--published", action="store_true", help="repeat the published test's two passes")
    how.add_argument(
        "--closer",
        action=argparse.BooleanOptionalAction,
        help="segment each object in the region round it (as the weights note)",
    )
    how.add_argument(
        "--adapter",
        default="",
        metavar="MODULE:NAME",
        help="a foreign model: NAME(CHECKPOINT) of a Python module has set_image and segment",
    )
    how.add_argument("--device", help="cpu, cuda, mps (the best at hand)")
    how.add_argument(
        "--predictor",
        nargs="+",
        action=DictAction,
        default={},
        metavar="KEY=VALUE",
        help="options of ultrasam.Predictor, e.g. resampling=pillow",
    )
    how.add_argument("--workers", type=int, default=1, metavar="N", help="processes (1)")
    how.add_argument("--title", help="of the report (the checkpoint's name)")
    how.add_argument(
        "--compare", nargs="+", type=Path, default=[], metavar="DIR", help="earlier reports to show beside it"
    )
    how.add_argument("--page", type=Path, metavar="FILE", help="also write the results as a Markdown page")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ultrasam.evaluate.evaluate import examine_all
    from ultrasam.evaluate.evaluate_page import write_markdown, write_report
    from ultrasam.evaluate.results import Results
    from ultrasam.evaluate.samples import read_samples
    from ultrasam.evaluate.scores import summarize
    from ultrasam.machine import process

    process.keep_memory()
    # All that can be wrong with the arguments, before the work.
    protocol, subject = _protocol(args), _subject(args)
    others = {results.title: results for results in map(Results.read, args.compare)}
    files, images = _labels(args)
    samples, notes = read_samples(
        files,
        images,
        splits=_names(args.split),
        limit=args.limit,
        organ_of={**_organs(), **args.organ},
    )
    print("\n".join(notes))
    make_folder(args.out)
    records, card = examine_all(subject, samples, protocol, args.out, args.workers)
    print("scoring")
    results = summarize(
        records,
        protocol,
        subject=card,
        title=args.title or Path(args.checkpoint).name,
        command=_command(args),
        data=notes,
    )
    page = write_report(args.out, results, records, samples, others)
    if args.page:
        write_markdown(args.page, results, records)
    print(_short(results))
    print(f"report: {page.resolve().as_uri()}")
    return 0


def _labels(args: argparse.Namespace) -> tuple[list[Path], Path]:
    """The labels as COCO files, and the one folder of their images."""
    from ultrasam.errors import ConfigError

    if len({path.stem for path in args.coco}) < len(args.coco):
        raise ConfigError("two of the files have one name; results are told apart by it, so rename one")
    pairs = [labels_as_coco(path, args.images, args.out) for path in args.coco]
    folders = {folder for _, folder in pairs}
    if len(folders) > 1:
        raise ConfigError(f"images lie in {len(folders)} folders; evaluate them one by one, or give --images")
    return [path for path, _ in pairs], folders.pop()


def _protocol(args: argparse.Namespace) -> Protocol:
    from ultrasam.data.degrade import KINDS
    from ultrasam.evaluate.protocol import Protocol

    return Protocol(
        prompts=_names(args.prompts),
        clicks=args.clicks,
        baselines=not args.no_baselines,
        noise=args.noise,
        degradations=tuple(KINDS) if args.degrade == "all" else _names(args.degrade),
        multimask=not args.single_mask,
        sonobase=args.sonobase,
        seed=args.seed,
    )


def _subject(args: argparse.Namespace) -> Subject:
    from ultrasam.evaluate.evaluate import Subject

    given = {"device": args.device, "closer": args.closer}
    options = {**args.predictor, **{name: value for name, value in given.items() if value is not None}}
    return Subject(args.checkpoint, options, args.published, args.adapter)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _organs() -> dict[str, str]:
    """Data set -> organ, as the converters' cards have it."""
    from ultrasam.converters.registry import get, names

    return {name: get(name).card.organ for name in names()}


def _command(args: argparse.Namespace) -> str:
    """The command to repeat it with; files by name alone, as folders differ from machine to machine."""
    words = ["ultrasam", "evaluate", Path(args.checkpoint).name, *(path.name for path in args.coco)]
    words += ["--images", args.images.name] if args.images else []
    words += ["--out", args.out.name]
    for option, value, default in (
        ("--split", args.split, ""),
        ("--limit", args.limit, None),
        ("--prompts", args.prompts, "box,point,clicks"),
        ("--clicks", args.clicks, 8),
        ("--degrade", args.degrade, ""),
        ("--seed", args.seed, 0),
        ("--adapter", args.adapter, ""),
        ("--device", args.device, None),
    ):
        words += [option, str(value)] if value != default else []
    for flag in ("noise", "sonobase", "no_baselines", "single_mask", "published"):
        words += [f"--{flag.replace('_', '-')}"] if getattr(args, flag) else []
    words += [] if args.closer is None else ["--closer" if args.closer else "--no-closer"]
    if args.predictor:
        words += ["--predictor", *(f"{key}={value}" for key, value in args.predictor.items())]
    return shlex.join(words)


def _short(results: Results) -> str:
    """A line for each data set."""
    from ultrasam.evaluate.protocol import Condition
    from ultrasam.evaluate.tables import percent, share

    lines = []
    for name, part in results.groups():
        cells = []
        for prompt in results.protocol.single:
            for who in results.protocol.answerers(prompt):
                scores = part.scores[Condition(who)]
                cells.append(f"{who} {percent(scores.map)} mAP, Dice {share(scores.dice)}")
        if part.clicks:
            cells.append(f"clicks to 0.85: {part.clicks[85].mean:.2f}")
        lines.append(f"{name}: " + "; ".join(cells))
    return "\n".join(lines)
