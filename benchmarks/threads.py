"""Processes that share cores: one beside another, and eight where there is room for fewer."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np

from ultrasam.machine import threads

from .harness import Bench, main

#: Encodes images, once all processes are ready, and says how long it took.
WORK = """
import sys, time
if sys.argv[3] == "ours":
    from ultrasam.machine import threads
    threads.set_up()
import numpy as np
from ultrasam import Predictor
engine = Predictor(engine=sys.argv[1], device="cpu").engine if sys.argv[3] == "ours" else None
if engine is None:
    from ultrasam import checkpoints
    from ultrasam.predict.torch_engine import TorchEngine
    engine = TorchEngine(checkpoints.load())
image = np.random.default_rng(0).standard_normal((1, 3, engine.img_size, engine.img_size)).astype(np.float32)
engine.encode(image)
print("ready", flush=True)
sys.stdin.readline()
start, used = time.perf_counter(), time.process_time()
for _ in range(int(sys.argv[2])):
    engine.encode(image)
print(time.perf_counter() - start, time.process_time() - used)
"""
SETTINGS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "MKL_NUM_THREADS")


def together(
    count: int, images: int, engine: str = "torch", who: str = "ours", number: int = 0
) -> np.ndarray:
    """Seconds (N, 2) of N processes that begin at the same time: by the clock, and of the processor.

    Args:
        count: processes.
        images: that each encodes.
        engine: what runs the model.
        who: whose threads: ``ours``, or the ``libraries``' own.
        number: of threads, 0 for what they choose.
    """
    environment = {key: value for key, value in os.environ.items() if key not in SETTINGS}
    if number:
        environment["OMP_NUM_THREADS"] = str(number)
    command = [sys.executable, "-c", WORK, engine, str(images), who]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(count)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    return np.array([process.communicate()[0].split() for process in started], dtype=float)


def alone(images: int, **options: Any) -> np.ndarray:
    """The better of two runs of one process."""
    return np.minimum(together(1, images, **options), together(1, images, **options))[0]


def measure(bench: Bench) -> None:
    images = 3 if bench.quick else 60
    for engine in ("torch", "onnx"):
        one = alone(images, engine=engine, number=1)
        ratio = float(together(2, images, engine, number=1)[:, 0].max() / one[0])
        title = f"{engine}, two of one thread beside each other, times one alone"
        bench.fact(title, ratio, "at most 1.3", ratio <= 1.3)
        eight(bench, engine, images, engine=engine)
    eight(bench, "torch as it comes", images, who="libraries")
    bench.fact("cores", threads.usable_cores())


def eight(bench: Bench, title: str, images: int, **options: Any) -> None:
    """Eight at once; all cores work for one alone, so eight take eight times as long at best."""
    one, many = alone(images, **options), together(8, images, **options).mean(axis=0)
    share, used = float(many[0] / (8 * one[0])), float(many[1] / one[1])
    ours = "who" not in options
    goal = ("at most 1.5", share <= 1.5) if ours else ()
    bench.fact(f"{title}, eight at once, times their ideal share", share, *goal)
    bench.fact(f"{title}, eight at once, processor time of each, times one alone", used)


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, "threads"))
