"""Trackers that MMEngine writes to, as docs/training.md says: each gets the losses of a run."""

from __future__ import annotations

import json

import pytest

from tests.kit.miniature import changes, make_data, options
from ultrasam.mm.engine.train import train

STEPS = 2
BACKENDS = "visualizer.vis_backends=" + json.dumps(
    [
        {"type": "LocalVisBackend"},
        {"type": "TensorboardVisBackend"},
        {"type": "WandbVisBackend", "init_kwargs": {"mode": "offline", "project": "test"}},
        {"type": "MLflowVisBackend", "exp_name": "test"},
    ]
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One training that tells all of them; its folder and its losses."""
    for name in ("wandb", "mlflow"):
        pytest.importorskip(name, reason=f"{name} (extra 'trackers') is not installed")
    folder = tmp_path_factory.mktemp("tracked")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_SILENT", "true")
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        given = [*options(make_data(folder, 12), STEPS, 1)[1:], "train_cfg.val_interval=100", BACKENDS]
        train("ultrasam/ultrasam_vit-t_phantom", work_dir=folder / "run", cfg_options=changes(*given))
    lines = next((folder / "run").glob("*/vis_data/scalars.json")).read_text().splitlines()
    losses = [row["loss"] for row in map(json.loads, lines) if "loss" in row]
    assert len(losses) == STEPS
    return folder / "run", losses


def test_tensorboard(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, losses = run
    (path,) = folder.glob("*/vis_data/events.*")
    events = EventAccumulator(str(path))
    events.Reload()
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(losses)


def test_mlflow(run):
    """Its files: time, value and step in each line."""
    folder, losses = run
    (path,) = folder.glob("*/vis_data/*/*/metrics/loss")
    rows = [line.split() for line in path.read_text().splitlines()]
    assert [(float(value), int(step)) for _, value, step in rows] == list(zip(losses, (1, 2), strict=True))
    assert list(folder.glob("*/vis_data/*/*/artifacts/val/*_2.png"))


def test_wandb_offline(run):
    from wandb.proto.wandb_internal_pb2 import Record

    folder, losses = run
    (path,) = folder.glob("*/vis_data/wandb/offline-run-*/run-*.wandb")
    found = []
    for data in leveldb_records(path.read_bytes()[7:]):
        record = Record()
        record.ParseFromString(data)
        items = {item.key or ".".join(item.nested_key): item.value_json for item in record.history.item}
        found += [json.loads(items["loss"])] if "loss" in items else []
    assert found == pytest.approx(losses)


def leveldb_records(data: bytes) -> list[bytes]:
    """Records in LevelDB's log format: blocks of 32 KiB, before each piece its sum, size and kind."""
    found, place, begun = [], 0, b""
    while place + 7 <= len(data):
        left = 32768 - (place + 7) % 32768  # the file's own seven bytes are in the first block
        if left < 7:
            place += left
            continue
        size, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        begun += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last piece
            found.append(begun)
            begun = b""
    return found
