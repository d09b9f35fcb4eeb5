"""A real SLURM on this machine: a training that is warned and goes on, scores, arrays of jobs."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from ultrasam.converters import convert
from ultrasam.converters.engine.executors import from_option
from ultrasam.converters.engine.workers import Lost, finished

from tests.converters.test_run import outputs
from tests.kit import slurm as slurms
from tests.kit.miniature import CONFIG, ROOT, make_data, options
from tests.kit.pieces import deadly
from tests.kit.toy import toy

STEPS = 20


@pytest.fixture(scope="module")
def slurm():
    with tempfile.TemporaryDirectory(prefix="slurm") as folder, slurms.running(Path(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"), 12)


def variables(slurm) -> dict[str, str]:
    """Two processes of one core each, on a machine without GPUs."""
    small = {"GPUS": "2", "GPUS_PER_NODE": "2", "CPUS_PER_TASK": "1", "GRES": "none"}
    return {**slurm.environment, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT), **small}


def submit(slurm, folder: Path, command: list[str]) -> str:
    """A batch job as documented; its number."""
    options = ["--parsable", "--requeue", "--open-mode=append", f"--output={folder}/log", "--ntasks=2"]
    done = subprocess.run(
        ["sbatch", *options, "--wrap", f"exec {shlex.join(command)}"],
        cwd=ROOT,
        env=variables(slurm),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def scalars(folder: Path) -> list[dict]:
    lines = [
        line for p in sorted(folder.glob("*/vis_data/scalars.json")) for line in p.read_text().splitlines()
    ]
    return [row for row in map(json.loads, lines) if "loss" in row]


def test_a_warned_training_is_queued_again_and_goes_on_and_is_scored(slurm, data, tmp_path):
    pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")
    given = options(data, STEPS, 1)
    often = ["train_cfg.val_interval=1000", "default_hooks.checkpoint.interval=1000"]
    folder = ["--work-dir", str(tmp_path)]
    train = ["tools/slurm_train.sh", "test", "tiny", str(CONFIG), *folder, "--resume", *given, *often]
    job = submit(slurm, tmp_path, train)
    deadline = time.monotonic() + 200
    while not scalars(tmp_path):
        assert time.monotonic() < deadline and slurm.state(job) in ("PENDING", "RUNNING"), log(tmp_path)
        time.sleep(0.05)
    # As --signal=B:USR1@120 does two minutes before the limit.
    slurm.run("scancel", "--signal=USR1", "--batch", job)
    ended = slurm.wait_for(job, "COMPLETED", "FAILED", "CANCELLED", seconds=200)
    said = log(tmp_path)
    assert ended == "COMPLETED", said
    assert "SIGUSR1 asked to stop: step" in said and "resumed epoch: 0, iter:" in said
    assert [row["step"] for row in scalars(tmp_path)] == list(range(1, STEPS + 1)), (
        "no step twice, none left out"
    )
    last = str(tmp_path / f"iter_{STEPS}.pth")
    test = ["tools/slurm_test.sh", "test", "tiny", str(CONFIG), last, *folder, *given]
    done = subprocess.run(test, cwd=ROOT, env=variables(slurm), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert len(re.findall(r"coco/segm_mAP: \d\.\d+", done.stdout)) == 1, (
        "one of the two tasks tells the scores"
    )


def log(folder: Path) -> str:
    return (folder / "log").read_text() if (folder / "log").is_file() else ""


def test_arrays_of_jobs_though_one_is_killed(slurm, tmp_path, monkeypatch):
    pytest.importorskip("submitit", reason="submitit (extra 'slurm') is not installed")
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, slurm.environment[name])
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr("ultrasam.converters.engine.submitted._ASK", 0.3)
    (tmp_path / "many").mkdir()
    workers = from_option("slurm:partition=test,time=5", 2, tmp_path / "many")
    convert(toy(), None, tmp_path / "one")
    convert(toy(), None, tmp_path / "many", workers=workers)
    assert outputs(tmp_path / "one") == outputs(tmp_path / "many"), "the jobs' folder is gone, too"
    found = dict(finished(deadly, [(n, str(tmp_path)) for n in (1, 5, 8)], workers))
    lost = found.pop(1)
    assert isinstance(lost, Lost) and re.search(r"job \d+\S* ended without a result: .*Killed", lost.reason)
    assert (tmp_path / "died").exists() and found == {0: 1, 2: 64}
