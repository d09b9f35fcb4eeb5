"""``python -m benchmarks [NAME ...]``: run all benchmarks, or some, each in a process of its own."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .harness import add_options
from .page import write_page

#: In the order of the results page; ``gpu`` is not among them, since it runs on a GPU alone.
NAMES = (
    "encoder",
    "decoder",
    "masks",
    "predictor",
    "light",
    "folder",
    "threads",
    "training",
    "activations",
    "data",
    "shards",
    "annotations",
    "evaluation",
    "converters",
    "spread",
)
EXAMPLES = """examples:
  ultrasam bench                       all of them, about half an hour
  ultrasam bench encoder masks         some
  ultrasam bench --quick               see that they run
  python -m benchmarks.training --help  options of one benchmark alone
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The runner's options; ``ultrasam bench`` has the same."""
    parser.epilog, parser.formatter_class = EXAMPLES, argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (all)")
    add_options(parser)
    parser.add_argument("--page", metavar="FILE", help="write the results in --out as a Markdown page")


def run(args: argparse.Namespace) -> int:
    """Run what is asked for; 1 where a benchmark failed, 2 where there is none of a name."""
    unknown = [name for name in args.names if name not in NAMES]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    options = ["--threads", str(args.threads), "--out", args.out, *(["--quick"] if args.quick else [])]
    options += ["--rounds", str(args.rounds)] if args.rounds else []
    failed = []
    for name in args.names or (() if args.page else NAMES):
        print(f"== {name}", flush=True)
        # Its own process: peaks of memory, threads and allocators of one must not touch the next.
        command = [sys.executable, "-m", f"{__package__}.{name}", *options]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if args.page:
        write_page(Path(args.out), Path(args.page), NAMES)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
