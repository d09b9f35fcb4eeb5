"""Files of others run nothing: one reader opens weights, and no other line could unpickle."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PRODUCT = ("ultrasam", "converters", "configs", "tools", "experiments", "benchmarks")
#: What makes objects of bytes, and so could run code.
OPENERS = {
    *("torch.load", "torch.jit.load", "torch.package", "torch.hub.load", "torch.utils.model_zoo"),
    *("torch.hub.load_state_dict_from_url", "torch.serialization.load"),
    *("pickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"),
    *("numpy.load", "pandas.read_pickle", "yaml.load", "yaml.unsafe_load", "yaml.full_load"),
}
#: The lines that may, and why they are safe.
LET_OFF = {
    ("ultrasam/checkpoints/reading.py", "torch.load"),  # weights_only, and a list of inert types
    ("ultrasam/checkpoints/reading.py", "pickle"),  # for its error
    ("ultrasam/mm/opening.py", "pickle"),  # an unpickler that knows the makers of tensors and arrays alone
    ("ultrasam/downstream/features.py", "numpy.load"),  # allow_pickle=False
    ("converters/engine/read.py", "numpy.load"),  # allow_pickle=False
    ("converters/engine/read.py", "pickle"),  # an unpickler that knows the makers of plain arrays alone
}
FILES = [path for top in PRODUCT for path in sorted((ROOT / top).rglob("*.py"))]


def found_in(source: str) -> tuple[set[str], list[str]]:
    """Openers that a file names, by their full names, and keywords that switch protection off."""
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    used = set(names.values())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            used |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            used.add(node.module)
        elif isinstance(node, ast.Attribute):
            parts, inner = [node.attr], node.value
            while isinstance(inner, ast.Attribute):
                parts.append(inner.attr)
                inner = inner.value
            if isinstance(inner, ast.Name):
                used.add(".".join([names.get(inner.id, inner.id), *reversed(parts)]))
    hits = {o for o in OPENERS for name in used if name == o or name.startswith(f"{o}.")}
    return hits, [*_keywords(tree)]


def _keywords(tree: ast.AST):
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        given = {word.arg: word.value for word in node.keywords if word.arg}
        for name, safe in (("weights_only", True), ("allow_pickle", False)):
            if name in given and not (isinstance(given[name], ast.Constant) and given[name].value is safe):
                yield f"{name} in line {node.lineno}"
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        module = getattr(getattr(node.func, "value", None), "id", "")
        for owner, name in ((("torch",), "weights_only"), (("np", "numpy"), "allow_pickle")):
            if called == "load" and module in owner and name not in given:
                yield f"no {name} in line {node.lineno}"


def test_one_reader_opens_weights():
    assert len(FILES) > 350
    found, switched = set(), {}
    for path in FILES:
        name = path.relative_to(ROOT).as_posix()
        hits, keywords = found_in(path.read_text())
        found |= {(name, hit) for hit in hits}
        if keywords:
            switched[name] = keywords
    assert found == LET_OFF and switched == {}


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load('x', weights_only=True)",
        "import torch as t\nt.load('x')",
        "from torch import load",
        "from torch import load as open_it",
        "from torch.serialization import load",
        "import torch\ntorch.jit.load('x')",
        "from torch import jit\njit.load('x')",
        "import torch.package",
        "from torch.hub import load_state_dict_from_url",
        "import pickle as p",
        "from pickle import loads",
        "import joblib",
        "import numpy as np\nnp.load('x', allow_pickle=False)",
        "from numpy import load",
        "import yaml\nyaml.load('x', yaml.SafeLoader)",
        "import pandas as pd\npd.read_pickle('x')",
        "def f():\n    import marshal",
        "read(path, weights_only=False)",
        "read(path, allow_pickle=True)",
        "read(path, allow_pickle=flag)",
    ],
)
def test_every_way_to_say_it_is_seen(source):
    hits, keywords = found_in(source)
    assert hits or keywords


def test_harmless_lines_are_not():
    source = "import json, torch\njson.load(f)\ntorch.save(x, f)\nmodel.load(path)\nread(allow_pickle=False)"
    assert found_in(source) == (set(), [])
