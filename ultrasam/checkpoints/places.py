"""Where weights lie; imported without PyTorch."""

from __future__ import annotations

import os
from pathlib import Path

#: The package's own small model, and the file that holds it.
OWN = "small"
OWN_FILE = Path(__file__).parents[1] / "weights" / "ultrasam_small.safetensors"
#: A folder whose files are used instead of downloading; also where downloads go.
FOLDER_VARIABLE = "ULTRASAM_WEIGHTS"


def cache_folder() -> Path:
    """Where weights are kept: $ULTRASAM_WEIGHTS, or the user's cache."""
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        return Path(given).expanduser()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("ultrasam"))
