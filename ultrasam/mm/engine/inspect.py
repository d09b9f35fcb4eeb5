"""What a configuration needs before it can run: files, and a network that can be built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from ultrasam.mm.engine.configuration import load_config, started


@dataclass(frozen=True)
class Needs:
    """What a run needs.

    Attributes:
        files: annotation files and image folders of the sides that are used.
        parameters: of the model, which was built without memory for them.
    """

    files: list[Path]
    parameters: int


def inspect(config: str, options: Mapping[str, Any], *, trains: bool) -> Needs:
    """Load a configuration, build its model on torch's ``meta`` device, and list the files it reads.

    Args:
        config: as for ``ultrasam train``.
        options: as ``--cfg-options``.
        trains: whether it is trained, or tested alone.

    Raises:
        ConfigError: the configuration is missing or its parts do not fit together.
    """
    loaded = load_config(config, cfg_options=options)
    started(loaded).weights = None
    init_default_scope("mmdet")
    with torch.device("meta"):
        model = MODELS.build(loaded.model)
    files = files_of(loaded, ("train", "val", "test") if trains else ("test",))
    return Needs(files, sum(p.numel() for p in model.parameters()))


def files_of(config: Config, sides: Sequence[str]) -> list[Path]:
    """Annotation files and image folders that the loaders of some sides read, each once."""
    files: dict[Path, None] = {}
    for side in sides:
        dataset = (config.get(f"{side}_dataloader") or {}).get("dataset", {})
        root = Path(dataset.get("data_root") or "")
        # Object storage, and what fits a pattern, is looked for when it is opened.
        named = f"{dataset.get('data_root')}{dataset.get('ann_file')}"
        if "ann_file" in dataset and "://" not in named and "*" not in named:
            files[root / dataset["ann_file"]] = None
            files[root / dataset.get("data_prefix", {}).get("img", "")] = None
    return list(files)
