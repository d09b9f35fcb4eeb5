"""Whole runs through the tools: killed and resumed, four processes, a checkpoint of another model."""

import json
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.kit.closeness import assert_same
from tests.kit.miniature import CONFIG, ROOT, environment, options, run, train_command
from tests.kit.models import tiny
from ultrasam import checkpoints
from ultrasam.cli.main import main

pytestmark = pytest.mark.slow
pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")
STEPS = 5


@pytest.fixture(scope="module")
def finished(phantom_data, tmp_path_factory):
    """An uninterrupted run of one process with batches of eight."""
    work_dir = tmp_path_factory.mktemp("one")
    run(train_command(work_dir, *options(phantom_data, STEPS, 8, workers=1)))
    return work_dir / f"iter_{STEPS}.pth"


@pytest.fixture(scope="module")
def trained(phantom_data, tmp_path_factory):
    """A model that has learned enough to draw something."""
    work_dir = tmp_path_factory.mktemp("trained")
    train(work_dir, *options(phantom_data, 60, 8))
    return work_dir / "iter_60.pth"


def train(work_dir, *extra):
    """In this process, which has imported everything."""
    assert main(["train", str(CONFIG), "--work-dir", str(work_dir), *extra]) == 0


def weights(path):
    return torch.cat([value.flatten() for value in checkpoints.read(path).values()])


def test_losses_are_logged_and_weights_load_everywhere(finished):
    log = "\n".join(p.read_text() for p in finished.parent.glob("*/vis_data/scalars.json"))
    losses = [json.loads(line)["loss"] for line in log.splitlines() if '"loss"' in line]
    assert len(losses) == STEPS and all(0 < value < 100 for value in losses)
    model, report = checkpoints.load_with_report(finished)
    assert model.img_size == 64 and not report.missing and not report.unexpected


def test_what_the_small_model_wants_is_kept_through_training_and_resuming(phantom_data, tmp_path):
    """Started from it, averaged, stopped, and gone on with by a recipe that says nothing itself."""
    changes = [*options(phantom_data, 2, 1), "default_hooks.checkpoint.interval=1"]
    changes += [f"model.{part}.img_size=256" for part in ("network", "data_preprocessor")]
    changes += [f"{name}_dataloader.dataset.img_size=256" for name in ("train", "val", "test")]
    train(tmp_path, "--from", "small", "--ema", "0.1", *changes)
    (tmp_path / "iter_2.pth").unlink()
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "iter_1.pth"))
    train(tmp_path, "--resume", "--ema", "0.1", *changes)
    for step in (1, 2):
        assert checkpoints.load(tmp_path / f"iter_{step}.pth").usage.closer


def test_killed_and_resumed_ends_the_same(phantom_data, finished, tmp_path):
    slow = options(phantom_data, STEPS, 8, workers=1) + ["default_hooks.checkpoint.interval=2"]
    process = subprocess.Popen(
        train_command(tmp_path, *slow),
        env=environment(),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.time() + 240
    while not (tmp_path / "last_checkpoint").is_file() and time.time() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (tmp_path / "last_checkpoint").is_file() and not (tmp_path / f"iter_{STEPS}.pth").is_file()
    done = run(train_command(tmp_path, "--resume", *slow))
    assert "resumed" in done.stdout.lower()
    assert torch.equal(weights(tmp_path / f"iter_{STEPS}.pth"), weights(finished))


def test_resume_with_nothing_to_resume_takes_the_start_weights(phantom_data, trained, tmp_path):
    still = [
        f"load_from={trained}",
        "optim_wrapper.optimizer.lr=1e-12",
        "optim_wrapper.optimizer.weight_decay=0",
    ]
    train(tmp_path, "--resume", *options(phantom_data, 1, 8), *still)
    assert_same(weights(tmp_path / "iter_1.pth"), weights(trained))


def test_four_processes_take_the_path_of_one(phantom_data, finished, tmp_path):
    arguments = ["--work-dir", str(tmp_path), *options(phantom_data, STEPS, 2, workers=0)]
    run(["bash", "tools/dist_train.sh", str(CONFIG), "4", *arguments])
    one, four = weights(finished), weights(tmp_path / f"iter_{STEPS}.pth")
    # In norm alone: AdamW divides gradients by their size, so one of nothing but rounding steps anywhere.
    assert (one - four).norm() <= 1e-5 * one.norm()


def test_two_processes_score_as_one(phantom_data, trained, tmp_path):
    def scores(name, command):
        run([*command, "--work-dir", str(tmp_path / name), *options(phantom_data, STEPS, 2)])
        content = json.loads(next((tmp_path / name).glob("*/*.json")).read_text())
        return {key: value for key, value in content.items() if key.startswith("coco/")}

    one = scores("one", [sys.executable, "tools/test.py", str(CONFIG), str(trained)])
    two = scores("two", ["bash", "tools/dist_test.sh", str(CONFIG), str(trained), "2"])
    assert one == two and one["coco/num_objects"] > 0 and 0 < one["coco/mIoU"] < 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["model.network.img_size=128"], "input size differs"),
        (["test_dataloader.dataset.ann_file=nothing.json"], "no COCO file at"),
        (["test_dataloader.dataset.data_prefix.img=elsewhere/"], "images are missing"),
    ],
)
def test_what_does_not_fit_is_said_in_a_line(capsys, phantom_data, finished, tmp_path, change, words):
    assert words in refusal(capsys, phantom_data, finished, tmp_path, *change)


def test_a_checkpoint_of_another_model_is_refused(capsys, phantom_data, tmp_path):
    torch.save(tiny(img_size=64).state_dict(), tmp_path / "other.pth")
    assert "configuration builds another model" in refusal(
        capsys, phantom_data, tmp_path / "other.pth", tmp_path
    )


def refusal(capsys, phantom_data, checkpoint, work_dir, *change) -> str:
    """What a test prints that is refused without a traceback."""
    command = ["test", str(CONFIG), str(checkpoint), "--work-dir", str(work_dir)]
    assert main([*command, *options(phantom_data, STEPS, 2), *change]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said
