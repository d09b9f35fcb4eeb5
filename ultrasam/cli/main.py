"""Commands are thin: each module adds its parser here and imports what it runs only when it runs."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import ultrasam
from ultrasam.errors import Interrupted
from ultrasam.machine import threads
from ultrasam.machine.explain import explanation

#: What commands are for -> modules of this folder, in the help's order; each has ``add_parser(subparsers)``.
COMMANDS = {
    "data": ("convert", "data"),
    "train": ("demo", "train", "finetune", "probe", "configs"),
    "predict": ("annotate", "serve", "predict", "segment", "classify", "weights", "export"),
    "check": ("test", "evaluate", "reproduce", "bench", "selftest"),
}


class _Listed:
    """Subparsers whose help is listed under headings, which argparse does not do for commands."""

    def __init__(self, subparsers: Any) -> None:
        self._subparsers = subparsers
        self.help: dict[str, str] = {}

    def add_parser(self, name: str, *, help: str, **options: Any) -> argparse.ArgumentParser:
        """As argparse's, which lists only commands that are given a help."""
        self.help[name] = help
        options.setdefault("description", help[:1].upper() + help[1:] + ".")
        return self._subparsers.add_parser(name, **options)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="ultrasam",
        usage="ultrasam [options] COMMAND ...",
        description="Promptable segmentation for ultrasound. 'ultrasam COMMAND --help' says more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ultrasam {ultrasam.__version__}")
    parser.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
    commands = _Listed(
        parser.add_subparsers(dest="command", metavar="COMMAND", prog="ultrasam", help=argparse.SUPPRESS)
    )
    lines = []
    for group, names in COMMANDS.items():
        lines.append(f"\n{group}:")
        for name in names:
            importlib.import_module(f"ultrasam.cli.{name}").add_parser(commands)
            lines.append(f"  {name:<10}  {commands.help[name]}")
    parser.epilog = "\n".join(lines).strip()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; errors a user can mend are printed in a line or two, with exit code 2.

    A training that a queue asked to stop ends with 75: the same command goes on with it.
    """
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return 0
    threads.set_up()
    # What it finds odd in a header is nothing that people can act on; damage is an error.
    warnings.filterwarnings("ignore", module=r"pydicom\b")
    try:
        return int(args.func(args) or 0)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output, head or less, has left; nothing more may be written, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Interrupted as error:
        print(f"ultrasam: {error}", file=sys.stderr)
        return error.EXIT_CODE
    except Exception as error:
        message = explanation(error)
        if args.debug or message is None:
            raise
        print(f"ultrasam: {message}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
