"""Dask's cluster and submitit's jobs: the same bytes as in one process, whoever dies."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from ultrasam.converters import convert
from ultrasam.converters.engine.errors import ExecutorError
from ultrasam.converters.engine.executors import from_option
from ultrasam.converters.engine.workers import Lost, finished

from tests.converters.test_run import outputs
from tests.kit.pieces import deadly, slow
from tests.kit.ports import free_ports
from tests.kit.toy import toy
from ultrasam.cli.main import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    """A cluster of two processes that stand in another folder than this one."""
    distributed = pytest.importorskip("distributed", reason="Dask (extra 'dask') is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        patch.setenv("PYTHONPATH", str(ROOT))
        # The scheduler's own second tries would only make the tests slow.
        with pytest.importorskip("dask").config.set({"distributed.scheduler.allowed-failures": 0}):
            cluster = distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1", silence_logs=50
            )
    with cluster:
        yield cluster.scheduler_address.replace("tcp://", "dask://")


def everything(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in the folder, with relative names as people type them."""
    monkeypatch.chdir(tmp_path)

    def command(*words) -> int:
        return main([str(word) for word in words])

    return command


def test_dask_predicts_evaluates_and_audits_as_one_process_does(
    run, dask, phantom_data, tiny_weights, tmp_path
):
    shutil.copytree(phantom_data, "data/phantom")
    shutil.copy(tiny_weights, "tiny.pth")
    coco = "data/phantom/annotations/test.json"
    asked = ["--checkpoint", "tiny.pth", "--prompts", coco, "--measures", "--quiet", "--device", "cpu"]
    (tmp_path / "data/phantom/images/bad.png").write_bytes(b"no picture")
    for out, where in (("one", []), ("many", ["--executor", dask])):
        run("predict", "data/phantom/images", *asked, "--out", f"{out}/predict", *where)
        clicks = ["--prompts", "box", "--no-baselines", "--limit", "4", "--device", "cpu"]
        assert run("evaluate", "tiny.pth", coco, *clicks, "--out", f"{out}/evaluate", *where) == 0
        run("data", "audit", "--root", "data", "--out", f"{out}/audit", *where)
    for part in ("predict", "audit"):
        one, many = (everything(tmp_path / out / part) for out in ("one", "many"))
        assert one == many and one
    texts = [(tmp_path / out / "evaluate/results.json").read_text() for out in ("one", "many")]
    one, many = (
        json.loads(text.replace("many/", "one/").replace(f" --executor {dask}", "")) for text in texts
    )
    assert _timeless(one) == _timeless(many)


def _timeless(value):
    if isinstance(value, dict):
        return {key: _timeless(part) for key, part in value.items() if key != "seconds"}
    return [_timeless(part) for part in value] if isinstance(value, list) else value


def test_dask_converts_to_the_same_bytes_though_workers_die(dask, tmp_path):
    workers = from_option(dask, None, tmp_path)
    convert(toy(), None, tmp_path / "one")
    convert(toy(), None, tmp_path / "many", workers=workers)
    assert outputs(tmp_path / "one") == outputs(tmp_path / "many")
    found = dict(finished(deadly, [(n, str(tmp_path)) for n in range(12)], workers))
    assert (tmp_path / "died").exists()
    assert isinstance(found.pop(5), Lost) and found == {n: n * n for n in range(12) if n != 5}


def test_jobs_of_submitit(tmp_path):
    pytest.importorskip("submitit", reason="submitit (extra 'slurm') is not installed")
    (tmp_path / "many").mkdir()
    workers = from_option("submitit-local", 2, tmp_path / "many")
    convert(toy(), None, tmp_path / "one")
    convert(toy(), None, tmp_path / "many", workers=workers)
    assert outputs(tmp_path / "one") == outputs(tmp_path / "many"), "their folder is gone, too"


@pytest.mark.parametrize(
    ("option", "workers", "words"),
    [
        ("dask://127.0.0.1:{port}", None, r"dask://127\.0\.0\.1:\d+ can't be reached: no scheduler of Dask"),
        ("dask:localhost", None, r"--executor dask:localhost: where is its scheduler\? dask://HOST:PORT"),
        ("dask://localhost:8786", 2, "--workers does nothing with Dask"),
        ("slurm:partition", None, "--executor slurm:partition: 'partition' is no KEY=VALUE"),
        ("slurm", 1, "slurm can't be used: .*srun"),
        ("ray", 1, "there is no executor 'ray': it is processes, dask:"),
    ],
)
def test_an_executor_that_is_not_there_is_named_before_anything_is_done(
    run, option, workers, words, tmp_path, monkeypatch, capsys, phantom_data, tiny_weights
):
    if option == "slurm":
        monkeypatch.setenv("PATH", str(tmp_path))
    option = option.format(port=free_ports(1)[0])
    monkeypatch.setattr("ultrasam.converters.engine.executors._ANSWER", 0.5)
    with pytest.raises(ExecutorError, match=words):
        list(finished(slow, [1, 2], from_option(option, workers, tmp_path)))
    given = [] if workers is None else ["--workers", workers]
    images = phantom_data / "images"
    command = ["predict", images, "--auto", "--checkpoint", tiny_weights, "--out", "out", "--quiet"]
    assert run(*command, "--executor", option, *given) == 2
    said = capsys.readouterr().err
    assert re.search(words, said) and "Traceback" not in said
    assert not [path for path in everything(tmp_path) if "masks" in path]
