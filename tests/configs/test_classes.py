"""Classes that configurations list are those that the data sets have."""

from pathlib import Path

import pytest

pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")
from ultrasam.converters import ahu, get, names

from ultrasam.mm.engine.configuration import load_config
from ultrasam.phantom import CATEGORIES

ROOT = Path(__file__).parents[2] / "configs"
LEAVES = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "downstream").rglob("*.py"))
CLASSES = {name: [category.name for category in get(name).categories] for name in names()}
CLASSES |= {"ahu": list(ahu.LABELS), "phantom": list(CATEGORIES)}


@pytest.mark.parametrize("name", [leaf for leaf in LEAVES if "/regression/" not in leaf])
def test_a_task_finds_what_its_data_set_has(name):
    data = load_config(ROOT / name).train_dataloader.dataset
    assert list(data.classes) == CLASSES[Path(data.data_root).name]
