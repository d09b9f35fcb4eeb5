"""tools/slurm_train.sh with stand-ins for SLURM's commands, which say what they were called with."""

import os
import signal
import subprocess
import time

import pytest

from tests.kit.miniature import ROOT

SRUN = """trap 'echo got USR1 >> $LOG; exit 75' USR1
trap 'echo got TERM >> $LOG; exit 75' TERM
echo "srun $* threads=$OMP_NUM_THREADS" >> $LOG
[ $WAITS = yes ] || exit $CODE
for i in $(seq 200); do sleep 0.05; done
"""


@pytest.fixture
def script(tmp_path, monkeypatch):
    log = tmp_path / "log"
    for name, body in {
        "srun": SRUN,
        "squeue": "echo $STATE",
        "scontrol": 'echo "scontrol $*" >> $LOG',
    }.items():
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{body}")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def started(job="7", state="RUNNING", waits="no", code="75"):
        environment = {**os.environ, "LOG": str(log), "STATE": state, "WAITS": waits, "CODE": code}
        environment |= {"SLURM_JOB_ID": job} if job else {}
        command = ["bash", "tools/slurm_train.sh", "gpu", "name", "config.py", "--resume"]
        return subprocess.Popen(command, cwd=ROOT, env=environment), log

    return started


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_a_warning_reaches_training_and_the_job_is_queued_again(script, number):
    process, log = script(waits="yes")
    while not (log.is_file() and "srun" in log.read_text()):
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(timeout=20) == 75
    called, got, queued = log.read_text().splitlines()
    assert "--ntasks=4" in called and called.endswith("config.py --launcher slurm --resume threads=8")
    assert (got, queued) == (f"got {number.name.removeprefix('SIG')}", "scontrol requeue 7")


@pytest.mark.parametrize(
    "given", [{"code": "0"}, {"code": "2"}, {"state": "COMPLETING"}, {"job": None}, {"code": "137"}]
)
def test_else_it_is_not(script, given):
    process, log = script(**given)
    assert process.wait(timeout=20) == int(given.get("code", 75))
    assert "scontrol" not in log.read_text()


def test_a_script_that_sbatch_copied_says_how_to_wrap_it(tmp_path):
    """A batch script runs from SLURM's own folder, where nothing lies beside it."""
    copied = tmp_path / "slurm_script"
    copied.write_bytes((ROOT / "tools/slurm_train.sh").read_bytes())
    command = ["bash", str(copied), "gpu", "name", "config.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "sbatch copies its script, so wrap it: sbatch --wrap 'exec" in done.stderr
