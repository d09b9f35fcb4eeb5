"""Timing of named variants in turns within one process, ratios to the peers, one report a benchmark.

A benchmark is a module with ``measure(bench)``, perhaps ``add_arguments(parser)``, and at its end
``sys.exit(main(measure, __doc__, NAME))``. What `Bench` is told it prints at once; at the end it writes
``NAME.json`` and ``NAME.svg``.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from . import machine, plot
from .plot import number

Work = Callable[[], object]


class Bench:
    """The report of one benchmark.

    Args:
        name: of the benchmark.
        title: a line on what it measures.
        args: the command line: ``rounds`` (None: what the benchmark thinks right), ``threads``, ``quick``
            (small sizes, just to see that it runs), ``out``, and the benchmark's own.
    """

    def __init__(self, name: str, title: str, args: argparse.Namespace) -> None:
        self.name = name
        self.title = title
        self.args = args
        self.quick: bool = args.quick
        self.comparisons: list[dict[str, Any]] = []
        self.facts: list[dict[str, Any]] = []
        self.conditions = {"threads": str(args.threads), **machine.describe()}

    def compare(
        self,
        title: str,
        variants: Mapping[str, Work],
        *,
        ours: str,
        goals: Mapping[str, float] | None = None,
        rounds: int = 5,
        items: tuple[float, str] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        warm_up: bool = True,
    ) -> dict[str, float]:
        """Time the variants in turns and note the medians, their spread and the ratios to ours.

        Args:
            title: what all variants do.
            variants: name -> work.
            ours: the variant that the others are held against.
            goals: peer -> how many times better ours should be.
            rounds: how often each is timed, unless the command line says.
            items: how many things of which name a call handles, to give them a second instead of seconds.
            clock: of the wall, or ``time.process_time``.
            warm_up: call each once before.

        Returns:
            peer -> ratio, above 1 where ours is better.
        """
        samples = interleave(variants, self.args.rounds or rounds, clock, warm_up)
        if items is None:
            return self.record(title, "s", samples, ours=ours, goals=goals)
        rates = {name: [items[0] / seconds for seconds in values] for name, values in samples.items()}
        return self.record(title, f"{items[1]}/s", rates, ours=ours, goals=goals, more_is_better=True)

    def record(
        self,
        title: str,
        unit: str,
        samples: Mapping[str, Sequence[float]],
        *,
        ours: str,
        goals: Mapping[str, float] | None = None,
        more_is_better: bool = False,
    ) -> dict[str, float]:
        """Note values that were measured elsewhere, by round; see `compare`."""
        ratios = {
            peer: _ratio(samples[ours], values, more_is_better)
            for peer, values in samples.items()
            if peer != ours
        }
        entry = {
            "title": title,
            "unit": unit,
            "ours": ours,
            "samples": {name: list(values) for name, values in samples.items()},
            "ratios": ratios,
            "goals": dict(goals or {}),
        }
        self.comparisons.append(entry)
        print("\n".join(lines_of(entry)), flush=True)
        return ratios

    def fact(self, title: str, value: str | float, wanted: str = "", met: bool | None = None) -> None:
        """Note something beside the times: an error, memory, whether bytes are identical.

        Args:
            title: what it is.
            value: with its unit, where it is text.
            wanted: the goal in words.
            met: whether it is reached.
        """
        text = value if isinstance(value, str) else number(value)
        self.facts.append({"title": title, "value": text, "wanted": wanted, "met": met})
        print(f"{title}: {text}{_verdict(wanted, met)}", flush=True)

    def write(self) -> None:
        """``NAME.json`` and ``NAME.svg`` in the output folder."""
        out = Path(self.args.out)
        out.mkdir(parents=True, exist_ok=True)
        content = {
            "name": self.name,
            "title": self.title,
            "quick": self.quick,
            "date": time.strftime("%Y-%m-%d"),
            "machine": self.conditions,
            "versions": machine.versions(),
            "comparisons": self.comparisons,
            "facts": self.facts,
        }
        (out / f"{self.name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        if self.comparisons:
            (out / f"{self.name}.svg").write_text(plot.bars(self.title, self.comparisons), encoding="utf-8")


def interleave(
    variants: Mapping[str, Work],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
    warm_up: bool = True,
    least: float = 0.2,
) -> dict[str, list[float]]:
    """Seconds a call of each variant, once a round, in turns; the first of a round changes.

    Calls shorter than ``least`` seconds are repeated within a sample until they are not.
    """
    repeats = {
        name: max(1, round(least / max(_time(work, 1, clock), 1e-7))) if warm_up else 1
        for name, work in variants.items()
    }
    order, samples = list(variants), {name: [] for name in variants}
    for number_ in range(rounds):
        for name in order[number_ % len(order) :] + order[: number_ % len(order)]:
            samples[name].append(_time(variants[name], repeats[name], clock))
    return samples


def _time(work: Work, repeats: int, clock: Callable[[], float]) -> float:
    gc.collect()
    start = clock()
    for _ in range(repeats):
        work()
    return (clock() - start) / repeats


def _ratio(ours: Sequence[float], peer: Sequence[float], more_is_better: bool) -> float:
    """The median of the rounds' ratios, above 1 where ours is better."""
    pairs = [(b, a) if more_is_better else (a, b) for a, b in zip(ours, peer, strict=True)]
    return median(worse / better for better, worse in pairs)


def lines_of(entry: Mapping[str, Any]) -> list[str]:
    """A comparison for a terminal."""
    lines = [f"{entry['title']} ({entry['unit']}; median, least to largest)"]
    for name, values in entry["samples"].items():
        line = f"  {name:<34} {number(median(values)):>8}  {number(min(values))} to {number(max(values))}"
        if name in entry["ratios"]:
            ratio, goal = entry["ratios"][name], entry["goals"].get(name)
            line += f"  ours is {ratio:.2f} times as good"
            line += _verdict(f"at least {goal:g}", ratio >= goal) if goal else ""
        lines.append(line)
    return lines


def _verdict(wanted: str, met: bool | None) -> str:
    if not wanted:
        return ""
    return f" (goal: {wanted}{'' if met is None else ', met' if met else ', MISSED'})"


def main(
    measure: Callable[[Bench], None],
    doc: str | None,
    name: str,
    add_arguments: Callable[[argparse.ArgumentParser], None] | None = None,
) -> int:
    """Run one benchmark from the command line."""
    title = (doc or name).strip().splitlines()[0].rstrip(".")
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)
    if add_arguments:
        add_arguments(parser)
    bench = Bench(name, title, parser.parse_args())
    _set_threads(bench.args.threads)
    measure(bench)
    bench.write()
    return 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """What every benchmark takes."""
    parser.add_argument("--rounds", type=int, help="times each variant is measured (the benchmark's own)")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch and OpenCV (2)")
    parser.add_argument("--out", default="bench", metavar="DIR", help="for NAME.json and NAME.svg (bench)")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run? No figure counts")


def _set_threads(threads: int) -> None:
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
