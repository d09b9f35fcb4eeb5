"""MMDetection's own tools: ``python -m ultrasam.mm TOOL ...`` runs one with everything here registered.

Some of them import MMDetection's models before they read a configuration, which fails without the bridges of
``ultrasam.mm.compat``.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

import mmdet

import ultrasam.mm  # noqa: F401  bridges, and registers


def main(arguments: Sequence[str]) -> int:
    """Run a tool.

    Args:
        arguments: the tool's name, such as ``browse_dataset``, and its own arguments.
    """
    root = Path(mmdet.__path__[0], ".mim/tools")
    # Of two with one name the one for images counts, which lies further up than that for videos.
    tools = {path.stem: path for path in sorted(root.rglob("*.py"), key=lambda path: -len(path.parts))}
    if not arguments or arguments[0] not in tools:
        print(f"usage: python -m ultrasam.mm TOOL ...; tools: {', '.join(sorted(tools))}", file=sys.stderr)  # noqa: T201
        return 2
    tool = str(tools[arguments[0]])
    before, sys.argv = sys.argv, [tool, *arguments[1:]]
    try:
        runpy.run_path(tool, run_name="__main__")
    finally:
        sys.argv = before
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
