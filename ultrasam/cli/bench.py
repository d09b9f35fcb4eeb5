"""``ultrasam bench``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ultrasam

_EXAMPLES = """examples:
  ultrasam bench                       all of them, about half an hour
  ultrasam bench encoder masks         some
  ultrasam bench --quick               see that they run
  ultrasam bench -- --help             all options

benchmarks come with the source, not with the installed package
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "bench",
        help="measure speed and memory beside other packages",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of 'python -m benchmarks'")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run ``python -m benchmarks`` in the source tree, with paths as seen from here."""
    from ultrasam.errors import ConfigError

    root = Path(ultrasam.__file__).parents[1]
    if not (root / "benchmarks" / "__main__.py").is_file():
        raise ConfigError(
            "the benchmarks come with the source: clone the repository, 'make install', and run it there"
        )
    given = [text for text in args.arguments if text != "--"]
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "benchmarks", *given]
    return subprocess.run(command, env=environment, check=False).returncode
