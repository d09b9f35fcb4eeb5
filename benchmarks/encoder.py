"""The image encoder, ViT-b at 1024 px in float32, beside segment-anything and transformers.

Random weights, position tables included, the same in all. Timed with the allocator as it is, and with the
command line tools' setting for all sides. Extra memory is measured in a process for each.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ultrasam import checkpoints
from ultrasam.machine import process

from . import machine, models
from .harness import Bench, main

OURS, PEER, HUGGING = "UltraSam", "segment-anything", "transformers sdpa"
#: MiB on top of the weights.
MOST_MEMORY = 150


def encoders(names: tuple[str, ...], quick: bool) -> dict[str, Callable[[Tensor], Tensor]]:
    """The encoders of some packages, with the same weights."""
    sam = models.ours(quick)
    made: dict[str, Callable[[Tensor], Tensor]] = {}
    if OURS in names:
        made[OURS] = sam.image_encoder
    if PEER in names:
        made[PEER] = models.theirs(sam, quick).image_encoder
    if HUGGING in names:
        made[HUGGING] = _of_transformers(sam)
    return made


def _of_transformers(sam: torch.nn.Module) -> Callable[[Tensor], Tensor]:
    from transformers import SamModel

    with tempfile.TemporaryDirectory() as folder:
        checkpoints.save(sam.state_dict(), folder, "transformers")
        encoder = SamModel.from_pretrained(folder, attn_implementation="sdpa").vision_encoder.eval()
    return lambda x: encoder(x)[0]


def picture(quick: bool) -> Tensor:
    side = models.variant(quick).img_size
    return torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def measure(bench: Bench) -> None:
    if bench.args.memory:
        work = encoders((bench.args.memory,), bench.quick)[bench.args.memory]
        x = picture(bench.quick)
        print(f"MiB {machine.extra_memory(lambda: work(x))}")
        sys.exit()
    x, found = picture(bench.quick), encoders((OURS, PEER, HUGGING), bench.quick)
    answers: dict[str, Tensor] = {}

    def run(name: str) -> None:
        answers[name] = found[name](x)

    works = {name: partial(run, name) for name in found}
    goals = {PEER: 4.0, HUGGING: 2.6}
    bench.compare("encoder", works, ours=OURS, goals=goals, rounds=2, warm_up=False)
    for name in (PEER, HUGGING):
        error = float((answers[OURS] - answers[name]).norm() / answers[name].norm())
        bench.fact(f"relative error to {name}", f"{error:.1e}", "at most 1e-5", error <= 1e-5)
    memory(bench)
    if process.keep_memory():
        title = "encoder, allocator set for all"
        bench.compare(title, works, ours=OURS, goals=goals, rounds=2, warm_up=False)


def memory(bench: Bench) -> None:
    """Extra memory at the peak, a process for each."""
    peaks = {name: _peak(name, bench) for name in (OURS, PEER, HUGGING)}
    for name, peak in peaks.items():
        wanted = f"at most {MOST_MEMORY} MiB" if name == OURS else ""
        met = peak <= MOST_MEMORY if name == OURS else None
        bench.fact(f"extra memory, {name}", f"{peak:.0f} MiB", wanted, met)


def _peak(name: str, bench: Bench) -> float:
    command = [sys.executable, "-m", f"{__package__}.encoder", "--memory", name]
    command += ["--threads", str(bench.args.threads), *(["--quick"] if bench.quick else [])]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("MiB ")))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--memory", choices=(OURS, PEER, HUGGING), help=argparse.SUPPRESS)


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, "encoder", add_arguments))
