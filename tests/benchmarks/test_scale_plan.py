"""The plan's arithmetic, on numbers that can be worked out by hand, and its page in the documents."""

from pathlib import Path

import pytest

from experiments import scale_plan
from experiments.scale_plan import Assumed, Job, Source, plan

EASY = Assumed(
    gpu_images=100,
    gpu_batch=10,
    gpu_price=2,
    gpus_a_node=8,
    cores_a_gpu=10,
    disk=1e9,
    object_storage=1e8,
    request_work=0.01,
    between_gpus=1e11,
    between_nodes=1e9,
    storage_price=0.01,
    request_price=0.001,
)
JOB = Job("a job", 360_000, passes=2)


def test_gpus_hold_back_where_all_else_is_plenty():
    found = plan(JOB, Source("fast", 100, 1000), 2, EASY, gradients=1e6)
    # 720,000 images at 200 a second; half a gigabyte is stored.
    assert found.first == "GPUs" and found.rate == 200 and found.hours == 1
    assert found.shares["cores"] == pytest.approx(200 / 100 / 20)
    assert found.shares["disk"] == pytest.approx(200 * 1000 / 1e9)
    assert found.stored == 3.6e8 and found.moved == 7.2e8
    assert found.dollars == pytest.approx(2 * 2 + 0.36 * 0.01)


def test_what_is_used_most_is_the_bottleneck_and_holds_all_back():
    cores = plan(JOB, Source("slow", 2, 1000), 2, EASY, gradients=1e6)
    assert cores.first == "cores" and cores.shares["cores"] == 5 and cores.rate == 40 and cores.hours == 5
    remote = plan(JOB, Source("far", 100, 1e6, remote=True), 2, EASY, gradients=1e6)
    assert remote.shares["cores"] == pytest.approx(200 * (0.01 + 0.01) / 20)
    assert remote.first == "object storage" and remote.shares["object storage"] == 2 and remote.hours == 2
    # 720 thousand requests.
    assert remote.dollars == pytest.approx(2 * 2 * 2 + 0.72 + 360 * 0.01)
    # Sixteen GPUs are two machines: 15/8 gigabytes at 1 GB/s in a step of 0.1 s.
    network = plan(JOB, Source("fast", 100, 1000), 16, EASY, gradients=1e9)
    assert network.first == "all-reduce" and network.shares["all-reduce"] == pytest.approx(18.75)


def test_the_page_in_the_documents_is_what_the_script_prints():
    """Figures of another run of the benchmark have to get there too."""
    text = (Path(__file__).parents[2] / "docs/scale.md").read_text(encoding="utf-8")
    for line in scale_plan.page(scale_plan.measured(), Assumed()):
        assert line in text, line
