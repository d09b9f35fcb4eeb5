"""The configurations that come with the package."""

from pathlib import Path

ROOT = Path(__file__).parents[2] / "configs"
LEAVES = sorted(path.relative_to(ROOT).with_suffix("").as_posix() for path in ROOT.glob("[!_]*/**/*.py"))
SIDES = ("train", "val", "test")
LOADERS = tuple(f"{side}_dataloader" for side in SIDES)
