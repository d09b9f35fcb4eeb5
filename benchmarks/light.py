"""Prediction without PyTorch: the command from start to end, a prompt, and the masks, beside PyTorch's."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ultrasam import ObjectPrompt, Predictor
from ultrasam.phantom import simulate
from ultrasam.predict import masks

from .harness import Bench, main

BOX = (120, 80, 340, 260)
#: A pixel may differ where its logit is that close to zero.
UNSURE = 1e-3
IMPORT = "import ultrasam; ultrasam.Predictor"


def process(*arguments: str) -> Callable[[], object]:
    """A Python process from its start to its end."""
    return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def seconds(work: Callable[[], object], rounds: int) -> float:
    """The least wall time of some rounds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def command(folder: Path, engine: str) -> Callable[[], object]:
    """``ultrasam predict`` of one picture with one box, all made anew."""
    out = folder / engine
    once = [
        "-m",
        "ultrasam",
        "predict",
        str(folder / "scan.png"),
        "--box",
        ",".join(map(str, BOX)),
        "--quiet",
    ]
    work = process(*once, "--engine", engine, "--out", str(out))

    def run() -> None:
        (out / "predictions.json").unlink(missing_ok=True)
        for path in out.glob("*/*"):
            path.unlink()
        work()

    return run


def differing(count: int) -> tuple[int, int, int]:
    """Pixels that differ between the engines, those of them that are sure, and all of the foreground."""
    torch, onnx = (Predictor(engine=name, device="cpu") for name in ("torch", "onnx"))
    differ = sure = foreground = 0
    for number in range(count):
        phantom = simulate(17, number, size=256 + 16 * (number % 20), color=True)
        boxes = [np.array(cv2.boundingRect(o.mask.astype(np.uint8)), float) for o in phantom.objects]
        objects = [ObjectPrompt(box=[x, y, x + w, y + h]) for x, y, w, h in boxes if w and h]
        if not objects:
            continue
        expected, found = (p.segment_once(phantom.image, objects) for p in (torch, onnx))
        foreground += int(expected.masks.sum())
        for ours, theirs, source in zip(found.masks, expected.masks, expected.sources, strict=True):
            rows, columns = np.nonzero(ours != theirs)
            differ += len(rows)
            if len(rows):
                (x, y), logits = (
                    source.crop.corner,
                    masks.upsample(source.logits[None], source.crop.geometry)[0],
                )
                sure += int((np.abs(logits[rows - y, columns - x]) > UNSURE).sum())
    return differ, sure, foreground


def measure(bench: Bench) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scan = simulate(5, 1, size=800, color=True).image[:600]
        cv2.imwrite(str(folder / "scan.png"), scan[:, :, ::-1])
        works = {"PyTorch": command(folder, "torch"), "onnxruntime": command(folder, "onnx")}
        bench.compare("ultrasam predict, 800 x 600 with a box, from start to end", works, ours="onnxruntime")
        rounds = 1 if bench.quick else 5
        whole = seconds(works["onnxruntime"], rounds)
        bench.fact(
            "ultrasam predict from start to end, seconds, best round", whole, "at most 1.0", whole <= 1
        )
    bare = seconds(process("-c", "pass"), rounds)
    imported = seconds(process("-c", IMPORT), rounds) - bare
    bench.fact("import of the predictor, seconds, best round", imported, "at most 0.4", imported <= 0.4)
    asked = {}
    for name, engine in (("PyTorch", "torch"), ("onnxruntime", "onnx")):
        encoded = Predictor(engine=engine, device="cpu", closer=False).encode(scan)
        asked[name] = lambda encoded=encoded: encoded.segment([ObjectPrompt(box=BOX)]).rles()
    bench.compare("one box to its code, after the encoder", asked, ours="onnxruntime")
    count = 5 if bench.quick else 300
    differ, sure, foreground = differing(count)
    bench.fact(f"pixels that differ on {count} images", f"{differ} of {foreground} of the foreground")
    bench.fact(f"of them with a logit beyond {UNSURE:g}", sure, "0", sure == 0)


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, "light"))
