"""Check what a row needs, run it as its commands do, keep its numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ultrasam import checkpoints
from ultrasam.checkpoints.detection import variant_name
from ultrasam.checkpoints.download import WEIGHTS as FILES
from ultrasam.checkpoints.loading import read_encoder
from ultrasam.checkpoints.places import cache_folder
from ultrasam.data import coco
from ultrasam.data.files import write_json
from ultrasam.errors import CheckpointError, UltraSamError
from ultrasam.evaluate.coco_map import evaluate
from ultrasam.evaluate.paper_tables import METRICS
from ultrasam.machine.child import in_child
from ultrasam.modeling.build import Variant
from ultrasam.modeling.tiny_vit import TinyVariant
from ultrasam.reproduce.rows import WEIGHTS, Column, Row, Run


@dataclass(frozen=True)
class Settings:
    """Where a reproduction finds and leaves things.

    Attributes:
        data_root: folder of all converted data sets.
        out: folder for work directories, results and the report.
        weights: used in place of every row's own, to try a row with a stand-in.
        options: as ``--cfg-options``, added to every configuration.
    """

    data_root: Path = Path("data")
    out: Path = Path("reproduced")
    weights: Path | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of a row.

    Attributes:
        row: the row.
        numbers: metric -> percent, by column; columns that were not run are absent.
        parameters: of the models that were built.
        reason: why it was not run, or not to its end; empty where it was.
    """

    row: Row
    numbers: dict[Column, dict[str, float]]
    parameters: dict[Column, int]
    reason: str = ""

    @property
    def verdict(self) -> str:
        """``within``, ``outside``, or ``not run``."""
        found = self.numbers.get(self.row.compared)
        if not found:
            return "not run"
        largest = max(abs(found[name] - value) for name, value in self.row.expected.items())
        return "within" if largest <= self.row.tolerance else "outside"


def weights_of(row: Row, settings: Settings) -> Path:
    """Where a row's weights lie or would lie; nothing is fetched."""
    if settings.weights:
        return settings.weights
    if row.zero_shot_config:
        return Path("work_dirs", Path(row.zero_shot_config).name, "iter_30000.pth")
    return cache_folder() / FILES[WEIGHTS[row.model]].file_name


def run_row(row: Row, settings: Settings, *, check_only: bool = False) -> Outcome:
    """Build a row's models, list what is missing, and run it if nothing is.

    Args:
        row: the row.
        settings: where everything is.
        check_only: stop before running.

    Raises:
        UltraSamError: the weights are of another kind, or do not fit a configuration.
    """
    from ultrasam.mm.engine.inspect import inspect

    weights = weights_of(row, settings)
    missing = [] if weights.is_file() else [f"{weights} ({_weights_hint(row)})"]
    parameters: dict[Column, int] = {}
    for column, run in row.runs.items():
        options = _options(row, run, weights, settings)
        needs = inspect(_config(row, run), options, trains=row.trains)
        parameters[column] = needs.parameters
        missing += [f"{path} ({_data_hint(row, settings)})" for path in needs.files if not path.exists()]
    if missing:
        listed = "".join(f"\n  {line}" for line in dict.fromkeys(missing))
        return Outcome(row, {}, parameters, f"missing:{listed}")
    if check_only:
        return Outcome(row, {}, parameters, "everything is there; not run as asked")
    numbers: dict[Column, dict[str, float]] = {}
    for column, run in row.runs.items():
        try:
            numbers[column] = _kept(row, column, run, weights, settings)
        except UltraSamError as error:
            # The other rows and the report are not lost with this one.
            return Outcome(row, numbers, parameters, f"{column} failed: {error}")
    return Outcome(row, numbers, parameters)


def _weights_hint(row: Row) -> str:
    if row.zero_shot_config:
        return f"not published; train it: ultrasam train {row.zero_shot_config} --from sam_vit_b"
    return f"ultrasam weights fetch {WEIGHTS[row.model]}"


