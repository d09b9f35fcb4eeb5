"""Where a test leaves its predictions, by the file's ending."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from ultrasam.errors import ConfigError


def write_results(config: Config, out: str | Path) -> None:
    """Let the test of a configuration write its predictions.

    Args:
        config: is changed.
        out: ``.json`` for COCO's results format (for whole images, truth and scores); ``.pkl`` for what
            MMDetection's analysis tools read.

    Raises:
        ConfigError: another ending.
    """
    metrics = config.test_evaluator if isinstance(config.test_evaluator, list) else [config.test_evaluator]
    if Path(out).suffix in (".pkl", ".pickle"):
        config.test_evaluator = [*metrics, {"type": "DumpDetResults", "out_file_path": str(out)}]
    elif Path(out).suffix == ".json":
        metrics[0].outfile = str(out)
    else:
        raise ConfigError(f"predictions go to .json (COCO's results) or .pkl (MMDetection's), not to {out}")
