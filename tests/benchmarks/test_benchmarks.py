"""The runner of the benchmarks: what it measures of work whose cost is known, and what it writes."""

import argparse
import json
import time

import pytest

from benchmarks import machine
from benchmarks.__main__ import NAMES
from benchmarks.harness import Bench, interleave
from benchmarks.page import write_page
from ultrasam.cli import main


@pytest.fixture
def bench(tmp_path):
    args = argparse.Namespace(rounds=None, threads=1, quick=False, out=str(tmp_path))
    return Bench("masks", "A title", args)


def test_variants_take_turns_and_each_round_begins_with_another():
    calls = []
    samples = interleave(
        {name: lambda name=name: calls.append(name) for name in "abc"}, rounds=3, warm_up=False
    )
    assert "".join(calls) == "abcbcacab"
    assert {name: len(values) for name, values in samples.items()} == {"a": 3, "b": 3, "c": 3}


def test_times_and_ratios_of_known_work(bench, capsys):
    ratios = bench.compare(
        "sleep",
        {"peer": lambda: time.sleep(0.03), "ours": lambda: time.sleep(0.01)},
        ours="ours",
        goals={"peer": 2.0},
        rounds=2,
    )
    assert 2.3 < ratios["peer"] < 3.5
    assert 0.01 <= min(bench.comparisons[0]["samples"]["ours"]) < 0.02
    assert "goal: at least 2, met" in capsys.readouterr().out


def test_rates_are_better_when_larger_and_ratios_go_round_by_round(bench):
    samples = {"peer": [10.0, 40.0, 20.0], "ours": [20.0, 40.0, 60.0]}
    assert bench.record("r", "images/s", samples, ours="ours", more_is_better=True) == {"peer": 2.0}
    assert bench.record("s", "s", samples, ours="ours") == {"peer": 0.5}


def test_json_plot_and_page_hold_what_was_measured(bench, tmp_path):
    bench.record("Load <it>", "s", {"peer": [3.0, 2.0, 4.0], "ours": [1.0, 1.0, 1.0]}, ours="ours")
    bench.fact("identical bytes", "16 of 16", "all", True)
    bench.fact("memory", 123.456, "at most 100 MiB", False)
    bench.write()
    written = json.loads((tmp_path / "masks.json").read_text())
    assert written["comparisons"][0]["samples"]["peer"] == [3.0, 2.0, 4.0]
    assert {"torch", "numpy"} <= set(written["versions"]) and written["machine"]["threads"] == "1"
    assert "Load &lt;it&gt;" in (tmp_path / "masks.svg").read_text()
    write_page(tmp_path, tmp_path / "page.md", NAMES)
    page = (tmp_path / "page.md").read_text()
    assert "| peer | 3 | 2 to 4 | 3.00x |  |" in page
    assert "**16 of 16** (goal: all), met" in page and "**123** (goal: at most 100 MiB), **missed**" in page


def test_the_page_leaves_out_runs_of_small_sizes(bench, tmp_path):
    bench.quick = True
    bench.fact("memory", 1.0)
    bench.write()
    write_page(tmp_path, tmp_path / "page.md", NAMES)
    assert "memory" not in (tmp_path / "page.md").read_text()


@pytest.mark.skipif(not machine.STATUS.exists(), reason="the peak of resident memory is read from /proc")
def test_extra_memory_sees_a_peak_that_is_gone_again():
    def work():
        bytearray(64 * 2**20)

    assert 60 < machine.extra_memory(work) < 72


def test_unknown_benchmark_names_those_there_are(capfd):
    assert main(["bench", "nonsense"]) == 2
    assert "no benchmark nonsense; there are encoder, decoder, masks" in capfd.readouterr().err


def test_options_of_the_benchmarks_are_handed_on(capfd):
    assert main(["bench", "--quick", "--threads", "1", "nonsense"]) == 2
    assert "no benchmark nonsense;" in capfd.readouterr().err
    assert main(["bench", "--help"]) == 0
    assert "--rounds" in capfd.readouterr().out
