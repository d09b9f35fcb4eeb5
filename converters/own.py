"""The command line of a data set file that is not one of ours: `python my_set.py --raw RAW --out DATA`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .engine.errors import ConverterError
from .engine.run import convert
from .engine.types import Dataset


def main(dataset: Dataset, argv: Sequence[str] | None = None) -> int:
    """Convert it; 0 where every case was converted or left out on purpose, 1 where some failed, 2 for errors.

    Args:
        dataset: Of the file.
        argv: The words after the file's name; those of the command line if it is None.
    """
    parser = argparse.ArgumentParser(description=dataset.card.title)
    parser.add_argument("--raw", type=Path, required=True, help="folder or archive, as downloaded")
    parser.add_argument("--out", type=Path, required=True, help=f"where {dataset.name}/images is made")
    parser.add_argument("--workers", type=int, default=1, help="processes (1)")
    parser.add_argument("--keep-empty", action="store_true", default=None, help="keep images without objects")
    parser.add_argument("--strict", action="store_true", help="stop at the first case that fails")
    args = parser.parse_args(argv)
    try:
        report = convert(
            dataset,
            args.raw,
            args.out,
            workers=args.workers,
            keep_empty=args.keep_empty,
            strict=args.strict,
        )
    except ConverterError as error:
        sys.stderr.write(f"{dataset.name}: {error}\n")
        return 2
    sys.stdout.write(report.summary() + "\n")
    return 0 if report.ok else 1
