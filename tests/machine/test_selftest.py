"""Golden numbers, and words for broken installations."""

import re

import pytest

from ultrasam.cli.main import main
from ultrasam.machine import doctor, selftest


def test_numbers_of_the_smallest_variant(capsys):
    assert main(["selftest", "--variants", "vit_t"]) == 0
    printed = capsys.readouterr().out
    assert "vit_t: ok" in printed and "Python" in printed and "torch" in printed


@pytest.mark.slow
def test_numbers_of_vit_b():
    (check,) = selftest.run(["vit_b"])
    # The numbers go up to 9 and have five digits: what is left is rounding.
    assert check.passed and check.error < 1e-4


def test_wrong_numbers_are_told(monkeypatch, capsys):
    real = selftest.numbers
    monkeypatch.setattr(selftest, "numbers", lambda model: [v + 0.01 for v in real(model)])
    assert main(["selftest", "--variants", "vit_t"]) == 1
    assert "WRONG" in capsys.readouterr().out


def test_rivals_are_named(monkeypatch):
    both = {"mmengine": "0.10.7", "onedl-mmengine": "0.10.12"}
    monkeypatch.setattr(doctor, "_version", both.get)
    (finding,) = list(doctor._rivals())
    assert "overwrite each other" in finding.text and "pip uninstall -y mmengine" in finding.remedy


FAULTS = {
    "No module named 'mmcv._ext'": "stands in",
    "MMCV==2.2.0 is used but incompatible": r"ultrasam\[mm\]",
    "numpy.core.multiarray failed to import": "numpy<2.3",
    "No module named 'pkg_resources'": "setuptools",
    "libGL.so.1: cannot open shared object file": "headless",
    "something never seen": "force-reinstall",
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_import_faults_have_a_remedy(monkeypatch, fault):
    def broken(name):
        raise ImportError(fault)

    monkeypatch.setattr(doctor, "_version", lambda name: None)
    told = doctor._fault("mmdet", broken)
    assert told == fault
    assert re.search(FAULTS[fault], doctor._remedy("mmdet", told))
