"""Train a model; the same as ``ultrasam train``."""

import sys

from ultrasam.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
