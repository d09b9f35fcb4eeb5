"""Scoring a checkpoint with a configuration's test set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from ultrasam.errors import ConfigError
from ultrasam.machine.memory import memory_advice
from ultrasam.mm.compat import init_process_group
from ultrasam.mm.engine.configuration import Launcher, errors_of_parts, load_config, started
from ultrasam.mm.evaluation.dump import write_results


def test(
    config: str | Path,
    checkpoint: str | Path,
    *,
    work_dir: str | Path | None = None,
    out: str | Path | None = None,
    show_dir: str | Path | None = None,
    fold_residual: bool | None = None,
    launcher: Launcher = "none",
    cfg_options: Mapping[str, Any] | None = None,
) -> dict[str, float]:
    """Score a checkpoint.

    Args:
        config: a path, or a name that ``ultrasam configs`` lists.
        checkpoint: a weight file; for prompts ours, the published UltraSam's, Segment Anything's, MedSAM's.
        work_dir: folder for the log (``work_dirs/<config>``).
        out: write the predictions to this file: ``.json`` for COCO's results, or scores of images; ``.pkl``
            for what MMDetection's analysis tools read.
        show_dir: draw prompts and masks to this folder of the work directory.
        fold_residual: undo the doubled residual of the published decoder; decided by the file's names where
            None.
        launcher: how several processes were started, as in MMDetection.
        cfg_options: changes of the configuration, such as ``{"test_dataloader.dataset.data_root": "data/"}``.

    Returns:
        score -> value, such as ``coco/segm_mAP`` from 0 to 1.

    Raises:
        ConfigError: there is no such configuration or checkpoint, or its parts do not fit together.
        CheckpointError: the file is of another model.
        DataError: the data are not there or not usable.
    """
    cfg = load_config(config, work_dir=work_dir, launcher=launcher, cfg_options=cfg_options)
    if not Path(checkpoint).is_file():
        raise ConfigError(f"no checkpoint at {checkpoint}")
    # Loaded below, strictly: mmengine would only log what does not fit.
    cfg.load_from, cfg.resume, started(cfg).weights = None, False, None
    cfg.model.pop("decoder", None)
    if out:
        write_results(cfg, out)
    if show_dir:
        cfg.default_hooks.visualization.test_out_dir = str(Path(cfg.work_dir, show_dir).resolve())
    init_process_group(launcher)
    with errors_of_parts(config):
        runner = Runner.from_cfg(cfg)
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    model.load_weights(str(checkpoint), fold_residual=fold_residual)
    with (
        memory_advice(["a smaller batch (--cfg-options test_dataloader.batch_size=1)", "a smaller input"]),
        errors_of_parts(config),
    ):
        return {name: float(value) for name, value in runner.test().items()}
