"""A folder remembers what its results were made with; other settings start anew in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrasam.data.files import write_text
from ultrasam.errors import DataError

FILE = "settings.json"


def forget_other_settings(
    folder: Path, settings: Mapping[str, Any], results: Sequence[str], needed: Sequence[Path] = ()
) -> None:
    """Remove results that were made with other settings than these, and note these.

    Args:
        folder: of the results; made if need be.
        settings: all that the results depend on, for JSON.
        results: patterns of files and folders within the folder, such as ``*.jsonl``.
        needed: files that the run reads.

    Raises:
        DataError: one of those would be removed, or there is no note that tells whose the files are.
    """
    stamp = folder / FILE
    wanted = json.dumps(settings, indent=1)
    if stamp.is_file() and stamp.read_bytes() == wanted.encode():
        return
    stale = [path for pattern in results for path in folder.glob(pattern)]
    kept = {path.resolve() for path in needed}
    if read := [path for path in stale if path.resolve() in kept]:
        raise DataError(f"{read[0]} is what this run starts from and would be replaced; choose another --out")
    if stale and not stamp.is_file():
        raise DataError(
            f"{folder} holds {', '.join(sorted(path.name for path in stale)[:3])}, which no run left that is "
            f"known here (there is no {FILE}) and this one would remove; choose another --out"
        )
    for path in stale:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    write_text(stamp, wanted)
