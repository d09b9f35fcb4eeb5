"""What commands import: nothing that they don't run."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    *("torch", "torchvision", "onnxruntime", "onnx", "scipy", "sklearn", "h5py", "nibabel", "pydicom"),
    *("mmengine", "mmcv", "mmdet", "mmpretrain", "matplotlib", "transformers", "timm", "fastapi", "pooch"),
)
#: What tells of the package alone needs no arrays either.
ARRAYS = ("numpy", "cv2", "PIL", "pycocotools")
ASK = """
import contextlib, io, json, sys
from ultrasam.cli.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main(sys.argv[1:])
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize(
    ("command", "absent"),
    [
        ("--help", (*HEAVY, *ARRAYS)),
        ("--version", (*HEAVY, *ARRAYS)),
        ("predict --help", (*HEAVY, *ARRAYS)),
        ("train --help", (*HEAVY, *ARRAYS)),
        ("configs", (*HEAVY, *ARRAYS)),
        ("convert list", HEAVY),
        ("convert info busi", HEAVY),
    ],
)
def test_modules(command, absent):
    done = subprocess.run(
        [sys.executable, "-c", ASK, *command.split()], capture_output=True, text=True, check=True
    )
    imported = {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert "ultrasam" in imported and not imported & set(absent)


PREDICTOR = "import sys, json, ultrasam; ultrasam.Predictor; print(json.dumps(sorted(sys.modules)))"


def test_a_predictor_is_imported_without_what_runs_it():
    done = subprocess.run([sys.executable, "-c", PREDICTOR], capture_output=True, text=True, check=True)
    assert not {name.split(".")[0] for name in json.loads(done.stdout)} & set(HEAVY)