def _data_hint(row: Row, settings: Settings) -> str:
    return f"ultrasam convert {row.dataset} --raw DOWNLOAD --out {settings.data_root}"


def _config(row: Row, run: Run) -> str:
    """The run's configuration; the native modes read the data of the published one."""
    return run.config or row.runs["official"].config


def _options(row: Row, run: Run, weights: Path, settings: Settings) -> dict[str, Any]:
    """Changes of the configuration: the data's place, and the network of the weights where it is another."""
    folder = f"{settings.data_root / row.dataset}/"
    options: dict[str, Any] = {}
    if row.table == 1:
        options["test_dataloader.dataset.data_root"] = folder
    else:
        options["data_root"] = folder
    if weights.is_file() and row.model != "resnet50":
        options |= _network_options(row, run, read_encoder(weights)[1], weights)
    return options | settings.options


def _network_options(row: Row, run: Run, spec: Variant | TinyVariant, weights: Path) -> dict[str, Any]:
    name = variant_name(spec)
    if name is None or isinstance(spec, TinyVariant):
        raise CheckpointError(
            f"{weights} holds a network of no variant of the paper's ({checkpoints.describe(spec)})"
        )
    size = spec.img_size
    if row.table == 1:
        loaders = (f"{side}_dataloader.dataset" for side in ("train", "val", "test"))
        sizes = {f"{part}.img_size": size for part in ("model.network", "model.data_preprocessor", *loaders)}
        return {"model.network.variant": name, **sizes}
    options: dict[str, Any] = {"model.backbone.variant": name, "img_size": size}
    if row.table == 3 and "/paper/" in run.config:
        options["model.backbone.layers"] = list(spec.global_attn_indexes)
        options["model.panoptic_head.in_channels"] = [spec.embed_dim] * 4
    elif row.table == 3:
        options["model.neck.width"] = spec.embed_dim
    return options


def _kept(row: Row, column: Column, run: Run, weights: Path, settings: Settings) -> dict[str, float]:
    """A run's numbers in percent; one that was made with the same files and settings is not repeated."""
    folder = settings.out / row.id / column
    options = _options(row, run, weights, settings)
    stamp = {
        "config": run.config,
        "fold_residual": run.fold_residual,
        "weights": [str(weights), weights.stat().st_size, weights.stat().st_mtime_ns],
        "options": {key: repr(value) for key, value in options.items()},
    }
    result = folder / "result.json"
    if result.is_file():
        kept = json.loads(result.read_text())
        if kept["stamp"] == stamp:
            return kept["numbers"]
    print(f"\n== {row.id}, {column}: {run.config or 'native'}", flush=True)
    if not run.config:
        scores = _native(row, weights, settings)
    elif row.trains:
        from ultrasam.mm.engine.train import train

        trained = in_child(
            train, run.config, work_dir=folder / "train", start=weights, resume=True, cfg_options=options
        )
        scores = _test(run, trained, folder / "test", options)
    else:
        scores = _test(run, weights, folder / "test", options)
    numbers = {name: 100 * scores[name] for name in METRICS[row.table]}
    write_json(result, {"stamp": stamp, "numbers": numbers, "scores": scores}, indent=1)
    return numbers


def _native(row: Row, weights: Path, settings: Settings) -> dict[str, float]:
    from ultrasam.reproduce.native import NATIVE

    folder = settings.data_root / row.dataset
    items = coco.load(folder / "annotations/test.agnostic.json", folder / "images").images
    return evaluate(NATIVE[row.model](weights, items, "point" if row.task == "point" else "box"))


def _test(run: Run, weights: Path, folder: Path, options: dict[str, Any]) -> dict[str, float]:
    from ultrasam.mm.engine.test import test

    fold = True if run.fold_residual else None
    scores = in_child(test, run.config, weights, work_dir=folder, fold_residual=fold, cfg_options=options)
    return {key.split("/", 1)[-1]: value for key, value in scores.items()}
