"""A fine-tuning that ends early: what is kept, and that nobody can tell afterwards."""

import os
import signal
import subprocess
import sys

import pytest
import torch

from tests.kit.miniature import ROOT, environment
from ultrasam.data import coco
from ultrasam.errors import CheckpointError, Interrupted, UltraSamError
from ultrasam.finetune import training
from ultrasam.finetune.training import Recipe, prepare, train
from ultrasam.modeling.build import build_ultrasam
from ultrasam.predict.predictor import Predictor

STEPS = 6


@pytest.fixture(scope="module")
def items(phantom_data):
    return coco.load(phantom_data / "annotations/all.json", phantom_data / "images").images[:8]


@pytest.fixture
def run(items, tmp_path, monkeypatch):
    """Fine-tune a model that is the same every time; ``act`` is called before a step's loss."""
    monkeypatch.setattr(training, "_SAVE_EVERY", 2)
    loss = training._loss

    def ran(name, mode="decoder", act=None, **changed):
        torch.manual_seed(0)
        model = build_ultrasam("vit_t", img_size=64)
        recipe = Recipe(**{"mode": mode, "steps": STEPS, "batch_size": 2, "lr": 1e-3, **changed})
        out = tmp_path / name
        predictor = Predictor(model, cache=out / "embeddings" if mode == "decoder" else None, device="cpu")
        prepare(model, recipe)
        calls = iter(range(STEPS))
        monkeypatch.setattr(training, "_loss", lambda *given: (act and act(next(calls)), loss(*given))[1])
        out.mkdir(exist_ok=True)
        return train(predictor, items, recipe, out / "state.pth"), model.state_dict()

    return ran


class Killed(Exception):
    pass


def kill_at(step):
    def act(now):
        if now == step:
            raise Killed

    return act


@pytest.mark.parametrize("mode", ["decoder", "full", "lora", "adapter"])
def test_killed_at_any_step_and_started_again_ends_the_same(run, mode):
    """What was kept is of an earlier step than what was done, and the machine has other threads to give."""
    losses, weights = run("one", mode)
    for step in (3, 4) if mode == "decoder" else (3,):
        with pytest.raises(Killed):
            run(f"killed{step}", mode, kill_at(step))
        torch.set_num_threads(2)
        again, resumed = run(f"killed{step}", mode)
        assert torch.get_num_threads() == 1 and again == losses
        assert all(torch.equal(weights[name], resumed[name]) for name in weights)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_asked_to_stop(run, tmp_path, number):
    losses, weights = run("one")
    words = rf"{number.name} asked to stop: step 3 is kept in \S*state\.pth; the same command goes on"
    with pytest.raises(Interrupted, match=words):
        run("two", act=lambda step: signal.raise_signal(number) if step == 2 else None)
    assert signal.getsignal(number) == signal.SIG_DFL
    (tmp_path / "two/.state.pth.1.1.part").write_bytes(b"half of one, of a run that was killed")
    again, resumed = run("two")
    assert again == losses and all(torch.equal(weights[name], resumed[name]) for name in weights)
    assert not list((tmp_path / "two").glob(".*"))


@pytest.mark.parametrize("mode", ["decoder", "full"])
def test_a_loss_that_is_not_finite_ends_it_at_once(run, tmp_path, mode):
    with pytest.raises(
        UltraSamError, match=r"(loss|gradient) of step [12] is (nan|inf), with \S*\.png \(id \d+\), "
    ):
        run("one", mode, lr=1e30)
    assert not (tmp_path / "one/state.pth").exists()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "state.pth can't .* remove it"),
        (lambda path: path.write_bytes(b""), "state.pth can't .* remove it"),
        (lambda path: path.write_text("<html>"), "state.pth can't .* remove it"),
        (lambda path: torch.save({"a": torch.ones(2)}, path), "is no state of a fine-tuning; remove it"),
        (lambda path: torch.save([1], path), "is no state of a fine-tuning; remove it"),
    ],
)
def test_a_state_that_one_cannot_go_on_from(run, tmp_path, spoil, words):
    if not (tmp_path / "one/state.pth").exists():
        (tmp_path / "one").mkdir()
        torch.save({"trained": {}, "parts": [], "losses": [], "threads": 1}, tmp_path / "one/state.pth")
    spoil(tmp_path / "one/state.pth")
    with pytest.raises(CheckpointError, match=words):
        run("one")


def test_a_state_of_another_mode(run, tmp_path):
    run("one")
    with pytest.raises(CheckpointError, match="another model or of other trained parameters; remove it"):
        run("one", "lora")


def test_a_queue_asks_the_command(phantom_data, tmp_path):
    command = [sys.executable, "-m", "ultrasam", "finetune", str(phantom_data / "annotations/all.json")]
    command += ["--images", str(phantom_data / "images"), "--mode", "decoder", "--steps", "9999"]
    torch.save(build_ultrasam("vit_t", img_size=64).state_dict(), tmp_path / "start.pth")
    command += ["--from", str(tmp_path / "start.pth"), "--out", str(tmp_path / "out"), "--batch-size", "1"]
    process = subprocess.Popen(
        command, env=environment(), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    seen = b""
    while b"loss" not in seen:  # a step is done
        piece = os.read(process.stderr.fileno(), 4096)
        assert piece, seen
        seen += piece
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 75 and b"SIGTERM asked to stop" in error and b"Traceback" not in error
    assert torch.load(tmp_path / "out/state.pth")["losses"]
