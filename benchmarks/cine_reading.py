"""What a frame of a DICOM cine costs, by the clip's length, beside pydicom's own iterator; and memory.

python benchmarks/cine_reading.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from pydicom.pixels import iter_pixels

from tests.kit.fuzz_files import dicom_bytes
from ultrasam.predict.files import dicom, sources

LENGTHS = (10, 100, 500)
SIZE = (480, 640)


def frames(count: int) -> np.ndarray:
    """Pictures with speckle: smooth enough for JPEG to be as fast as on real ones."""
    rng = np.random.default_rng(0)
    one = cv2.GaussianBlur(rng.integers(0, 255, (*SIZE, 3), dtype=np.uint8), (0, 0), 2)
    return np.stack([np.roll(one, i, axis=1) for i in range(count)])


def write(path: Path, count: int, jpegs: bool) -> None:
    color = {"PhotometricInterpretation": "YBR_FULL_422"} if jpegs else {}
    path.write_bytes(dicom_bytes(frames(count), jpegs=jpegs, **color))


def ours(path: Path) -> int:
    return sum(f.read().shape[2] for f in sources.frames(sources.Source(path, path.name), "x")) // 3


def scattered(path: Path, count: int) -> int:
    clip = dicom.open_clip(path)
    return sum(clip.read(int(n)).shape[2] for n in np.random.default_rng(0).permutation(count)) // 3


def pydicoms(path: Path) -> int:
    return sum(1 for _ in iter_pixels(path))


def best(works) -> list[float]:
    """Milliseconds of processor time a frame of each work, the best of three; they take turns."""
    times = [[] for _ in works]
    for _ in range(3):
        for (work, *args), kept in zip(works, times, strict=True):
            start = time.process_time()
            count = work(*args)
            kept.append((time.process_time() - start) / count)
    return [min(kept) * 1000 for kept in times]


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        for jpegs in (False, True):
            for count in LENGTHS:
                path = Path(folder) / f"{count}.dcm"
                write(path, count, jpegs)
                row = best([(ours, path), (scattered, path, count), (pydicoms, path)])
                print(
                    f"{'JPEG' if jpegs else 'raw'} {count:4d} frames: in order {row[0]:.2f} ms, scattered "
                    f"{row[1]:.2f} ms, pydicom's iterator {row[2]:.2f} ms a frame",
                    flush=True,
                )
        for jpegs in (False, True):
            for count in (20, 2000):
                path = Path(folder) / f"memory_{count}.dcm"
                many = {"jpegs": jpegs, "PhotometricInterpretation": "YBR_FULL_422" if jpegs else "RGB"}
                with path.open("wb") as file:
                    grow(file, count, many)
                command = [sys.executable, "-m", "benchmarks.cine_reading", str(path)]
                print("JPEG" if jpegs else "raw", count, subprocess.check_output(command, text=True).strip())
                path.unlink()


def grow(file, count: int, tags: dict) -> None:
    """A long clip, without holding it: a short one whose frames are written over and over."""
    short = dicom_bytes(frames(20), **tags, NumberOfFrames=f"{count:06d}")
    if not tags["jpegs"]:
        size = SIZE[0] * SIZE[1] * 3
        body = short[-20 * size :]
        file.write(short[: -20 * size - 4] + (count * size).to_bytes(4, "little"))
        for _ in range(count // 20):
            file.write(body)
        return
    start = short.rindex(b"\xe0\x7f\x10\x00OB") + 12
    table = 8 + int.from_bytes(short[start + 4 : start + 8], "little")
    file.write(short[:start] + short[start : start + 4] + bytes(4))
    for _ in range(count // 20):
        file.write(short[start + table : -8])
    file.write(short[-8:])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        read = ours(Path(sys.argv[1]))
        # Of this process alone: what getrusage says begins with its parent's.
        status = Path("/proc/self/status").read_text().split()
        print(f"frames: {read}, at most {int(status[status.index('VmHWM:') + 1]) / 1024:.0f} MiB")
    else:
        main()
