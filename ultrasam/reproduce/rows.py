"""How each row of the paper's tables 1 to 3 is run; their numbers are in `ultrasam.evaluate.paper_tables`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

from ultrasam.evaluate.paper_tables import Published, published

#: Test alone is repeatable but for the split, which the paper does not state; training is one run of several.
TOLERANCE = {"test": 1.0, "train": 3.0}


#: Test sets, and the organ of each, which ``ultrasam*`` never saw.
ORGANS = {"bus_bra": "breast", "mmotu_2d": "ovary", "gist514_db": "gastrointestinal"}
#: How ids of rows ended in 0.1.
OLD_ENDINGS = {"-busbra": "-bus_bra", "-mmotu2d": "-mmotu_2d", "-gist514": "-gist514_db"}
#: Names in `ultrasam.checkpoints.download.WEIGHTS`.
WEIGHTS = {"sam": "sam_vit_b", "medsam": "medsam", "ultrasam": "ultrasam", "resnet50": "resnet50"}
Column = Literal["official", "measured"]


@dataclass(frozen=True)
class Run:
    """One way to obtain a row's numbers.

    Attributes:
        config: a configuration of the package; empty for a model's native mode.
        fold_residual: emulate the released decoder, which adds the residual of its MLPs twice, with weights
            that were trained without (see `ultrasam.checkpoints.published.halve`).
        note: shown in the report.
    """

    config: str
    fold_residual: bool = False
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One model on one data set.

    Attributes:
        id: such as ``ultrasam-box-bus_bra``.
        table: 1, 2 or 3.
        model: whose weights; ``*`` for those that never saw the organ.
        task: ``point``, ``box``, ``class`` or ``mask2former``.
        dataset: its id, key of `ORGANS`.
        expected: the published numbers in percent.
        tolerance: allowed distance from them in points, for the run that repeats the publication.
        runs: ``official`` repeats the publication (for the post-processing see `ultrasam.preprocess`);
            ``measured`` is our recipe, and the native mode of SAM and MedSAM.
        compared: the run that is held against the published numbers.
    """

    id: str
    table: int
    model: str
    task: str
    dataset: str
    expected: dict[str, float]
    tolerance: float
    runs: dict[Column, Run]
    compared: Column

    @property
    def trains(self) -> bool:
        """Whether a run trains, or tests alone."""
        return self.table != 1

    @property
    def zero_shot_config(self) -> str | None:
        """The configuration that trains the weights of an ``ultrasam*`` row, which are not published."""
        return (
            f"zero_shot/ultrasam_vit-b_us43d-no-{ORGANS[self.dataset]}" if self.model.endswith("*") else None
        )


def all_rows() -> list[Row]:
    """Every row of the three tables."""
    return [_row(paper) for paper in published()]


def current_id(name: str) -> str:
    """A row's id, also of one that 0.1 called otherwise."""
    for old, new in OLD_ENDINGS.items():
        if name.endswith(old):
            warnings.warn(f"row {name} is now {name.removesuffix(old)}{new}", FutureWarning, stacklevel=2)
            return name.removesuffix(old) + new
    return name


def _row(paper: Published) -> Row:
    ways = {1: _prompted, 2: _classified, 3: _segmented}
    runs = ways[paper.table](paper.model, paper.task, paper.dataset)
    repeatable = paper.table == 1 and not paper.model.endswith("*")
    return Row(
        id=f"{paper.model.replace('*', '-zero-shot')}-{paper.task}-{paper.dataset}",
        table=paper.table,
        model=paper.model,
        task=paper.task,
        dataset=paper.dataset,
        expected=paper.numbers,
        tolerance=TOLERANCE["test" if repeatable else "train"],
        runs=runs,
        compared="official" if "official" in runs else "measured",
    )


def _prompted(model: str, prompt: str, data: str) -> dict[Column, Run]:
    name = f"ultrasam_vit-b_{prompt}-refine_{data}"
    if model.startswith("ultrasam"):
        return {"official": Run(f"ultrasam/paper/{name}"), "measured": Run(f"ultrasam/{name}")}
    published = Run(f"ultrasam/paper/{name}", fold_residual=True, note="in the released decoder")
    if model == "medsam" and prompt == "point":
        return {"official": published}
    return {"official": published, "measured": Run("", note="native")}


def _classified(model: str, task: str, data: str) -> dict[Column, Run]:
    backbone = "resnet50" if model == "resnet50" else "vit-b"
    return {"measured": Run(f"downstream/classification/classifier_{backbone}_{data}")}


def _segmented(model: str, task: str, data: str) -> dict[Column, Run]:
    if model == "resnet50":
        return {"official": Run(f"downstream/segmentation/paper/mask2former_resnet50_{data}")}
    return {
        "official": Run(
            f"downstream/segmentation/paper/mask2former_vit-b_{data}", note="four maps of stride 16"
        ),
        "measured": Run(f"downstream/segmentation/mask2former_vit-b_{data}", note="pyramid"),
    }
