"""``ultrasam bench``."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    from ultrasam.benchmarks.__main__ import add_arguments

    parser = subparsers.add_parser("bench", help="measure speed and memory beside other packages")
    add_arguments(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ultrasam.benchmarks.__main__ import run

    return run(args)
