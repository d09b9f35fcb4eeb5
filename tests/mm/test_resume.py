"""Trainings that end early: what is kept, what they go on from, and that nobody can tell afterwards."""

import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

from tests.kit.miniature import ROOT, changes, environment, make_data, options, train_command
from ultrasam.errors import CheckpointError, Interrupted, UltraSamError
from ultrasam.mm.datasets.prompt_dataset import PromptDataset
from ultrasam.mm.engine import hooks, resuming
from ultrasam.mm.engine.train import train

SMALL = "ultrasam/ultrasam_vit-t_phantom"
STEPS = 6


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"), 12)


@pytest.fixture
def start(data, tmp_path):
    """Start a training in a folder of its own; ``changed`` are options."""

    def started(*changed, resume=False, work_dir=tmp_path, workers=0, steps=STEPS, **kwargs):
        given = [*options(data, steps, 1, workers)[1:], "default_hooks.checkpoint.interval=1", *changed]
        return train(SMALL, work_dir=work_dir, resume=resume, cfg_options=changes(*given), **kwargs)

    return started


def at_step(monkeypatch, step, act):
    """Do something when a step begins, once."""
    before, done = hooks.StepSeedHook.before_train_iter, []

    def watched(self, runner, batch_idx, data_batch=None):
        if runner.iter + 1 == step and not done:
            done.append(True)
            act()
        before(self, runner, batch_idx, data_batch)

    monkeypatch.setattr(hooks.StepSeedHook, "before_train_iter", watched)


FULL = {"accumulate": 2, "ema": 0.1, "workers": 1}


@pytest.fixture(scope="module")
def unbroken(data, tmp_path_factory):
    """Averaged weights, gradients of two steps, a worker that stays."""
    work_dir = tmp_path_factory.mktemp("unbroken")
    given = [*options(data, STEPS, 1, 1)[1:], "train_cfg.val_interval=3"]
    train(SMALL, work_dir=work_dir, cfg_options=changes(*given), accumulate=2, ema=0.1)
    return work_dir


def same(one, other) -> bool:
    """Weights, averages and the optimizer's state, bit for bit."""
    contents = [torch.load(path, weights_only=False) for path in (one, other)]
    for part in ("state_dict", "ema_state_dict"):
        left, right = (content[part] for content in contents)
        assert left.keys() == right.keys()
        if not all(torch.equal(left[name], right[name]) for name in left):
            return False
    left, right = (content["optimizer"]["state"] for content in contents)
    return all(torch.equal(left[i][name], right[i][name]) for i in left for name in ("exp_avg", "exp_avg_sq"))


def test_asked_to_stop_in_a_step_and_gone_on_with(start, unbroken, tmp_path, monkeypatch, capfd):
    """The step and the one that its gradients wait for are done; the rest is as if nothing had been."""
    at_step(monkeypatch, 3, lambda: signal.raise_signal(signal.SIGUSR1))
    changed = ["train_cfg.val_interval=3", "default_hooks.checkpoint.interval=100"]
    with pytest.raises(
        Interrupted, match=rf"SIGUSR1 asked to stop: step 4 is kept in {tmp_path}/iter_4\.pth"
    ):
        start(*changed, **FULL)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    torch.set_num_threads(2)
    last = start(*changed, resume=True, **FULL)
    assert torch.get_num_threads() == 1  # as the training began
    assert last.name == "iter_6.pth" and same(last, unbroken / "iter_6.pth")
    assert "resumed epoch: 0, iter: 4" in capfd.readouterr().out


def test_asked_to_stop_while_it_is_scored(start, unbroken, tmp_path, monkeypatch):
    """The averaged weights, which are in the model then, don't take the place of its own."""
    from ultrasam.mm.engine.divergence import StopAtNonFiniteHook

    monkeypatch.setattr(
        StopAtNonFiniteHook, "after_val_iter", lambda *args, **kwargs: signal.raise_signal(signal.SIGTERM)
    )
    changed = ["train_cfg.val_interval=2", "default_hooks.checkpoint.interval=100"]
    with pytest.raises(Interrupted, match="SIGTERM asked to stop: step 2 is kept"):
        start(*changed, **FULL)
    monkeypatch.undo()
    changed = ["train_cfg.val_interval=100", "default_hooks.checkpoint.interval=100"]
    assert same(start(*changed, resume=True, **FULL), unbroken / "iter_6.pth")
    with pytest.raises(CheckpointError, match="averaged weights .* --ema"):
        start(resume=True)


