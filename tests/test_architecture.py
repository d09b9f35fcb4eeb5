"""The rooms: who imports whom, what lies where, and what is written once."""

import ast
import importlib.util
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("ultrasam", "converters")


def functions() -> dict[str, list[str]]:
    """Name of each function -> the files that define one of this name."""
    found = defaultdict(list)
    for top in PACKAGES:
        for path in sorted((ROOT / top).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef):
                    found[node.name].append(path.relative_to(ROOT).as_posix())
    return found


def test_import_contracts_hold():
    pytest.importorskip("importlinter", reason="import-linter is not installed (extra 'dev')")
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_few_join_the_converters_with_the_model():
    named = re.compile(r"^\s*(?:from|import) ultrasam\.converters", re.MULTILINE)
    rooms = {
        path.relative_to(ROOT / "ultrasam").parts[0]
        for path in (ROOT / "ultrasam").rglob("*.py")
        if named.search(path.read_text())
    }
    # The last two for the one list of arrays that a pickle may make, and for nothing else.
    assert rooms == {"cli", "data", "checkpoints", "mm"}


def test_the_picture_is_that_of_the_code():
    pytest.importorskip("grimp", reason="grimp is not installed (extra 'dev')")
    spec = importlib.util.spec_from_file_location("architecture", ROOT / "docs/architecture.py")
    drawer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawer)
    assert drawer.page() == drawer.PAGE.read_text(), "stale: run 'python docs/architecture.py'"


def test_only_the_vocabulary_lies_loose():
    loose = {path.stem for path in (ROOT / "ultrasam").glob("*.py")}
    assert loose == {"__init__", "__main__", "errors", "types", "losses", "preprocess"}


def test_a_file_name_says_which_file_is_meant():
    """A command's module may be called as what it runs; all others differ."""
    places = defaultdict(list)
    for path in (ROOT / "ultrasam").rglob("*.py"):
        if not path.stem.startswith("__") and path.parent.name != "cli":
            places[path.stem].append(path.relative_to(ROOT).as_posix())
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


@pytest.mark.parametrize(
    ("act", "name"),
    [
        ("Dice", r"dice"),
        ("IoU of masks", r"iou"),
        ("splitting by subject", r"assign|split_coco|split_by_subject"),
        ("write, then rename", r"atomic\w*"),
        ("run lengths", r"run_lengths|counts"),
        ("the tight box", r"tight_box|boxes_of_masks"),
    ],
)
def test_each_act_has_one_definition(act, name):
    found = {
        f"{path}: {function}"
        for function, paths in functions().items()
        if re.fullmatch(name, function)
        for path in paths
    }
    assert len(found) == 1, (act, found)
