"""``ultrasam convert``: raw public data sets to PNG and COCO."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ultrasam.cli.options import add_workers, workers_of


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser("convert", help="raw public data sets to COCO")
    parser.add_argument("target", help="list, info, all, or the id of a data set")
    parser.add_argument("name", nargs="?", help="with info: the id")
    parser.add_argument("--raw", type=Path, help="folder or archive of the data set, as downloaded")
    parser.add_argument("--raw-root", type=Path, help="with all: folder with a folder or archive for each id")
    parser.add_argument("--out", type=Path, help="where <id>/images and <id>/annotations are made")
    add_workers(parser)
    parser.add_argument("--limit", type=int, help="convert only the first cases, to try")
    parser.add_argument("--strict", action="store_true", help="stop at the first case that fails")
    parser.add_argument(
        "--keep-empty",
        action="store_true",
        default=None,
        help="keep images on which nothing is to be marked",
    )
    parser.add_argument("--val", type=float, help="validation share of the subjects (0.05)")
    parser.add_argument("--fresh", action="store_true", help="do not take up what an earlier run converted")
    which = parser.add_argument_group("with list")
    which.add_argument("--organ", default="", metavar="WORD", help="only those that show it")
    which.add_argument("--masks", action="store_true", help="only those with masks")
    which.add_argument(
        "--licence",
        "--license",
        choices=("open", "commercial", "stated", "any"),
        default="any",
        help="a public license, one that allows commercial use, any words, or none needed (any)",
    )
    which.add_argument("--sort", choices=("name", "organ", "images", "sonodqs"), default="name")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Dispatch; 1 where cases failed, 0 otherwise."""
    from ultrasam.converters import catalog
    from ultrasam.converters.engine.errors import ConverterError

    if args.target == "list":
        found = catalog.select(organ=args.organ, masks=args.masks, licence=args.licence, sort=args.sort)
        print(catalog.table(found))
        more = catalog.select(organ=args.organ, masks=args.masks)
        if len(more) > len(found):
            print(f"{len(more) - len(found)} others fit, but no license of theirs is known to be so")
        print(f"{len(found)} of {len(catalog.entries())}; more on one: ultrasam convert info ID")
        return 0
    if args.target == "info":
        if args.name is None:
            raise ConverterError("which one? ultrasam convert info ID; see: ultrasam convert list")
        print(catalog.info(args.name))
        return 0
    if args.out is None:
        raise ConverterError("--out is missing: where the converted data go")
    if args.target == "all":
        return _all(args)
    if args.target == "ahu":
        return _ahu(args)
    return _one(args.target, args.raw, args)


def _one(name: str, raw: Path | None, args: argparse.Namespace) -> int:
    from ultrasam.converters import catalog, convert
    from ultrasam.converters.engine.errors import ConverterError

    dataset = catalog.converter(name)
    if raw is None:
        raise ConverterError(f"--raw is missing; how to get the data: ultrasam convert info {name}")
    report = convert(
        dataset,
        raw,
        args.out,
        workers=workers_of(args),
        limit=args.limit,
        strict=args.strict,
        keep_empty=args.keep_empty,
        val=args.val,
        resume=not args.fresh,
        progress=sys.stderr.isatty(),
    )
    print(report.summary())
    return 0 if report.ok else 1


def _all(args: argparse.Namespace) -> int:
    from ultrasam.converters import names
    from ultrasam.converters.engine.archive import is_archive
    from ultrasam.converters.engine.errors import ConverterError

    if args.raw_root is None or not args.raw_root.is_dir():
        raise ConverterError("--raw-root is missing: a folder with a folder or archive named by each id")
    entries = {path.name.split(".")[0]: path for path in sorted(args.raw_root.iterdir(), reverse=True)}
    todo = {n: p for n, p in entries.items() if n in names() and (p.is_dir() or is_archive(p))}
    if not todo:
        raise ConverterError(f"{args.raw_root}: nothing is named by an id of: ultrasam convert list")
    worst = 0
    for name in sorted(todo):
        try:
            worst = max(worst, _one(name, todo[name], args))
        except ConverterError as error:
            if args.strict:
                raise
            print(f"{name}: not converted: {error}", file=sys.stderr)
            worst = 1
    print(f"{len(todo)} of {len(names())} data sets were there")
    return worst


def _ahu(args: argparse.Namespace) -> int:
    from ultrasam.converters.ahu import convert_ahu
    from ultrasam.converters.engine.errors import ConverterError

    if args.raw is None:
        raise ConverterError("--raw is missing: a layer of the AHU database (raw, filtered or processed)")
    unheeded = [
        option
        for option, given in (
            ("--workers", args.workers is not None),
            ("--executor", args.executor != "processes"),
            ("--limit", args.limit is not None),
            ("--strict", args.strict),
            ("--keep-empty", args.keep_empty),
            ("--fresh", args.fresh),
        )
        if given
    ]
    if unheeded:
        raise ConverterError(f"ahu has clips and no masks: {', '.join(unheeded)} does nothing there")
    report = convert_ahu(args.raw, args.out, **({} if args.val is None else {"val": args.val}))
    print(report.summary())
    return 0 if not report.failures else 1
