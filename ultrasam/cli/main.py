"""Commands are thin: each module adds its parser here and imports what it runs only when it runs."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

import ultrasam
from ultrasam.errors import UltraSamError
from ultrasam.machine import extras

#: Modules of this folder, in the order of the help; each has ``add_parser(subparsers)``.
COMMANDS = (
    "demo",
    "convert",
    "data",
    "train",
    "test",
    "evaluate",
    "finetune",
    "reproduce",
    "predict",
    "segment",
    "probe",
    "classify",
    "weights",
    "export",
    "configs",
    "bench",
    "selftest",
)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(prog="ultrasam", description="Promptable segmentation for ultrasound.")
    parser.add_argument("--version", action="version", version=f"ultrasam {ultrasam.__version__}")
    parser.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"ultrasam.cli.{name}").add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; errors a user can mend are printed in a line or two, with exit code 2."""
    args = build_parser().parse_args(argv)
    try:
        return int(args.func(args) or 0)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output, head or less, has left; nothing more may be written, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        message = _mendable(error)
        if args.debug or message is None:
            raise
        print(f"ultrasam: {message}", file=sys.stderr)
        return 2


def _mendable(error: BaseException | None) -> str | None:
    """The message of an error that a user can mend, also where a worker process or a library wrapped it."""
    while error is not None:
        # By name: the converters know nothing of this package, and need not be imported to find out.
        if isinstance(error, UltraSamError) or "ConverterError" in {c.__name__ for c in type(error).__mro__}:
            # A data loader's worker sends its whole traceback; its last line is the message.
            return (
                str(error).split("Error: ")[-1].strip() if "Original Traceback" in str(error) else str(error)
            )
        if isinstance(error, ImportError) and (message := extras.advice(error)):
            return message
        error = error.__cause__ or error.__context__
    return None


if __name__ == "__main__":
    sys.exit(main())
