"""``ultrasam data deidentify``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

_MORE = """blanks what lies outside the scan sector, applies the basic confidentiality profile (DICOM PS3.15),
and refuses where the sector is not certain; a person has to look at the result before it is passed on
"""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "deidentify",
        help="DICOM files without their patients",
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="DICOM files, folders or globs")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new folder for the files")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="DIR",
        help="folder for the report, which shows what was taken out (beside --out, its name with _report)",
    )
    parser.add_argument(
        "--keep",
        metavar="X1,Y1,X2,Y2",
        help="keep this part of each picture; the scan sector is not looked for",
    )
    parser.add_argument(
        "--inspected",
        action="store_true",
        help="a person has seen that no text lies over the echoes: stills say so too (BurnedInAnnotation)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command; 1 when files were refused."""
    from ultrasam.errors import UltraSamError
    from ultrasam.predict.files import sources
    from ultrasam.privacy.deidentify import deidentify, refused
    from ultrasam.privacy.deidentify_page import write_report

    keep = None
    if args.keep:
        try:
            x1, y1, x2, y2 = (int(part) for part in args.keep.split(","))
        except ValueError as error:
            raise UltraSamError(f"--keep takes four whole numbers with commas, got '{args.keep}'") from error
        keep = (x1, y1, x2, y2)
    report = args.report or args.out.with_name(f"{args.out.name}_report")
    if report.resolve() == args.out.resolve() or args.out.resolve() in report.resolve().parents:
        raise UltraSamError("--report must lie outside --out: the report shows what was taken out")
    outcomes = deidentify(sources.find(args.inputs), args.out, keep, inspected=args.inspected)
    page = write_report(report, outcomes)
    reasons = list(refused(outcomes))
    print(f"{len(outcomes) - len(reasons)} of {len(outcomes)} files written to {args.out}; see {page}")
    for reason in reasons:
        print(f"refused: {reason}", file=sys.stderr)
    return 1 if reasons else 0
