"""What a missing package belongs to, so that its message can say how to install it."""

from __future__ import annotations

from collections.abc import Mapping

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
    **dict.fromkeys(("fastapi", "pydantic", "starlette", "uvicorn"), "annotate"),
    "huggingface_hub": "hub",
    **dict.fromkeys(("dicomweb_client", "highdicom", "pydicom", "pynetdicom", "retrying"), "dicom"),
    "yaml": "formats",
    "segment_anything": "auto",
}


def advice(error: ImportError) -> str | None:
    """How to install what an import missed; None where it is nothing that an extra brings."""
    name = (error.name or "").split(".")[0]
    if name not in EXTRAS:
        return None
    return f"this needs {name}, which is not installed: pip install 'ultrasam[{EXTRAS[name]}]'"
