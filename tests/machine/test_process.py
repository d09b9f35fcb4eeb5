"""The allocator's setting: memory stays with the process, elsewhere nothing happens."""

import platform
import subprocess
import sys

import pytest

from ultrasam.machine import process

FAULTS = """
import resource, numpy as np
from ultrasam import process
if {keep}: assert process.keep_memory()
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(40_000_000, np.uint8)
before = faults()
for _ in range(5): np.ones(40_000_000, np.uint8)
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_pages_are_not_asked_for_again():
    counts = [
        int(subprocess.run([sys.executable, "-c", FAULTS.format(keep=keep)], capture_output=True).stdout)
        for keep in (False, True)
    ]
    assert counts[1] < counts[0] / 10


def test_elsewhere_nothing_happens(monkeypatch, caplog):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    with caplog.at_level("INFO"):
        assert process.keep_memory() is False
    assert "not glibc" in caplog.text
