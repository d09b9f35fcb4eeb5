"""What this machine offers, and what is wrong with its installation, in words and with the remedy."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata

import torch

#: Distributions that put files into the same place: only one of each group may be installed.
_RIVALS = (
    ("mmengine", "onedl-mmengine"),
    ("mmcv", "mmcv-lite", "mmcv-full", "onedl-mmcv"),
    ("mmdet", "onedl-mmdetection"),
    ("mmpretrain", "onedl-mmpretrain"),
    ("opencv-python", "opencv-python-headless", "opencv-contrib-python"),
)
_OPTIONAL = {
    "training and testing": ("mmengine", "mmcv", "mmdet", "mmpretrain"),
    "export": ("onnx", "onnxruntime"),
    "DICOM": ("pydicom",),
    "automatic masks": ("segment_anything",),
}
_VERSIONS = (
    "torch",
    "torchvision",
    "numpy",
    "opencv-python",
    "onedl-mmengine",
    "onedl-mmcv",
    "onedl-mmdetection",
)


@dataclass(frozen=True)
class Finding:
    """A fact or a fault.

    Attributes:
        text: what is the case.
        remedy: what to do, empty where nothing is wrong.
    """

    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"! {self.text}\n    {self.remedy}" if self.remedy else f"  {self.text}"


def examine() -> list[Finding]:
    """Everything that `ultrasam selftest` prints of the machine and the installation."""
    return [*_machine(), *_rivals(), *_torchvision(), *_optional()]


def _machine() -> Iterator[Finding]:
    yield Finding(f"Python {platform.python_version()} on {platform.platform()}")
    yield Finding(", ".join(f"{name} {version}" for name in _VERSIONS if (version := _version(name))))
    yield Finding(f"CPU: {os.cpu_count()} cores, {torch.get_num_threads()} threads for torch")
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(i)
            bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
            yield Finding(f"GPU {i}: {facts.name}, {facts.total_memory / 2**30:.0f} GiB, {bf16}")
    elif torch.backends.mps.is_available():
        yield Finding("GPU: Apple (mps)")
    elif torch.version.cuda:
        yield Finding(
            "this torch is built for CUDA, but finds no GPU",
            "check the driver with nvidia-smi; on a machine without a GPU this is harmless",
        )
    else:
        yield Finding("GPU: none that this torch can use")


def _rivals() -> Iterator[Finding]:
    for group in _RIVALS:
        installed = [name for name in group if _version(name)]
        if len(installed) > 1:
            yield Finding(
                f"{' and '.join(installed)} are installed together and overwrite each other's files",
                f"pip uninstall -y {' '.join(installed)} && pip install {installed[-1]}",
            )


def _torchvision() -> Iterator[Finding]:
    version = _version("torchvision")
    if version is None:
        return
    from ultrasam.machine import torchvision_compat as compat

    compat.bridge_torchvision()
    if compat._libraries:
        built = f"torch {torch.__version__}, torchvision {version}"
        yield Finding(
            f"torchvision's compiled operators don't load ({built}); UltraSam bridges the gap",
            "other programs need a matching pair: install both from https://pytorch.org/get-started with one "
            "command",
        )
    fault = _fault("torchvision")
    if fault:
        yield Finding(
            f"torchvision can't be imported: {fault}",
            "it must match torch: install both with one command from https://pytorch.org/get-started",
        )


def _optional() -> Iterator[Finding]:
    for purpose, modules in _OPTIONAL.items():
        faults = {name: fault for name in modules if (fault := _fault(name))}
        absent = [name for name, fault in faults.items() if fault == "not installed"]
        if not faults:
            yield Finding(f"{purpose}: ready")
        elif len(absent) == len(faults):
            yield Finding(f"{purpose}: not installed ({', '.join(absent)})")
        for name, fault in faults.items():
            if name not in absent:
                yield Finding(f"{name} can't be imported: {fault}", _remedy(name, fault))


#: What an import error says -> what to do. The first that fits is used.
_REMEDIES: tuple[tuple[str, str], ...] = (
    (
        "mmcv._ext",
        "mmcv has no compiled operators here; import ultrasam.mm before it, which stands in for them "
        "(nothing of UltraSam needs them)",
    ),
    ("MMCV==", "versions don't fit: pip install 'ultrasam[mm]' puts a fitting set in place"),
    (
        "numpy",
        "built for another numpy: pip install --force-reinstall 'numpy<2.3' and the package named here",
    ),
    ("pkg_resources", "an old package needs it: pip install 'setuptools<81'"),
    ("libGL", "OpenCV wants a display library: pip install opencv-python-headless instead of opencv-python"),
)


def _remedy(name: str, fault: str) -> str:
    known = next((remedy for word, remedy in _REMEDIES if word in fault), None)
    return (
        known
        or f"pip install --force-reinstall {name}, or a fresh environment with pip install 'ultrasam[mm]'"
    )


def _fault(module: str, importer: Callable[[str], object] = importlib.import_module) -> str | None:
    """Why a module can't be imported, or None."""
    if module.startswith("mm") and _version("onedl-mmengine"):
        # The bridges come first, as they do in training.
        _quietly(lambda: importer("ultrasam.mm"))
    try:
        importer(module)
    except ModuleNotFoundError as error:
        return "not installed" if error.name == module else _line(error)
    except Exception as error:
        return _line(error)
    return None


def _quietly(action: Callable[[], object]) -> None:
    try:
        action()
    except Exception as error:
        sys.stderr.write(f"ultrasam.mm: {_line(error)}\n")


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
