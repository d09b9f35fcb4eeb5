"""``ultrasam data``: check, count, merge, join, split and audit COCO files, and labels of other tools."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from ultrasam.cli import data_cache, deidentify, phantom
from ultrasam.cli.options import LABELS, add_workers, make_folder, workers_of

#: Problems of a file that are printed one by one; the others are counted.
SHOWN = 20


def add_parser(subparsers: Any) -> None:
    """Add the command and its own commands."""
    parser = subparsers.add_parser(
        "data", help="check, convert, count, merge, split, audit and simulate labels; begin a data set"
    )
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = commands.add_parser(
        "check", help="is a COCO file valid, and are its images there? are shards whole?"
    )
    check.add_argument("coco", help="the file, or a folder or address of shards")
    check.add_argument("--images", type=Path, help="image folder (../images beside the file's folder)")
    stats = commands.add_parser("stats", help="count images, objects, subjects, areas")
    stats.add_argument("coco", type=Path)
    _format_parsers(commands)
    _merge_parser(commands)
    _join_parser(commands)
    split = commands.add_parser("split", help="split a COCO file into train, val and test by subject")
    split.add_argument("coco", type=Path)
    split.add_argument("--out", type=Path, required=True)
    split.add_argument("--val", type=float, default=0.05, help="share of the subjects to validate on (0.05)")
    split.add_argument("--test", type=float, default=0.0, help="share of the subjects to test on (0)")
    split.add_argument("--seed", default="us-43d", help="another one draws other subjects (us-43d)")
    audit = commands.add_parser("audit", help="near-duplicates and subjects on two sides")
    audit.add_argument("--root", type=Path, required=True, help="folder of converted data sets")
    audit.add_argument("--out", type=Path, required=True, help="folder for audit.json and audit.html")
    add_workers(audit)
    new = commands.add_parser("new", help="begin a converter for your own data: code, made-up archive, test")
    new.add_argument("name", help="of the data set, e.g. liver_demo")
    new.add_argument("--out", type=Path, default=Path(), help="folder that gets the folder NAME (.)")
    data_cache.add_parser(commands)
    phantom.add_parser(commands)
    deidentify.add_parser(commands)
    parser.set_defaults(func=run)


def _format_parsers(commands: Any) -> None:
    take = commands.add_parser("import", help="labels of other tools to a COCO file")
    take.add_argument("source", type=Path, metavar="FILE_OR_FOLDER", help=LABELS)
    take.add_argument("--out", type=Path, required=True, metavar="FILE", help="the COCO file")
    take.add_argument("--images", type=Path, help="image folder (where the labels lie)")
    take.add_argument(
        "--whole", action="store_true", help="of masks: all of one value is one object, not each part of it"
    )
    give = commands.add_parser("export", help="a COCO file to formats of other tools")
    give.add_argument("coco", type=Path)
    give.add_argument(
        "--to",
        required=True,
        choices=("yolo", "labelme", "png", "nifti", "polygons", "webdataset", "parquet"),
        help="polygons: COCO without run lengths; webdataset: shards, for training too; parquet: for Hugging "
        "Face",
    )
    give.add_argument("--out", type=Path, required=True, help="folder; for polygons, the file")
    give.add_argument("--images", type=Path, help="image folder (where the labels lie)")
    give.add_argument(
        "--tolerance",
        type=float,
        default=0.75,
        metavar="PIXELS",
        help="leave out corners of polygons that move the outline by less (0.75; 0 is exact)",
    )
    give.add_argument(
        "--objects", action="store_true", help="label maps that number objects, not their classes"
    )
    give.add_argument(
        "--pixels",
        choices=("raw", "file"),
        default="raw",
        help="of webdataset: pixels that nothing has to decode, or the image files (raw)",
    )
    give.add_argument(
        "--shard-size", type=int, default=256, metavar="MIB", help="of webdataset and parquet files (256)"
    )


def _merge_parser(commands: Any) -> None:
    merge = commands.add_parser("merge", help="many data sets to one class-agnostic set")
    merge.add_argument("--root", type=Path, required=True, help="folder of converted data sets")
    merge.add_argument("--out", type=Path, required=True)
    merge.add_argument("--exclude", nargs="*", default=[], metavar="ID", help="leave data sets out")
    merge.add_argument(
        "--exclude-organ",
        nargs="*",
        default=[],
        metavar="ORGAN",
        help="keep organs out of training (breast, ovary, gastrointestinal, ...)",
    )
    merge.add_argument("--commercial", action="store_true", help="only licenses that allow commercial use")
    merge.add_argument("--min-area", type=int, default=10, help="drop smaller objects from training (10)")
    merge.add_argument(
        "--pool-official", action="store_true", help="train on official test parts that are no benchmark"
    )
    merge.add_argument("--drop", type=Path, help="audit.json: leave out what the audit found twice")


def _join_parser(commands: Any) -> None:
    join = commands.add_parser(
        "join",
        help="any COCO files to one class-agnostic file",
        epilog="example: ultrasam data join data/phantom/annotations/all.json mine.json --images "
        "data/phantom/images pictures --split train --repeat mine=4 --out data/both/train.json",
    )
    join.add_argument("coco", type=Path, nargs="+")
    join.add_argument(
        "--images", type=Path, nargs="+", help="image folders, one for all files or one each (../images)"
    )
    join.add_argument("--out", type=Path, required=True, metavar="FILE")
    join.add_argument("--split", choices=("train", "val", "test"), help="images whose 'split' says so")
    join.add_argument(
        "--repeat", nargs="*", default=[], metavar="ID=N", help="list the images of a data set N times"
    )


def run(args: argparse.Namespace) -> int:
    """Dispatch; 1 where something was found wrong, 0 otherwise."""
    actions = {
        "check": _check,
        "stats": _stats,
        "import": _import,
        "export": _export,
        "merge": _merge,
        "deidentify": deidentify.run,
        "join": _join,
        "split": _split,
        "audit": _audit,
        "new": _new,
    }
    return actions[args.action](args)


def _new(args: argparse.Namespace) -> int:
    from ultrasam.data import new_set

    for path in new_set.write(args.name, args.out):
        print(path)
    converter = args.out / args.name / f"{args.name}.py"
    print(f"change them to fit your files, try: pytest {converter.parent}")
    print(f"then: python {converter} --raw FOLDER-OR-ARCHIVE --out DATA")
    return 0


def _check(args: argparse.Namespace) -> int:
    from ultrasam.converters.engine.coco import read_json
    from ultrasam.converters.engine.validate import inspect

    if "://" in args.coco or Path(args.coco).is_dir():
        return _check_shards(args.coco)
    path = Path(args.coco)
    found = inspect(read_json(path), args.images or path.parent.parent / "images")
    for problem in found.problems[:SHOWN]:
        print(problem)
    if len(found.problems) > SHOWN:
        print(f"and {len(found.problems) - SHOWN} more")
    for note, number in found.notes.items():
        print(f"note: {number} {note}")
    counted = Counter(problem.kind for problem in found.problems)
    print(
        f"{args.coco}: " + (", ".join(f"{n} x {kind}" for kind, n in counted.most_common()) or "no problem")
    )
    return 1 if found.problems else 0


def _check_shards(place: str) -> int:
    from ultrasam.data.shards.shard_reading import ShardStore

    store = ShardStore(place)
    wrong = store.verify()
    for line in wrong:
        print(line)
    print(f"{store.summary()}: " + (f"{len(wrong)} shards are damaged" if wrong else "no problem"))
    return 1 if wrong else 0


def _stats(args: argparse.Namespace) -> int:
    from ultrasam.converters.engine import coco_schema
    from ultrasam.converters.engine.stats import statistics

    print(json.dumps(statistics(coco_schema.read(args.coco)), indent=1, ensure_ascii=False))
    return 0


def _import(args: argparse.Namespace) -> int:
    from ultrasam.data.formats import importing

    imported = importing.read(args.source, args.images, whole=args.whole)
    imported.write(args.out)
    print(imported.summary())
    print(f"{args.out}: file names start from {imported.folder}")
    return 0


def _export(args: argparse.Namespace) -> int:
    from ultrasam.data.formats import exporting, importing

    images = args.images or importing.beside(args.coco)
    done = exporting.export(
        args.coco,
        args.to,
        args.out,
        images,
        tolerance=args.tolerance,
        objects=args.objects,
        pixels=args.pixels,
        shard_size=args.shard_size * 2**20,
    )
    print(done)
    return 0


def _merge(args: argparse.Namespace) -> int:
    from ultrasam.converters.engine.audit import dropped
    from ultrasam.converters.merge import Choice, merge

    drop = dropped(args.drop) if args.drop else []
    choice = Choice(
        exclude=args.exclude,
        organs=args.exclude_organ,
        commercial=args.commercial,
        min_area=args.min_area,
        pool_official=args.pool_official,
        drop=drop,
    )
    print(merge(args.root, args.out, choice).summary())
    return 0


def _join(args: argparse.Namespace) -> int:
    from ultrasam.converters.engine.errors import ConverterError
    from ultrasam.converters.engine.join import join

    folders = args.images or [path.parent.parent / "images" for path in args.coco]
    folders = folders * len(args.coco) if len(folders) == 1 else folders
    if len(folders) != len(args.coco):
        raise ConverterError(f"--images names {len(folders)} folders for {len(args.coco)} COCO files")
    repeat = {}
    for text in args.repeat:
        name, _, number = text.partition("=")
        if not number.isdigit() or int(number) < 1:
            raise ConverterError(f"--repeat takes ID=N such as mine=4, not '{text}'")
        repeat[name] = int(number)
    counts = join(list(zip(args.coco, folders, strict=True)), args.out, split=args.split, repeat=repeat)
    print(f"{args.out}: " + ", ".join(f"{number} of {name}" for name, number in sorted(counts.items())))
    return 0


def _split(args: argparse.Namespace) -> int:
    from ultrasam.data.split import split_file

    make_folder(args.out)
    shares = {side: share for side, share in (("test", args.test), ("val", args.val)) if share}
    for side, part in split_file(args.coco, args.out, shares, args.seed).items():
        print(f"{side}: {len(part['images'])} images with {len(part['annotations'])} objects")
    return 0


def _audit(args: argparse.Namespace) -> int:
    from ultrasam.converters.engine import audit, coco_schema
    from ultrasam.converters.engine.coco import write_json
    from ultrasam.converters.engine.errors import ConverterError
    from ultrasam.report.audit_page import write_audit_page

    make_folder(args.out)
    found = []
    for path in sorted(args.root.glob("*/annotations/all.json")):
        found += audit.entries(coco_schema.read(path), path.parent.parent / "images")
    if not found:
        raise ConverterError(f"{args.root}: no converted data set (<dataset>/annotations/all.json)")
    pairs, unread = audit.near_duplicates(found, workers_of(args))
    subjects = audit.split_subjects(found)
    findings = audit.report(found, pairs, unread, subjects)
    write_json(findings, args.out / "audit.json", indent=1)
    files = {(entry.dataset, entry.file_name): entry.path for entry in found}
    write_audit_page(args.out / "audit.html", findings, files)
    print(f"{len(found)} images: {len(pairs)} near-duplicate pairs across splits or data sets,")
    print(f"{len(subjects)} subjects on two sides, {len(unread)} unreadable; see {args.out}/audit.html")
    return 1 if pairs or subjects or unread else 0
