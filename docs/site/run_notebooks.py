"""Run the tutorials and keep what they print and show: ``python docs/site/run_notebooks.py [NAME ...]``."""

from __future__ import annotations

import base64
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).parents[2]
TUTORIALS = Path(__file__).parents[1] / "tutorials"


def run(path: Path) -> None:
    """Run one in a kernel and an empty folder of its own, and write it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
        if cell.cell_type == "code":
            cell.outputs = [_kept(out) for out in cell.outputs if out.get("name") != "stderr"]
    nbformat.write(notebook, path)


def _kept(output: Any) -> Any:
    """An output without this machine's folders, its picture as JPEG: speckle makes PNG large."""
    if "text" in output:
        lines = output["text"].splitlines(keepends=True)
        # A progress bar is drawn over itself.
        output["text"] = "".join(line for line in lines if "it/s" not in line and "/s]" not in line)
        output["text"] = output["text"].replace(f"{ROOT}/", "")
    data = output.get("data", {})
    if "image/png" in data:
        picture, buffer = Image.open(io.BytesIO(base64.b64decode(data.pop("image/png")))), io.BytesIO()
        picture.convert("RGB").save(buffer, "JPEG", quality=80)
        data["image/jpeg"] = base64.b64encode(buffer.getvalue()).decode()
    return output


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.stem for path in TUTORIALS.glob("*.ipynb")):
        run(TUTORIALS / f"{name}.ipynb")
