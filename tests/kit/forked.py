"""Pieces of Python, each in a fresh process that has the heavy libraries already: a second instead of ten.

Nothing of UltraSam is imported before the fork, so each piece sees what a plain import of it does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, NamedTuple

HEAVY = "torch", "torchvision", "numpy", "cv2", "PIL.Image", "pycocotools.mask", "pooch", "tqdm"


class Ended(NamedTuple):
    """How a piece ended."""

    returncode: int
    stdout: str
    stderr: str


def run_all(pieces: list[str], folder: Path, first: str = "") -> list[Ended]:
    """Run pieces one after the other.

    Args:
        pieces: each a script; ``raise SystemExit(code)`` ends it with a code.
        folder: where they run.
        first: a script that the first process runs before it imports anything.
    """
    job = json.dumps({"pieces": pieces, "first": first})
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(Path(__file__))],
        input=job,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Ended(*values) for values in json.loads(done.stdout.splitlines()[-1])]


def _run(piece: str) -> list[Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            code = 1
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            try:
                exec(compile(piece, "piece", "exec"), {"__name__": "__main__"})
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return [code, *texts]


def main() -> None:
    """Read the job from the standard input; the last line of the output says how its pieces ended."""
    job = json.load(sys.stdin)
    exec(job["first"], {})
    for name in HEAVY:
        try:
            __import__(name)
        except (ImportError, RuntimeError):
            continue
    if "ultrasam" in sys.modules:
        raise RuntimeError("ultrasam is imported already")
    print(json.dumps([_run(piece) for piece in job["pieces"]]))


if __name__ == "__main__":
    main()
