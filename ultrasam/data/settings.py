"""A folder remembers what its results were made with; other settings start anew in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrasam.data.files import write_text

FILE = "settings.json"


def forget_other_settings(folder: Path, settings: Mapping[str, Any], results: Sequence[str]) -> None:
    """Remove results that were made with other settings than these, and note these.

    Args:
        folder: of the results; made if need be.
        settings: all that the results depend on, for JSON.
        results: patterns of files and folders within the folder, such as ``*.jsonl``.
    """
    stamp = folder / FILE
    wanted = json.dumps(settings, indent=1)
    if stamp.is_file() and stamp.read_bytes() == wanted.encode():
        return
    for path in [path for pattern in results for path in folder.glob(pattern)]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    write_text(stamp, wanted)
