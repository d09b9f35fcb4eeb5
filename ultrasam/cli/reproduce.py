"""``ultrasam reproduce``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrasam.cli.options import DictAction, add_weights

if TYPE_CHECKING:
    from ultrasam.reproduce.rows import Row

_EXAMPLES = """examples:
  ultrasam reproduce --list
  ultrasam reproduce --table 1 --check                          what is missing, without running anything
  ultrasam reproduce --row ultrasam-box-bus_bra --row sam-box-bus_bra
  ultrasam reproduce --table 2 --data-root /data --out tables

data come from 'ultrasam convert', weights from 'ultrasam weights fetch'; nothing is downloaded unasked
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "reproduce",
        help="repeat rows of the paper's tables 1 to 3",
        description="Runs rows, compares with the published numbers, writes report.md and report.html.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--list", action="store_true", help="print the rows and stop")
    parser.add_argument("--check", action="store_true", help="say what is missing and stop")
    parser.add_argument("--table", type=int, action="append", choices=(1, 2, 3), help="rows of this table")
    parser.add_argument("--row", action="append", metavar="ID", help="this row")
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="folder of all data sets (data)")
    parser.add_argument(
        "--out", type=Path, default=Path("reproduced"), help="folder for results (reproduced)"
    )
    add_weights(parser, "--checkpoint", "use it in place of each row's own", renamed="--weights")
    parser.add_argument(
        "--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="change the configurations"
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; 2 when a row could not be run."""
    from tqdm import tqdm

    from ultrasam import checkpoints
    from ultrasam.errors import CheckpointError
    from ultrasam.reproduce.reproduce import Settings, run_row
    from ultrasam.reproduce.reproduce_page import write_report

    rows = _chosen(args)
    if args.list:
        for row in rows:
            numbers = " ".join(f"{name} {value:.1f}" for name, value in row.expected.items())
            print(f"{row.table}  {row.id:<34} {numbers}   tolerance {row.tolerance:.1f}")
        return 0
    weights = checkpoints.resolve(args.checkpoint) if args.checkpoint else None
    if weights and not weights.is_file():
        raise CheckpointError(f"no weight file at {weights}")
    settings = Settings(args.data_root, args.out, weights, args.cfg_options or {})
    outcomes = [run_row(row, settings, check_only=args.check) for row in tqdm(rows, unit="row")]
    for outcome in outcomes:
        built = ", ".join(f"{name} {count:,} parameters" for name, count in outcome.parameters.items())
        print(f"{outcome.row.id}: {outcome.reason or outcome.verdict} [{built}]")
    print("\n".join(str(path) for path in write_report(outcomes, settings)))
    return 2 if any(outcome.reason for outcome in outcomes) else 0


def _chosen(args: argparse.Namespace) -> list[Row]:
    from ultrasam.errors import UltraSamError
    from ultrasam.reproduce.rows import all_rows, current_id

    rows = [row for row in all_rows() if not args.table or row.table in args.table]
    wanted = {current_id(name) for name in args.row or ()}
    unknown = wanted - {row.id for row in rows}
    if unknown:
        raise UltraSamError(f"no row {', '.join(sorted(unknown))}; 'ultrasam reproduce --list' prints them")
    return [row for row in rows if not wanted or row.id in wanted]
