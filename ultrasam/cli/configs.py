"""``ultrasam configs``."""

from __future__ import annotations

import argparse
import ast
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser("configs", help="list the configurations that come with the package")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Print each configuration's name and what it is for."""
    import ultrasam.configs

    root = Path(ultrasam.configs.__path__[0])
    for path in sorted(root.glob("[!_]*/**/*.py")):
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        print(f"{path.relative_to(root).with_suffix('')!s:<62} {text.splitlines()[0] if text else ''}")
    return 0
