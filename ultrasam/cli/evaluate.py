"""``ultrasam evaluate``."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrasam.cli.options import (
    LABELS,
    WEIGHTS,
    DictAction,
    add_workers,
    labels_as_coco,
    make_folder,
    seed,
    workers_of,
)

if TYPE_CHECKING:
    from ultrasam.evaluate.evaluate import Subject
    from ultrasam.evaluate.protocol import Protocol
    from ultrasam.evaluate.results import Results

_EXAMPLES = """examples:
  ultrasam evaluate UltraSam.pth data/bus_bra.json --images data/images --out report
  ultrasam evaluate UltraSam.pth data/*/annotations/test.json --noise --degrade --out report
  ultrasam evaluate UltraSam.pth mine.json --images mine --prompts box --limit 50 --out quick
  ultrasam evaluate small data/phantom_cine/annotations/all.json --cine --split test --out following
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
    cine = parser.add_argument_group("following objects through clips")
    cine.add_argument(
        "--cine", action="store_true", help="score following instead: J, F, loss; see docs/follow.md"
    )
    cine.add_argument(
        "--start",
        choices=("mask", "box"),
        default="mask",
        help="what is known of an object in its first frame (mask)",
    )
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
    add_workers(how)
    how.add_argument("--title", help="of the report (the checkpoint's name)")
    how.add_argument(
        "--compare", nargs="+", type=Path, default=[], metavar="DIR", help="earlier reports to show beside it"
    )
    how.add_argument(
        "--pairs", type=Path, metavar="DIR", help="another scanner's images of the same, by equal file names"
    )
    how.add_argument("--page", type=Path, metavar="FILE", help="also write the results as a Markdown page")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ultrasam.evaluate import pairs
    from ultrasam.evaluate.evaluate import examine_all
    from ultrasam.evaluate.evaluate_page import write_markdown, write_report
    from ultrasam.evaluate.results import Results
    from ultrasam.evaluate.samples import read_samples
    from ultrasam.evaluate.scores import summarize
    from ultrasam.machine import process

    process.keep_memory()
    if args.cine:
        return _cine(args)
    # All that can be wrong with the arguments, before the work.
    protocol, subject, workers = _protocol(args), _subject(args), workers_of(args)
    others = {results.title: results for results in map(Results.read, args.compare)}
    samples, notes = read_samples(
        _labels(args),
        splits=_names(args.split),
        limit=args.limit,
        organ_of={**_organs(), **args.organ},
    )
    print("\n".join(notes))
    partners = pairs.find(samples, args.pairs) if args.pairs else []
    make_folder(args.out)
    records, card = examine_all(subject, samples, protocol, args.out, workers)
    print("scoring")
    results = summarize(
        records,
        protocol,
        subject=card,
        title=args.title or Path(args.checkpoint).name,
        command=_command(args),
        data=notes,
    )
    if args.pairs:
        agreements = pairs.compare(subject, samples, records, partners, protocol, args.out, workers)
        print(pairs.table(agreements).markdown())
    page = write_report(args.out, results, records, samples, others)
    if args.page:
        # A page that is shown to others says no folders of this machine.
        command = _command(args, lambda path: path.name if path.is_absolute() else path)
        write_markdown(args.page, replace(results, command=command), records)
    print(_short(results))
    print(f"report: {page.resolve().as_uri()}")
    return 0


def _cine(args: argparse.Namespace) -> int:
    """Score following, which has a protocol of its own."""
    from dataclasses import asdict

    from ultrasam.errors import ConfigError
    from ultrasam.evaluate.cine.cine_page import tables, write_cine_report
    from ultrasam.evaluate.cine.clips import read_clips
    from ultrasam.evaluate.cine.follow_clips import follow_all
    from ultrasam.predict.per_worker import PerWorker
    from ultrasam.predict.predictor import Predictor

    subject, workers = _subject(args), workers_of(args)
    clips, notes = read_clips(args.coco, args.images, splits=_names(args.split), limit=args.limit)
    print("\n".join(notes))
    make_folder(args.out)
    predictor = subject.predictor()
    if not isinstance(predictor, Predictor):
        raise ConfigError("--cine follows objects with our own predictor; leave --adapter out")
    settings = {"subject": asdict(subject.describe(predictor))}
    model: PerWorker[Any] = PerWorker(subject.elsewhere().predictor, predictor)
    records = follow_all(model, clips, args.out, args.start, settings, workers)
    title = args.title or f"{Path(args.checkpoint).name}, following"
    page = write_cine_report(args.out, title, records, {**settings, "data": notes}, _command(args))
    for table in tables(records):
        print(table.text())
    print(f"report: {page.resolve().as_uri()}")
    return 0


def _labels(args: argparse.Namespace) -> dict[Path, Path]:
    """The labels as COCO files, each with the folder of its images."""
    from ultrasam.errors import ConfigError

    if len({path.absolute() for path in args.coco}) < len(args.coco):
        raise ConfigError("one of the files is named twice")
    stems = Counter(path.absolute().stem for path in args.coco)
    files = {}
    for number, path in enumerate(args.coco, 1):
        stem = path.absolute().stem
        name = stem if stems[stem] == 1 else f"{stem}-{number}"
        coco, folder = labels_as_coco(path, args.images, args.out, name)
        files[coco] = folder
    return files


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


def _command(args: argparse.Namespace, shown: Callable[[Path], Path | str] = lambda path: path) -> str:
    """The command that repeats it, with files as they were named: in the same folder it runs again.

    Args:
        args: of the command line.
        shown: how a file is written.
    """
    weights = Path(args.checkpoint)
    words = ["ultrasam", "evaluate", shown(weights) if weights.exists() else args.checkpoint]
    words += map(shown, args.coco)
    for option, value, default in (
        ("--images", args.images, None),
        ("--out", args.out, None),
        ("--split", args.split, ""),
        ("--limit", args.limit, None),
        ("--organ", args.organ, {}),
        ("--prompts", args.prompts, "box,point,clicks"),
        ("--clicks", args.clicks, 8),
        ("--degrade", args.degrade, ""),
        ("--seed", args.seed, 0),
        ("--adapter", args.adapter, ""),
        ("--start", args.start, "mask"),
        ("--device", args.device, None),
        ("--predictor", args.predictor, {}),
        ("--workers", args.workers, None),
        ("--executor", args.executor, "processes"),
        ("--title", args.title, None),
        ("--compare", args.compare, []),
        ("--pairs", args.pairs, None),
        ("--page", args.page, None),
    ):
        if value == default:
            continue
        if isinstance(value, dict):
            words += [option, *(f"{key}={item}" for key, item in value.items())]
        else:
            paths = value if isinstance(value, list) else [value]
            words += [option, *(shown(v) if isinstance(v, Path) else v for v in paths)]
    for flag in ("cine", "noise", "sonobase", "no_baselines", "single_mask", "published"):
        words += [f"--{flag.replace('_', '-')}"] if getattr(args, flag) else []
    words += [] if args.closer is None else ["--closer" if args.closer else "--no-closer"]
    return shlex.join(map(str, words))


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
