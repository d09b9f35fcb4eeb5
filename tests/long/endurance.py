"""One predictor for very long and for many threads: are the masks the same, does its memory stay flat?

``python -m tests.long.endurance`` takes about 25 minutes on two cores. It exits with 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from tests.kit.pictures import scan
from ultrasam.predict.encoded import Encoded
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor

#: MiB that memory may grow after the first tenth of a long run: the allocator's own unsteadiness.
GROWTH = 30


def resident() -> float:
    """MiB of memory that the process holds now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def prompt(number: int) -> ObjectPrompt:
    """The same for the same number; boxes and clicks by turns."""
    x, y, side = np.random.default_rng(number).uniform((10, 10, 20), (110, 110, 80))
    if number % 2:
        return ObjectPrompt(box=[x, y, x + side, y + side])
    return ObjectPrompt([[x, y], [x + side / 2, y]], [1, 0])


def threads(predictor: Predictor, count: int, prompts: int) -> bool:
    """Several threads on shared and own images, against one thread."""
    images = [scan(index=index) for index in range(count)]
    shared: list[Encoded] = [predictor.encode(image) for image in images]

    def ask(job: tuple[int, int]) -> bytes:
        thread, number = job
        encoded = shared[(thread + number) % count]
        if number % 20 == 0:
            encoded = predictor.encode(images[(thread + number) % count])
        found = encoded.segment([prompt(thread * prompts + number)], multimask=bool(number % 2))
        return found.masks.tobytes() + found.scores.tobytes()

    jobs = [(thread, number) for number in range(prompts) for thread in range(count)]
    alone = [ask(job) for job in jobs]
    with ThreadPoolExecutor(count) as pool:
        together = list(pool.map(ask, jobs))
    differ = sum(first != second for first, second in zip(alone, together, strict=True))
    print(f"{count} threads x {prompts} prompts, closer={predictor.closer}: {differ} of {len(jobs)} differ")
    return differ == 0


def flat(title: str, count: int, work: object) -> bool:
    """Whether memory after the first tenth and at the end is the same."""
    start, first, step = time.perf_counter(), 0.0, max(count // 10, 1)
    peak = 0.0
    for number in range(count):
        work(number)  # type: ignore[operator]
        if (number + 1) % step == 0:
            now = resident()
            first, peak = first or now, max(peak, now)
            print(f"  {title}: {number + 1} of {count}, {now:.0f} MiB", flush=True)
    seconds, growth = time.perf_counter() - start, resident() - first
    print(f"{title}: {count} in {seconds:.0f} s, {first:.0f} MiB after a tenth, {growth:+.0f} MiB at the end")
    return growth <= GROWTH


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--prompts", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=8)
    args = parser.parse_args()
    torch.set_num_threads(1)
    near, far = Predictor(), Predictor(closer=False)
    encoded = near.encode(scan())
    images = [scan(index=index) for index in range(20)]

    def one_image(number: int) -> None:
        far.set_image(np.roll(images[number % 20], number, axis=1))
        far.segment([prompt(number)])

    shown = [
        threads(far, args.threads, 200),
        threads(near, args.threads, 200),
        flat("prompts on one image", args.prompts, lambda number: encoded.segment([prompt(number)]).rles()),
        flat("images", args.images, one_image),
    ]
    print("all as promised" if all(shown) else "NOT as promised")
    return 0 if all(shown) else 1


if __name__ == "__main__":
    sys.exit(main())
