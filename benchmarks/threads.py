"""Processes that share cores: one beside another, and eight where there is room for fewer."""

from __future__ import annotations

import os
import subprocess
import sys

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
start = time.perf_counter()
for _ in range(int(sys.argv[2])):
    engine.encode(image)
print(time.perf_counter() - start)
"""
SETTINGS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "MKL_NUM_THREADS")


def together(
    count: int, images: int, engine: str = "torch", who: str = "ours", number: int = 0
) -> list[float]:
    """Seconds of each of some processes that begin at the same time.

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
    return [float(process.communicate()[0]) for process in started]


def measure(bench: Bench) -> None:
    images = 3 if bench.quick else 60
    for engine in ("torch", "onnx"):
        alone = min(together(1, images, engine, number=1) + together(1, images, engine, number=1))
        pair = together(2, images, engine, number=1)
        ratio = max(pair) / alone
        bench.fact(
            f"{engine}, two of one thread beside each other, times one", ratio, "at most 1.3", ratio <= 1.3
        )
        # All cores work for the one, so eight of them take eight times as long at best.
        whole = min(together(1, images, engine) + together(1, images, engine))
        many = together(8, images, engine)
        ratio = float(np.mean(many)) / (8 * whole)
        bench.fact(f"{engine}, eight at once, times their ideal share", ratio, "at most 1.5", ratio <= 1.5)
    whole = min(together(1, images, who="libraries"))
    ratio = float(np.mean(together(8, images, who="libraries"))) / (8 * whole)
    bench.fact("torch as it comes, eight at once, times their ideal share", ratio)
    bench.fact("cores", threads.usable_cores())


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, "threads"))
