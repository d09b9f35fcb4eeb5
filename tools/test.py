"""Score a checkpoint; the same as ``ultrasam test``."""

import sys

from ultrasam.cli import main

if __name__ == "__main__":
    sys.exit(main(["test", *sys.argv[1:]]))
