"""What training on US-43d, and on a hundred times as much, takes on 1, 8 and 64 GPUs: hours, bytes, money.

    python -m experiments.scale_plan [--page docs/scale.md]

What was measured is read from ``docs/benchmarks``: images a second that a core makes ready, bytes of an
image. What was not (a GPU's images a second, prices, bandwidths) stands in `Assumed`, and the page lists it.
The first bottleneck is what is used most, as a share of what a machine has.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

BENCHMARKS = Path(__file__).parents[1] / "docs/benchmarks"
HOUR, GIGA = 3600.0, 1e9


@dataclass(frozen=True)
class Assumed:
    """What nobody measured here.

    Attributes:
        gpu_images: training images a second of an H200, bfloat16, ViT-b at 1024 px: the project's aim.
        gpu_batch: images of a step on each GPU.
        gpu_price: $ an hour of one, with its share of the machine.
        gpus_a_node: GPUs of a machine.
        cores_a_gpu: cores that feed one.
        disk: bytes a second that a machine's own disk gives.
        object_storage: bytes a second that object storage gives a machine.
        latency: seconds that object storage takes to begin an answer.
        request_work: seconds of a core that a request takes (s3fs, beside moto's server: 0.0019 measured).
        between_gpus: bytes a second of each GPU to the others within a machine.
        between_nodes: bytes a second of each GPU to other machines.
        storage_price: $ a gigabyte and month.
        request_price: $ for 1,000 reads of object storage.
    """

    gpu_images: float = 110
    gpu_batch: int = 8
    gpu_price: float = 4.0
    gpus_a_node: int = 8
    cores_a_gpu: int = 12
    disk: float = 3e9
    object_storage: float = 1.2e9
    latency: float = 0.03
    request_work: float = 0.002
    between_gpus: float = 300e9
    between_nodes: float = 25e9
    storage_price: float = 0.023
    request_price: float = 0.0004


@dataclass(frozen=True)
class Source:
    """Where images come from.

    Attributes:
        name: in words.
        images: that a core makes ready, a second.
        bytes: of an image.
        remote: in object storage, each image fetched when it is due.
    """

    name: str
    images: float
    bytes: float
    remote: bool = False


@dataclass(frozen=True)
class Job:
    """A training.

    Attributes:
        name: in words.
        images: different ones.
        passes: over them.
    """

    name: str
    images: float
    passes: float = 960_000 / 280_000

    @property
    def views(self) -> float:
        """Images that are trained on, each time counted."""
        return self.images * self.passes


@dataclass(frozen=True)
class Plan:
    """What a job takes.

    Attributes:
        hours: of the clock.
        rate: images a second, of all GPUs.
        shares: what is used -> its use as a share of what there is, before the slowest holds all back.
        first: which of them is used most.
        dollars: for GPUs, requests, and a month of storage.
        stored: bytes.
        moved: bytes that are read in all.
    """

    hours: float
    rate: float
    shares: Mapping[str, float]
    first: str
    dollars: float
    stored: float
    moved: float


JOBS = (Job("US-43d, 280,000 images", 280_000), Job("a hundred times as many", 28_000_000))
GPUS = (1, 8, 64)
#: Where the tables stand in a document.
BEGIN, END = "<!-- python -m experiments.scale_plan -->", "<!-- end of the plan -->"
#: Float32 gradients of ViT-b's 93.7 million parameters.
GRADIENTS = 93.7e6 * 4


def work(source: Source, assumed: Assumed) -> float:
    """Seconds of a core that an image takes."""
    return 1 / source.images + (assumed.request_work if source.remote else 0.0)


def plan(job: Job, source: Source, gpus: int, assumed: Assumed, gradients: float = GRADIENTS) -> Plan:
    """What a job takes on some GPUs.

    Args:
        job: the training.
        source: of its images.
        gpus: how many.
        assumed: what was not measured.
        gradients: bytes that are summed over the GPUs in each step.
    """
    wanted = assumed.gpu_images * gpus
    nodes = -(-gpus // assumed.gpus_a_node)
    bandwidth = nodes * (assumed.object_storage if source.remote else assumed.disk)
    cores = gpus * assumed.cores_a_gpu
    step = assumed.gpu_batch / assumed.gpu_images
    links = assumed.between_gpus if nodes == 1 else assumed.between_nodes
    shares = {
        "GPUs": 1.0,
        "cores": wanted * work(source, assumed) / cores,
        "object storage" if source.remote else "disk": wanted * source.bytes / bandwidth,
        "all-reduce": 2 * (gpus - 1) / gpus * gradients / links / step,
    }
    first = max(shares, key=lambda name: shares[name])
    rate = wanted / shares[first]
    hours = job.views / rate / HOUR
    stored = job.images * source.bytes
    requests = job.views / 1000 * assumed.request_price if source.remote else 0.0
    dollars = hours * gpus * assumed.gpu_price + requests + stored / GIGA * assumed.storage_price
    return Plan(hours, rate, shares, first, dollars, stored, job.views * source.bytes)


def measured(folder: Path = BENCHMARKS) -> list[Source]:
    """The sources as the benchmark of shards found them, for gray images of 768 x 576 pixels."""
    content = json.loads((folder / "shards.json").read_text())
    (ready,) = [
        c for c in content["comparisons"] if "gray images" in c["title"] and "with prompts" in c["title"]
    ]
    rates = {name: median(values) for name, values in ready["samples"].items()}
    facts = {fact["title"]: fact["value"] for fact in content["facts"]}

    def size(what: str) -> float:
        return float(facts[f"An image of gray images {what}"].replace(",", ""))

    raw, file = size("in shards, raw, bytes"), size("in shards, file, bytes")
    return [
        Source("COCO and PNG files", rates["COCO and PNG files"], size("as PNG file, bytes")),
        Source("shards of pixels", rates["shards of pixels"], raw),
        Source("shards of pixels, S3", rates["shards of pixels"], raw, remote=True),
        Source("shards of image files, S3", rates["shards of image files"], file, remote=True),
    ]


def page(sources: list[Source], assumed: Assumed) -> Iterator[str]:
    """The tables, as Markdown."""
    head = ("images from", "a core, images/s", "an image", "cores for a GPU", "workers for a GPU")
    yield "| " + " | ".join((*head, "cores hold back above", "storage holds back above")) + " |"
    yield "|---" * 7 + "|"
    for source in sources:
        # A worker fetches a batch at once, waits for it without a core, and then works on it.
        waits = assumed.latency / assumed.gpu_batch if source.remote else 0.0
        cores, workers = (assumed.gpu_images * (work(source, assumed) + w) for w in (0, waits))
        yield (
            f"| {source.name} | {1 / work(source, assumed):.0f} | {source.bytes / 1e3:.0f} kB | "
            f"{cores:.1f} | {workers:.1f} | "
            f"{assumed.cores_a_gpu / work(source, assumed):,.0f} | "
            f"{_storage(source, assumed) / source.bytes:,.0f} |"
        )
    for job in JOBS:
        yield ""
        yield f"**{job.name}**, {job.passes:.2f} passes, {job.views / 1e6:.2f} million images in all:"
        yield ""
        yield "| images from | GPUs | hours | $ | stored | read in all | first bottleneck | then |"
        yield "|---|---|---|---|---|---|---|---|"
        for source in sources:
            for gpus in GPUS:
                yield _row(source, gpus, plan(job, source, gpus, assumed))
    yield ""
    yield "Assumed:"
    yield ""
    for name, value in asdict(assumed).items():
        yield f"- `{name}`: {value:g}"


def _storage(source: Source, assumed: Assumed) -> float:
    """Bytes a second that a full machine's storage gives each of its GPUs."""
    return (assumed.object_storage if source.remote else assumed.disk) / assumed.gpus_a_node


def _row(source: Source, gpus: int, found: Plan) -> str:
    ordered = sorted(found.shares.items(), key=lambda pair: -pair[1])
    (first, most), (second, less) = ordered[:2]
    return (
        f"| {source.name} | {gpus} | {_hours(found.hours)} | {found.dollars:,.0f} | {_bytes(found.stored)} | "
        f"{_bytes(found.moved)} | {first}{'' if first == 'GPUs' else f', {most:.1f} times what there is'} | "
        f"{second}, {less:.0%} |"
    )


def _hours(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _bytes(value: float) -> str:
    return f"{value / 1e12:,.1f} TB" if value >= 1e12 else f"{value / 1e9:,.0f} GB"


def main() -> int:
    """The command line: each assumption is an option."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--page", type=Path, help="put the tables into this document, between its marks")
    for name, value in asdict(Assumed()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    args: dict[str, Any] = vars(parser.parse_args())
    document = args.pop("page")
    text = "\n".join(page(measured(), replace(Assumed(), **args))) + "\n"
    if document:
        before, rest = document.read_text(encoding="utf-8").split(BEGIN)
        document.write_text(f"{before}{BEGIN}\n{text}{END}{rest.split(END)[1]}", encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
