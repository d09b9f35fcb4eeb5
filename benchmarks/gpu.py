"""Everything a GPU answers, within ten minutes, in one file.

    python -m benchmarks.gpu [--out gpu.json] [--minutes 10] [--quick]

Needs torch, numpy, OpenCV and this package; measures segment-anything and transformers too where they are
installed. Attention's variants forward and backward, their errors, the encoder and the training step by
variant and batch with memory and MFU, compiled blocks, the decoder. The file is written after every figure:
nothing is lost when time is up. ``--quick`` measures a small model, also on a CPU: does it run?
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from ultrasam.modeling.build import VARIANTS, Variant, build_variant
from ultrasam.modeling.kernels import attention
from ultrasam.modeling.sam import Sam
from ultrasam.types import Prompts

from . import machine

#: Operations of ViT-b at 1024 px: of an image in the encoder, of a prompt in the decoder.
ENCODER, DECODER = 972e9, 3.6e9
#: Dense bfloat16 peaks as their makers state them, operations a second.
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "4090": 165e12, "A10": 125e12}
SMALL = Variant(embed_dim=64, depth=2, num_heads=2, global_attn_indexes=(1,), img_size=256, window_size=7)
VARIANTS_OF_ATTENTION = ("plain", "chunked", "concatenated", "flex")


class Report:
    """Figures as they come, and the time that is left."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.path = Path(args.out)
        self.quick: bool = args.quick
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.stop = time.monotonic() + 60 * args.minutes
        self.spec = SMALL if args.quick else VARIANTS["vit_b"]
        self.batches = (1, 2) if args.quick else (1, 8, 16, 32)
        self.rows: list[dict[str, Any]] = []
        self.head = {"machine": machine.describe(), "versions": machine.versions(), "quick": args.quick}

    def note(self, what: str, figures: Callable[[], dict[str, Any]], **about: Any) -> None:
        """Measure one thing; a failure is a result too, and running out of memory is one."""
        row: dict[str, Any] = {"what": what, **about}
        if time.monotonic() > self.stop:
            row["skipped"] = "no time left"
        else:
            try:
                row.update(figures())
            except Exception as error:
                row["failed"] = (str(error) or type(error).__name__).splitlines()[0][:200]
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.rows.append(row)
        print(json.dumps(row), flush=True)
        self.path.write_text(json.dumps({**self.head, "figures": self.rows}, indent=1) + "\n")

    def seconds(self, work: Callable[[], object], rounds: int = 10) -> dict[str, Any]:
        """Median, least and largest seconds of a call, and the most memory it took, in MiB."""
        cuda = self.device.type == "cuda"
        work()
        if cuda:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        took: list[float] = []
        began = time.monotonic()
        while len(took) < (2 if self.quick else rounds) and (time.monotonic() - began < 5 or len(took) < 2):
            start = time.perf_counter()
            work()
            if cuda:
                torch.cuda.synchronize()
            took.append(time.perf_counter() - start)
        found: dict[str, Any] = {"seconds": median(took), "least": min(took), "largest": max(took)}
        if cuda:
            found["peak_mib"] = torch.cuda.max_memory_allocated() / 2**20
        return found

    def rate(self, work: Callable[[], object], images: int, operations: float) -> dict[str, Any]:
        """`seconds`, images a second, and the share of the peak that the model's operations come to."""
        found = self.seconds(work)
        rate = images / found["seconds"]
        return {**found, "images_per_second": rate, **self.utilization(rate * operations)}

    def utilization(self, speed: float) -> dict[str, float]:
        name = torch.cuda.get_device_name() if self.device.type == "cuda" else ""
        peak = next((value for key, value in PEAKS.items() if key in name), None)
        return {} if peak is None or self.quick else {"tflops": speed / 1e12, "mfu": speed / peak}


def matmul(report: Report) -> None:
    """What the card does at its best, to hold the rest against."""
    n = 512 if report.quick else 8192
    for dtype in (torch.bfloat16, torch.float32):
        a = torch.randn(n, n, device=report.device, dtype=dtype)

        def figures(a: Tensor = a) -> dict[str, Any]:
            found = report.seconds(lambda: a @ a)
            return {**found, "tflops": 2 * n**3 / found["seconds"] / 1e12}

        report.note("matrix product", figures, size=n, dtype=str(dtype))


