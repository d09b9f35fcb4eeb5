"""How many threads a process takes: by its cores, its quota, its neighbors, and what the user says."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ultrasam.machine import threads
from ultrasam.machine.process import MOST_THREADS


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of 8 cores, without anything in the environment."""
    for name in list(os.environ):
        if name.startswith(("OMP", "GOMP", "KMP", "SLURM", "MPI", "MV2", "LOCAL")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "_CGROUP", tmp_path)
    return monkeypatch, tmp_path


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, 8),
        ({"LOCAL_WORLD_SIZE": "4"}, 2),
        ({"OMPI_COMM_WORLD_LOCAL_SIZE": "3"}, 2),
        ({"MPI_LOCALNRANKS": "20"}, 1),
        ({"SLURM_CPUS_PER_TASK": "3"}, 3),
        ({"SLURM_CPUS_PER_TASK": "32"}, 8),
        ({"LOCAL_WORLD_SIZE": "none", "SLURM_CPUS_PER_TASK": "0"}, 8),
        ({"OMP_NUM_THREADS": "5", "LOCAL_WORLD_SIZE": "4"}, 5),
        ({"OMP_NUM_THREADS": "3,1"}, 3),
        ({"OMP_NUM_THREADS": "-2"}, 8),
    ],
)
def test_share_of_the_cores(machine, environment, wanted):
    for name, value in environment.items():
        machine[0].setenv(name, value)
    assert threads.wanted() == wanted <= MOST_THREADS


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "max 100000"}, 8),
        ({"cpu.max": "250000 100000"}, 3),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, 4),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ({"cpu.max": "nonsense"}, 8),
        ({"cpu.max": "1600000 100000"}, 8),
    ],
)
def test_quota_of_a_container(machine, files, cores):
    for name, text in files.items():
        (machine[1] / name).parent.mkdir(exist_ok=True)
        (machine[1] / name).write_text(text + "\n")
    assert threads.usable_cores() == cores


ASK = """
import json, os, sys
from ultrasam.cli.main import main
try:
    main(["configs"])
except SystemExit:
    pass
names = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
sys.stdout.write("\\n" + json.dumps([[os.environ.get(name) for name in names], "torch" in sys.modules]))
"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"LOCAL_WORLD_SIZE": "4096"}, ["1", "PASSIVE", "0"]),
        ({"OMP_NUM_THREADS": "3", "OMP_WAIT_POLICY": "ACTIVE"}, ["3", "ACTIVE", None]),
    ],
)
def test_commands_set_threads_before_pytorch_is_there(given, expected):
    names = ("OMP", "GOMP", "KMP", "LOCAL", "MKL")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(names)} | given
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [expected, False]


def test_launchers_ask_for_the_share_of_a_process(machine):
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    for ranks, expected in ((1, None), (4096, 1)):
        command = [sys.executable, "-m", "ultrasam.machine.threads", str(ranks)]
        text = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        assert int(text) == (expected or int(text)) >= 1


@pytest.mark.parametrize(("workers", "part"), [(1, 8), (3, 2), (8, 1), (20, 1)])
def test_workers_share_the_threads_of_the_process(machine, workers, part):
    assert threads.workers() == 8
    machine[0].delitem(sys.modules, "torch", raising=False)
    with threads.shared(workers) as number:
        assert number == part == threads.wanted()
    assert "OMP_NUM_THREADS" not in os.environ and threads.wanted() == 8


def test_what_the_user_set_is_shared_and_comes_back(machine):
    import torch

    machine[0].setenv("OMP_NUM_THREADS", "2")
    before = torch.get_num_threads()
    with threads.shared(2):
        assert threads.wanted() == torch.get_num_threads() == 1
    assert (threads.wanted(), torch.get_num_threads()) == (2, before)


def test_many_cores_are_not_as_many_workers(machine):
    machine[0].setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    assert threads.workers() == 8
    with threads.shared(threads.workers()) as number:
        assert number == 8
