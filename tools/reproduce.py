"""Repeat rows of the paper's tables; the same as ``ultrasam reproduce``."""

import sys

from ultrasam.cli import main

if __name__ == "__main__":
    sys.exit(main(["reproduce", *sys.argv[1:]]))
