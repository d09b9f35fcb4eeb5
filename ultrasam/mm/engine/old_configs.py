"""Earlier names in and of configurations: they still work, with a warning that says the new one."""

from __future__ import annotations

import warnings
from pathlib import Path

from mmengine.config import Config

#: How names ended -> how they end: a data set is spelled by its id.
ENDINGS = {
    "_bus-bra": "_bus_bra",
    "_gist514-db": "_gist514_db",
    "_mmotu2d": "_mmotu_2d",
    "ultrasam/ultrasam_vit-b_us43d_paper": "ultrasam/paper/ultrasam_vit-b_us43d",
}
#: Arguments of the hook that draws.
DRAWING = {"show_dir": "test_out_dir", "validation": "draw", "score": "score_thr"}


def new_name(name: str) -> str | None:
    """What a configuration is called today, by name or path; None where it was never called otherwise."""
    stem, suffix = (name[:-3], ".py") if name.endswith(".py") else (name, "")
    for old, new in ENDINGS.items():
        if stem.endswith(old):
            return stem.removesuffix(old) + new + suffix
    return None


def rename_options(config: Config) -> None:
    """Give the new names to settings that a configuration, or an option, calls by their old ones."""
    drawing = config.get("default_hooks", {}).get("visualization") or {}
    for old in DRAWING.keys() & drawing.keys():
        value, new = drawing.pop(old), DRAWING[old]
        # Its folder was counted from where the run started.
        drawing[new] = str(Path(value).resolve()) if old == "show_dir" and value else value
        prefix = "default_hooks.visualization"
        warnings.warn(
            f"'{prefix}.{old}' is now '{prefix}.{new}'; the old name goes away in 0.3",
            FutureWarning,
            stacklevel=2,
        )
