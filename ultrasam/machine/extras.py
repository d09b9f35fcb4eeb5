"""What a missing package belongs to, so that its message can say how to install it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import util

from ultrasam.errors import UltraSamError

#: Module -> the package's extra that brings it.
EXTRAS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "faster_coco_eval",
            "matplotlib",
            "mmcv",
            "mmdet",
            "mmengine",
            "mmpretrain",
            "tensorboard",
            "torchvision",
        ),
        "mm",
    ),
    **dict.fromkeys(("h5py", "libarchive", "nibabel", "scipy", "sklearn"), "convert"),
    **dict.fromkeys(("onnx", "onnxruntime", "onnxscript"), "export"),
    **dict.fromkeys(("anyio", "fastapi", "pydantic", "starlette", "uvicorn"), "annotate"),
    "huggingface_hub": "hub",
    "s3fs": "cloud",
    **dict.fromkeys(("datasets", "mlcroissant", "pyarrow"), "publish"),
    **dict.fromkeys(("dicomweb_client", "highdicom", "pydicom", "pynetdicom", "retrying"), "dicom"),
    "distributed": "dask",
    "submitit": "slurm",
    "yaml": "formats",
    "segment_anything": "auto",
}

#: Needed by most of the package and left out of the light installation (docs/predict.md).
ALONE = ("torch", "pooch")


def advice(error: ImportError) -> str | None:
    """How to install what an import missed; None where it is nothing that an extra brings."""
    name = (error.name or "").split(".")[0]
    if name not in EXTRAS and name not in ALONE:
        return None
    return f"this needs {name}, which is not installed: {_remedy(name)}"


def is_installed(module: str) -> bool:
    """Whether a package is there, without importing it."""
    if module in sys.modules:
        return sys.modules[module] is not None
    return util.find_spec(module) is not None


def need(what: str, *modules: str) -> None:
    """Refuse to begin what needs packages that are not installed.

    Raises:
        UltraSamError: one is not; the message says how to install it.
    """
    missing = [name for name in modules if not is_installed(name)]
    if missing:
        raise UltraSamError(f"{what} needs {', '.join(missing)}: {_remedy(missing[0])}")


def _remedy(name: str) -> str:
    return f"pip install {name}" if name in ALONE else f"pip install 'ultrasam[{EXTRAS[name]}]'"