def test_a_queue_asks_all_processes_at_once(data, tmp_path):
    """The workers that load images too; the code says that the command has to run again."""
    given = options(data, 1000, 1, workers=1)
    process = subprocess.Popen(
        train_command(tmp_path, *given, "train_cfg.val_interval=1000"),
        env=environment(),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.time() + 100
    while not list(tmp_path.glob("*/vis_data/scalars.json")) and time.time() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    try:
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    (kept,) = tmp_path.glob("iter_*.pth")
    assert process.returncode == 75 and "Traceback" not in error
    assert f"SIGTERM asked to stop: step {resuming.step_of(kept)} is kept in {kept}" in error
    assert resuming.training_meta(kept)["iter"] == resuming.step_of(kept)


def write(path: Path, step: int = 1, **changed) -> Path:
    content = {
        "state_dict": {"a": torch.ones(3)},
        "optimizer": {"state": {}, "param_groups": []},
        "meta": {"iter": step},
        "message_hub": {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}},
    }
    torch.save({**content, **changed}, path)
    return path


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def test_the_last_whole_checkpoint_whatever_the_pointer_says(tmp_path):
    for step in (2, 10, 9):
        write(tmp_path / f"iter_{step}.pth", step)
    write(tmp_path / "best_coco_iter_11.pth", 11)
    pointer = tmp_path / "last_checkpoint"
    for content in (None, b"", b"\xff\xfe\0", b"/elsewhere/iter_2.pth", b"x" * 5000):
        if content is not None:
            pointer.write_bytes(content)
        found = resuming.last_whole(tmp_path)
        assert (found.path, found.meta["iter"], found.notes) == (tmp_path / "iter_10.pth", 10, [])
    cut(tmp_path / "iter_10.pth")
    (tmp_path / "iter_9.pth").write_bytes(b"")
    found = resuming.last_whole(tmp_path)
    assert found.path == tmp_path / "iter_2.pth"
    assert ["iter_10.pth is cut off" in found.notes[0], "iter_9.pth is empty (zero" in found.notes[1]] == [
        True
    ] * 2
    (tmp_path / "iter_2.pth").write_text("<html>")
    with pytest.raises(
        CheckpointError, match="iter_10.* cut .*iter_9.*zero .*iter_2.*Without --resume .* anew"
    ):
        resuming.last_whole(tmp_path)
    # Checkpoints that lie elsewhere by configuration are found by the pointer.
    (tmp_path / "run").mkdir()
    (tmp_path / "out").mkdir()
    assert resuming.last_whole(tmp_path / "run").path is None
    (tmp_path / "run/last_checkpoint").write_text(str(write(tmp_path / "out/iter_3.pth", 3)))
    assert resuming.last_whole(tmp_path / "run").path == tmp_path / "out/iter_3.pth"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (cut, "is cut off"),
        (lambda path: path.write_bytes(b""), "zero bytes"),
        (lambda path: path.write_text("<html>not found</html>"), "is a web page"),
        (lambda path: torch.save({"a": torch.ones(2)}, path), r"lacks state_dict, optimizer.* --from"),
        (lambda path: write(path, meta={}), "lacks meta.iter"),
        (lambda path: path.unlink(), "no checkpoint to resume from at"),
        (lambda path: write(path, step="5"), "meta.iter in it is no such thing"),
    ],
)
def test_a_file_that_one_cannot_go_on_from(start, tmp_path, spoil, words):
    path = write(tmp_path / "given.pth")
    spoil(path)
    with pytest.raises(UltraSamError, match=words) as caught:
        start(resume=str(path))
    assert str(path) in str(caught.value)


