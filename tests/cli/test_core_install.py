"""The commands where no extra is installed: they work, or they name the extra."""

from __future__ import annotations

import pytest

from tests.converters.raw import busi
from tests.kit.forked import run_all
from ultrasam.machine.extras import EXTRAS

BLOCK = f"""
import importlib.util, sys
absent = {sorted(EXTRAS)!r}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: (
    None if name.split(".")[0] in absent else find_spec(name, package)
)
"""
WORK = [
    "convert list",
    "convert busi --raw raw --out data",
    "data phantom --out data --num 20 --size 64",
    "data stats data/phantom/annotations/all.json",
    "data split data/phantom/annotations/all.json --out split",
    "data merge --root data --out data/us43d",
    "data audit --root data --out audit",
    "predict data/phantom/images --box 10,10,40,40 --out masks",
    "predict data/phantom/images --auto --auto-points 4 --out auto",
    "evaluate small data/phantom/annotations/test.json --images data/phantom/images --limit 1 --out report",
    "finetune data/phantom/annotations/all.json --images data/phantom/images --from small --steps 1 "
    "--batch-size 1 --mode decoder --out tuned",
    "probe data/phantom/annotations/train.json data/phantom/annotations/test.json "
    "--images data/phantom/images --checkpoint small --out probe",
    "weights info small",
    "configs",
    "reproduce --list",
    "selftest --no-numbers",
]
NEED = {
    "train ultrasam/ultrasam_vit-t_phantom": "mm",
    "test ultrasam/ultrasam_vit-t_phantom small": "mm",
    "demo --num 20 --iterations 1": "mm",
    "export small --out onnx": "export",
    "annotate data/phantom/images --no-browser": "annotate",
    "serve --port 0": "annotate",
    "predict cine.dcm --box 1,1,20,20 --out dicom": "dicom",
    "predict data/phantom/images --box 1,1,20,20 --dicom-seg --out seg": "dicom",
    "predict --from-dicomweb http://127.0.0.1:9 --study 1.2 --auto --out web": "dicom",
}


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """Every command's end; in this order, since later ones read what earlier ones made."""
    folder = tmp_path_factory.mktemp("core")
    busi.make(folder / "raw")
    (folder / "cine.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 20)
    commands = [*WORK, *NEED]
    code = (
        "import sys; from ultrasam.cli.main import main; sys.argv = {0!r}; raise SystemExit(main({0!r}[1:]))"
    )
    pieces = [code.format(["ultrasam", *text.split()]) for text in commands]
    return dict(zip(commands, run_all(pieces, folder, first=BLOCK), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("text", WORK)
def test_commands_that_need_no_extra_work(ends, text):
    done = ends[text]
    assert done.returncode == 0, f"{done.stdout[-800:]}\n{done.stderr[-2000:]}"


@pytest.mark.slow
@pytest.mark.parametrize("text", NEED)
def test_the_others_name_the_extra(ends, text):
    done = ends[text]
    assert done.returncode == 2, done.stderr[-2000:]
    assert f"pip install 'ultrasam[{NEED[text]}]'" in done.stderr
    assert "Traceback" not in done.stderr
