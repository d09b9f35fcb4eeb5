"""What a figure depends on: the machine, the versions, and the memory a piece of work takes on top."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "ultrasam",
    "torch",
    "numpy",
    "opencv-python",
    "pycocotools",
    "segment-anything",
    "transformers",
    "timm",
    "onedl-mmcv",
    "onedl-mmdetection",
    "faster-coco-eval",
)
STATUS = Path("/proc/self/status")


def describe() -> dict[str, str]:
    """Processor, cores, memory, GPU, system, and how busy the machine was."""
    machine = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }
    if hasattr(os, "sysconf"):
        machine["memory"] = f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    gpu = _gpu()
    if gpu:
        machine["GPU"] = gpu
    if hasattr(os, "getloadavg"):
        machine["load before"] = f"{os.getloadavg()[0]:.1f}"
    return machine


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _gpu() -> str:
    try:
        import torch
    except ImportError:
        return ""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def versions() -> dict[str, str]:
    """The installed packages that figures depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def extra_memory(work: Callable[[], object]) -> float | None:
    """MiB of resident memory that a call takes at its peak on top of what is there before; Linux alone.

    The kernel's own peak counter is set back first, and free memory handed back to the system.
    """
    if not STATUS.exists():
        return None
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    result = work()
    peak = _status("VmHWM")
    del result
    return (peak - before) / 1024


def _status(key: str) -> int:
    """KiB."""
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith(key))
