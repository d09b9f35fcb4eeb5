"""``ultrasam bench``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ultrasam


def add_parser(subparsers: Any) -> None:
    """Add the command; its options are those of ``python -m benchmarks``, which prints its help too."""
    parser = subparsers.add_parser(
        "bench",
        help="measure speed and memory beside other packages",
        add_help=False,
        # No option is this parser's own: all that follows is handed on.
        prefix_chars="\0",
    )
    parser.add_argument("arguments", nargs="*")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run ``python -m benchmarks`` in the source tree, with paths as seen from here."""
    from ultrasam.errors import ConfigError

    root = Path(ultrasam.__file__).parents[1]
    if not (root / "benchmarks" / "__main__.py").is_file():
        raise ConfigError(
            "the benchmarks come with the source: clone the repository, 'make install', and run it there"
        )
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "benchmarks", *args.arguments]
    return subprocess.run(command, env=environment, check=False).returncode
