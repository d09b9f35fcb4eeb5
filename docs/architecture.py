"""The picture in ``architecture.md``, drawn from the imports: ``python docs/architecture.py`` renews it.

Each folder and each loose file of ``ultrasam`` is a room, rooms stand on floors in the order of the import
contract (``[tool.importlinter]`` in pyproject.toml), and an arrow says that one imports another. Arrows that
follow from others are left out.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import grimp

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/architecture.md"
BEGIN, END = "<!-- drawn by docs/architecture.py -->\n", "<!-- end of the drawing -->\n"
#: Folders that are rooms of their own within a room.
WITHIN = ("predict.files", "modeling.kernels", "modeling.adapt")


def floors() -> list[list[str]]:
    """Rooms from the top floor down, as the import contract orders them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["type"] == "layers" and "ultrasam" in c["containers"])
    return [[room.strip() for room in floor.replace("|", ":").split(":")] for floor in layers]


def arrows() -> dict[str, set[str]]:
    """Room -> the rooms that it imports."""
    graph = grimp.build_graph("ultrasam")
    found: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            start, end = room_of(module), room_of(other)
            if start and end and start != end:
                found[start].add(end)
    return found


def room_of(module: str) -> str:
    """The room of a module; empty for the package itself and its entry point."""
    name = module.removeprefix("ultrasam").lstrip(".")
    inner = [room for room in WITHIN if name == room or name.startswith(f"{room}.")]
    return "" if name == "__main__" else inner[0] if inner else name.split(".")[0]


def reduced(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without the arrows that a longer way implies."""

    def reach(start: str, seen: set[str]) -> set[str]:
        for nxt in edges.get(start, ()):
            if nxt not in seen:
                seen.add(nxt)
                reach(nxt, seen)
        return seen

    return {
        start: {end for end in ends if not any(end in reach(mid, set()) for mid in ends - {end})}
        for start, ends in edges.items()
    }


def drawing() -> str:
    """The picture as Mermaid, which GitHub and most editors show."""
    lines = ["```mermaid", "flowchart TD"]
    for number, floor in enumerate(floors()):
        names = [f'{room.replace(".", "_")}["{room}"]' for room in floor]
        lines += [f"  subgraph floor{number}[ ]", "    direction LR", *(f"    {n}" for n in names), "  end"]
    for start, ends in sorted(reduced(arrows()).items()):
        lines += [f"  {start.replace('.', '_')} --> {end.replace('.', '_')}" for end in sorted(ends)]
    return "\n".join([*lines, "```", ""])


def page() -> str:
    """The page with the picture as the code is now."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return before + BEGIN + drawing() + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