def test_another_network_and_other_options(start, unbroken, tmp_path, capfd):
    sizes = [f"model.{part}.img_size=128" for part in ("network", "data_preprocessor")]
    sizes += [f"{name}_dataloader.dataset.img_size=128" for name in ("train", "val", "test")]
    words = r"iter_6\.pth is of another network .*rel_pos_h is \(7, 64\), here \(15, 64\); .* and 6 more"
    with pytest.raises(CheckpointError, match=words):
        start(*sizes, resume=unbroken / "iter_6.pth", ema=0.1)
    capfd.readouterr()
    # Done already; options of the optimizer and the seed are the checkpoint's, and that is said.
    lower = ["optim_wrapper.optimizer.lr=0.5", "param_scheduler.1.end=99", "train_dataloader.batch_size=2"]
    last = start(*lower, resume=unbroken / "iter_6.pth", seed=3, steps=7, ema=0.1)
    said = capfd.readouterr().out
    assert "initial_lr 0.001 (not 0.5)" in said and "end 10 (not 99)" in said
    assert "keeps its seed: 0 (not 3)" in said
    groups = torch.load(last, weights_only=False)["optimizer"]["param_groups"]
    assert {group["initial_lr"] for group in groups} == {0.001} and last.name == "iter_7.pth"


def test_a_new_run_sets_an_earlier_one_aside(start, tmp_path, capfd):
    write(tmp_path / "iter_900.pth", 900)
    (tmp_path / ".iter_901.pth.1.1.part").write_bytes(b"half")
    start("default_hooks.checkpoint.max_keep_ckpts=1", steps=2)
    assert [path.name for path in resuming.numbered(tmp_path)] == ["iter_2.pth"]
    assert [path.name for path in tmp_path.glob("earlier_*/*")] == ["iter_900.pth"]
    assert not list(tmp_path.glob(".*.part"))
    assert "iter_900.pth of an earlier run now in" in capfd.readouterr().out.replace("\n", " ")
    shutil.rmtree(next(tmp_path.glob("earlier_*")))
    (tmp_path / "iter_2.pth").unlink()
    start(resume=True, steps=1)
    assert "no checkpoint in" in capfd.readouterr().out


def test_a_loss_that_is_not_finite_ends_training(start, data, tmp_path):
    """After step 1 the weights are huge, and the very next loss is NaN; its weights are nowhere."""
    images = r"images/\S+\.png \(id \d+\)"
    with pytest.raises(UltraSamError, match=rf"the loss of step 2 is (nan|inf), with \S*{images}\. .*lr"):
        start("optim_wrapper.optimizer.lr=1e30", "param_scheduler.0.start_factor=1.0")
    assert [path.name for path in resuming.numbered(tmp_path)] == ["iter_1.pth"]
    # Scored before the next step, it is noticed there.
    with pytest.raises(UltraSamError, match=rf"after step 1 the model predicts NaN, with \S*{images}"):
        start(
            "optim_wrapper.optimizer.lr=1e30",
            "param_scheduler.0.start_factor=1.0",
            "train_cfg.val_interval=1",
        )


def test_a_full_disk_leaves_the_last_checkpoint(start, tmp_path, monkeypatch):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    small = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))  # noqa: E731
    at_step(monkeypatch, 2, small)
    try:
        with pytest.raises(UltraSamError, match=r"cannot write \S*iter_2\.pth: File too large"):
            start("default_hooks.checkpoint.max_keep_ckpts=1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (kept,) = [path for path in tmp_path.iterdir() if ".pth" in path.name]
    assert resuming.training_meta(kept)["iter"] == 1
    assert (tmp_path / "last_checkpoint").read_text() == str(kept)


def test_a_worker_that_is_killed(start, monkeypatch):
    monkeypatch.setattr(PromptDataset, "prepare_data", lambda *args: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(UltraSamError, match="a process that loads images was killed .* fewer workers"):
        start(workers=1)
