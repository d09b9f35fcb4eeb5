"""``python -m ultrasam`` is the command line."""

import sys

from ultrasam.cli import main

sys.exit(main())