def attentions(report: Report) -> None:
    """Each variant on global attention and on windows: seconds forward and with backward."""
    grid = report.spec.img_size // report.spec.patch_size
    window = report.spec.window_size
    per_image = (-(-grid // window)) ** 2
    for batch, (kind, groups, side) in itertools.product(
        report.batches[:2], (("global", 1, grid), ("windows", per_image, window))
    ):
        inputs = _qkv(report, batch * groups, side, torch.bfloat16)
        for name in VARIANTS_OF_ATTENTION:
            for backward in (False, True):

                def figures(
                    name: str = name,
                    backward: bool = backward,
                    inputs: list[Tensor] = inputs,
                    side: int = side,
                ) -> dict[str, Any]:
                    given = [t.detach().requires_grad_(backward) for t in inputs]

                    def work() -> None:
                        with torch.set_grad_enabled(backward):
                            out = _attend(name, given, side)
                        if backward:
                            torch.autograd.grad(out.float().sum(), given)

                    return report.seconds(work)

                about = {"variant": name, "kind": kind, "batch": batch, "backward": backward}
                report.note("attention", figures, **about)


def errors(report: Report) -> None:
    """Relative errors of outputs and gradients against the definition in float32."""
    side = report.spec.img_size // report.spec.patch_size
    exact = _answers("plain", _qkv(report, 1, side, torch.float32), side)
    for name, dtype in itertools.product(VARIANTS_OF_ATTENTION, (torch.float32, torch.bfloat16)):

        def figures(name: str = name, dtype: torch.dtype = dtype) -> dict[str, Any]:
            found = _answers(name, _qkv(report, 1, side, dtype), side)
            names = ("output", "q", "k", "v", "table_h", "table_w")
            return {
                key: float((a.float() - b).norm() / b.norm())
                for key, a, b in zip(names, found, exact, strict=True)
            }

        report.note("relative error", figures, variant=name, dtype=str(dtype))


def _qkv(report: Report, groups: int, side: int, dtype: torch.dtype) -> list[Tensor]:
    """The same random numbers for every dtype."""
    generator = torch.Generator().manual_seed(0)
    d = report.spec.embed_dim // report.spec.num_heads
    shapes = [(groups, report.spec.num_heads, side**2, d)] * 3 + [(2 * side - 1, d)] * 2
    tensors = [torch.randn(shape, generator=generator) for shape in shapes]
    tensors[3:] = [0.1 * table for table in tensors[3:]]
    return [t.to(report.device, dtype) for t in tensors]


def _attend(name: str, inputs: list[Tensor], side: int) -> Tensor:
    """A variant itself, never its stand-in."""
    q, k, v, *tables = inputs
    out = attention.IMPLEMENTATIONS[name](q, k, v, (tables[0], tables[1]), (side, side))
    if name == "flex" and (why := attention.broken(inputs[0])):
        raise RuntimeError(why)
    return out


def _answers(name: str, inputs: list[Tensor], side: int) -> list[Tensor]:
    given = [t.requires_grad_() for t in inputs]
    out = _attend(name, given, side)
    weight = torch.linspace(-1, 1, out.numel(), device=out.device).sin().view_as(out)
    return [out.detach(), *torch.autograd.grad((out.float() * weight).sum(), given)]


def _model(report: Report, variant: str | None, checkpointing: bool = False) -> Sam:
    """Global blocks attend by the variant; windows as always."""
    torch.manual_seed(0)
    sam = build_variant(report.spec, checkpointing=checkpointing).to(report.device)
    for name, p in sam.named_parameters():
        if "rel_pos" in name:
            nn.init.normal_(p, std=0.1)
    for block in sam.image_encoder.blocks:
        if not block.attn.window_size:
            block.attn.implementation = variant
    return sam


def _images(report: Report, batch: int) -> Tensor:
    return torch.randn(batch, 3, report.spec.img_size, report.spec.img_size, device=report.device)


def inference(report: Report) -> None:
    """The encoder in bfloat16, by variant and batch, and compiled; in float32 beside its peers."""
    for variant, compiled in [*((v, False) for v in (*VARIANTS_OF_ATTENTION, None)), (None, True)]:
        sam = _model(report, variant).eval().bfloat16()
        if compiled:
            sam.image_encoder.compile_blocks()
        for batch in report.batches:
            if variant == "plain" and batch > 8:
                continue
            x = _images(report, batch).bfloat16()

            @torch.no_grad()
            def figures(sam: Sam = sam, x: Tensor = x) -> dict[str, Any]:
                return report.rate(lambda: sam.encode_images(x), len(x), ENCODER)

            about = {"variant": variant or "chosen", "batch": batch, "compiled": compiled}
            report.note("encoder", figures, dtype="bfloat16", **about)
    sam = _model(report, None).eval()
    peers: dict[str, Callable[[], Callable[[Tensor], Tensor]]] = {
        "UltraSam": lambda: sam.image_encoder,
        "segment-anything": lambda: _of_segment_anything(report),
        "transformers sdpa": lambda: _of_transformers(report),
    }
    for (name, make), dtype in itertools.product(peers.items(), (torch.float32, torch.bfloat16)):
        x = _images(report, report.batches[0]).to(dtype)

        @torch.no_grad()
        def figures(make: Any = make, x: Tensor = x, dtype: torch.dtype = dtype) -> dict[str, Any]:
            encoder = make().to(report.device, dtype)
            return report.rate(lambda: encoder(x), len(x), ENCODER)

        report.note("encoder of", figures, package=name, dtype=str(dtype), batch=len(x))


def _of_segment_anything(report: Report) -> Any:
    from .models import peer_encoder  # needs segment-anything, which may be missing

    return peer_encoder(report.spec)


def _of_transformers(report: Report) -> Any:
    from transformers import SamVisionConfig
    from transformers.models.sam.modeling_sam import SamVisionEncoder

    spec = report.spec
    config = SamVisionConfig(
        hidden_size=spec.embed_dim,
        num_hidden_layers=spec.depth,
        num_attention_heads=spec.num_heads,
        image_size=spec.img_size,
        window_size=spec.window_size,
        global_attn_indexes=list(spec.global_attn_indexes),
        mlp_dim=4 * spec.embed_dim,
    )
    config._attn_implementation = "sdpa"
    return SamVisionEncoder(config).eval()


def training(report: Report) -> None:
    """A whole step in mixed precision: two decoder passes, fused AdamW."""
    cases = [(v, False, False) for v in ("plain", "concatenated", "flex")]
    cases += [(None, True, False), (None, False, True)]
    for variant, checkpointing, compiled in cases:
        sam = _model(report, variant, checkpointing).train()
        if compiled:
            sam.image_encoder.compile_blocks()
        optimizer = torch.optim.AdamW(sam.parameters(), lr=1e-5, fused=True)
        for batch in report.batches:
            if variant == "plain" and batch > 8:
                continue

            def figures(sam: Sam = sam, batch: int = batch, optimizer: Any = optimizer) -> dict[str, Any]:
                x, step = _images(report, batch), _step(sam, optimizer, report)
                operations = 3 * (ENCODER + 2 * DECODER)
                return report.rate(lambda: step(x), batch, operations)

            about = {"checkpointing": checkpointing, "compiled": compiled, "batch": batch}
            report.note("training step", figures, variant=variant or "chosen", **about)
        del sam, optimizer


def _step(sam: Sam, optimizer: torch.optim.Optimizer, report: Report) -> Callable[[Tensor], None]:
    size = float(report.spec.img_size)

    def step(images: Tensor) -> None:
        n = len(images)
        index = torch.arange(n, device=images.device)
        box = torch.tensor([[0.2, 0.2, 0.7, 0.7]], device=images.device).expand(n, 4) * size
        with torch.autocast(report.device.type, torch.bfloat16):
            embedding = sam.encode_images(images)
            first = sam.decode(embedding, Prompts(index, boxes=box), multimask=False)
            again = Prompts(index, boxes=box).with_masks(first.logits.float())
            second = sam.decode(embedding, again, multimask=False)
            targets = torch.zeros_like(first.logits)
            loss = sum(
                nn.functional.binary_cross_entropy_with_logits(p.logits.float(), targets.float())
                for p in (first, second)
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def decoder(report: Report) -> None:
    """Prompts on one encoded image."""
    sam = _model(report, None).eval()
    grid = report.spec.img_size // report.spec.patch_size
    embedding = torch.randn(1, 256, grid, grid, device=report.device)
    for count in (1, 64):
        boxes = torch.rand(count, 4, device=report.device) * report.spec.img_size / 2
        boxes[:, 2:] += report.spec.img_size / 2
        prompts = Prompts(torch.zeros(count, dtype=torch.long, device=report.device), boxes=boxes)

        @torch.no_grad()
        def figures(prompts: Prompts = prompts) -> dict[str, Any]:
            return report.seconds(lambda: sam.decode(embedding, prompts, multimask=False))

        report.note("decoder", figures, prompts=count)


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", default="gpu.json", metavar="FILE", help="where the figures go (gpu.json)")
    parser.add_argument("--minutes", type=float, default=10, help="begin nothing new after this long (10)")
    parser.add_argument("--quick", action="store_true", help="a small model, a CPU will do: does it run?")
    args = parser.parse_args(argv)
    if not args.quick and not torch.cuda.is_available():
        print("there is no GPU here; --quick runs a small model on the CPU", file=sys.stderr)
        return 2
    report = Report(args)
    # What decides comes first.
    for part in (matmul, errors, inference, training, attentions, decoder):
        part(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
