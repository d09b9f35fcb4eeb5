"""What a configuration needs before it can run: files, and a network that can be built."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

from ultrasam.mm.engine.configuration import load_config


@dataclass(frozen=True)
class Needs:
    """What a run needs.

    Attributes:
        files: annotation files and image folders of the sides that are used.
        parameters: of the model, which was built without memory for them.
    """

    files: list[Path]
    parameters: int


def inspect(config: str, options: dict[str, Any], *, trains: bool) -> Needs:
    """Load a configuration, build its model on torch's ``meta`` device, and list the files it reads.

    Args:
        config: as for ``ultrasam train``.
        options: as ``--cfg-options``.
        trains: whether it is trained, or tested alone.

    Raises:
        ConfigError: the configuration is missing or its parts do not fit together.
    """
    loaded = load_config(
        argparse.Namespace(config=config, cfg_options=options, launcher="none", work_dir=None)
    )
    part = loaded.model.backbone if "backbone" in loaded.model else loaded.model
    part.weights = None
    init_default_scope("mmdet")
    with torch.device("meta"):
        model = MODELS.build(loaded.model)
    files: dict[Path, None] = {}
    for side in ("train", "val", "test") if trains else ("test",):
        dataset = loaded[f"{side}_dataloader"].dataset
        root = Path(dataset.get("data_root") or "")
        files[root / dataset.ann_file] = None
        files[root / dataset.data_prefix.img] = None
    return Needs(list(files), sum(p.numel() for p in model.parameters()))
