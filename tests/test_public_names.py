"""What ``import ultrasam`` gives, to Python and to a type checker; and names of earlier versions."""

import importlib
import subprocess
import sys

import pytest

import ultrasam
from tests.kit.forked import run_all
from ultrasam.machine.old_names import MOVED

SNIPPET = """
import ultrasam
from ultrasam import Predictor, load_encoder

reveal_type(Predictor().model)
reveal_type(load_encoder("small").channels)
ultrasam.checkpoints.convert("a", "b", "sam")
Predictor().no_such_method()
ultrasam.nothing
"""


def test_every_public_name_is_there_after_a_plain_import(tmp_path):
    names = sorted(set(ultrasam.__all__) - {"__version__"})
    assert len(names) > 10
    ends = run_all([f"import ultrasam; print(ultrasam.{name}.__name__)" for name in names], tmp_path)
    assert not {name: end.stderr for name, end in zip(names, ends, strict=True) if end.returncode}
    assert all(end.stdout.strip() for end in ends)


def test_a_plain_import_loads_nothing_heavy():
    code = (
        "import sys, ultrasam; print([n for n in ('torch', 'numpy', 'cv2', 'mmengine') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_type_checker_knows_the_public_names(tmp_path):
    api = pytest.importorskip("mypy.api", reason="mypy is not installed (extra 'dev')")
    (tmp_path / "use.py").write_text(SNIPPET)
    arguments = ["--ignore-missing-imports", "--follow-imports=silent", "--no-incremental"]
    said = api.run([*arguments, str(tmp_path / "use.py")])[0]
    assert 'Revealed type is "ultrasam.modeling.sam.Sam"' in said
    assert 'Revealed type is "list[int]"' in said or "builtins.list[builtins.int]" in said
    assert '"Predictor" has no attribute "no_such_method"' in said
    assert 'Module has no attribute "nothing"' in said
    assert "Found 2 errors" in said


@pytest.mark.parametrize("old", sorted(MOVED))
def test_old_modules_import_with_a_warning_that_names_the_new_one(old):
    if MOVED[old].startswith("mm."):
        pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")
    sys.modules.pop(f"ultrasam.{old}", None)
    with pytest.warns(DeprecationWarning, match=rf"ultrasam\.{MOVED[old]}"):
        module = importlib.import_module(f"ultrasam.{old}")
    new = importlib.import_module(f"ultrasam.{MOVED[old]}")
    names = [name for name in vars(new) if not name.startswith("_")]
    assert names
    assert all(getattr(module, name) is getattr(new, name) for name in names)


def test_public_names_at_their_old_places():
    sys.modules.pop("ultrasam.predictor", None)
    with pytest.warns(DeprecationWarning, match="predict.predictor"):
        from ultrasam.predictor import Predictor
    assert Predictor is ultrasam.Predictor


def test_an_unknown_module_is_still_unknown():
    with pytest.raises(ModuleNotFoundError, match="ultrasam.never_was"):
        importlib.import_module("ultrasam.never_was")
    with pytest.raises(AttributeError, match="never_was"):
        _ = ultrasam.never_was
