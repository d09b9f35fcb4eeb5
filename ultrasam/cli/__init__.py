"""The command line: ``ultrasam <command>``."""

from ultrasam.cli.main import main

__all__ = ["main"]
