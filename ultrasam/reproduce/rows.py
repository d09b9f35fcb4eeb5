"""Tables 1 to 3 of Meyer et al. (IJCARS 2025, arXiv 2411.16222) as data, in percent, and how rows are run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: mAP and mAP50 of the masks. ``ultrasam*`` was trained without any data of the tested organ.
TABLE_1 = """
model      prompt  busbra        mmotu2d       gist514
sam        point   14.2   27.2    2.1    4.7    6.2   12.2
medsam     point    0.0    0.0    0.0    0.0    0.0    0.0
ultrasam   point   67.5   95.7   57.5   85.7   55.5   90.8
ultrasam*  point   58.3   92.7   44.4   70.6    9.3   17.4
sam        box     68.1  100.0   34.5   58.8   57.2   92.2
medsam     box     59.1   98.9   48.8   95.4   30.4   81.0
ultrasam   box     79.1   99.0   79.5  100.0   73.0  100.0
ultrasam*  box     76.5  100.0   79.6  100.0   69.4   98.9
"""
#: Macro precision, recall and F1 of the classification.
TABLE_2 = """
model      task    busbra              mmotu2d             gist514
resnet50   class   72.1  70.2  70.9    40.6  40.5  38.4    83.4  82.3  81.9
sam        class   80.1  78.3  79.1    52.3  51.6  51.2    86.7  85.1  84.8
medsam     class   84.9  82.9  83.8    57.9  50.6  52.2    72.4  70.1  69.1
ultrasam   class   87.6  87.5  87.5    62.6  62.4  62.0    78.2  74.2  73.5
"""
#: Mask2Former: mAP and mAP50 of the boxes, mAP and mAP50 of the masks.
TABLE_3 = """
model      task         busbra                  mmotu2d                 gist514
resnet50   mask2former  60.1  84.3  59.0  83.5  19.1  27.4  18.9  27.4  36.2  56.8  37.3  60.5
sam        mask2former  55.2  77.2  54.7  78.0  19.6  28.8  19.3  28.9  43.5  66.2  44.0  61.5
medsam     mask2former  58.7  83.4  57.4  84.2  18.2  27.3  18.2  28.1  34.3  55.0  34.8  53.7
ultrasam   mask2former  60.7  86.0  60.9  87.2  23.5  33.9  23.5  34.2  37.8  59.0  38.4  58.0
"""
METRICS = {
    1: ("segm_mAP", "segm_mAP_50"),
    2: ("precision", "recall", "f1"),
    3: ("bbox_mAP", "bbox_mAP_50", "segm_mAP", "segm_mAP_50"),
}
#: Test alone is repeatable but for the split, which the paper does not state; training is one run of several.
TOLERANCE = {"test": 1.0, "train": 3.0}


@dataclass(frozen=True)
class DataSet:
    """A test set: its name in configurations, its converter, and the organ that ``ultrasam*`` never saw."""

    config: str
    converter: str
    organ: str


DATASETS = {
    "busbra": DataSet("bus-bra", "bus_bra", "breast"),
    "mmotu2d": DataSet("mmotu2d", "mmotu_2d", "ovary"),
    "gist514": DataSet("gist514-db", "gist514_db", "gastrointestinal"),
}
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
        id: such as ``ultrasam-box-busbra``.
        table: 1, 2 or 3.
        model: whose weights; ``*`` for those that never saw the organ.
        task: ``point``, ``box``, ``class`` or ``mask2former``.
        dataset: key of `DATASETS`.
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
        organ = DATASETS[self.dataset].organ
        return f"zero_shot/ultrasam_vit-b_us43d-no-{organ}" if self.model.endswith("*") else None


def all_rows() -> list[Row]:
    """Every row of the three tables."""
    rows = []
    for table, text in ((1, TABLE_1), (2, TABLE_2), (3, TABLE_3)):
        names = METRICS[table]
        for line in text.strip().splitlines()[1:]:
            model, task, *numbers = line.split()
            for place, dataset in enumerate(DATASETS):
                values = map(float, numbers[place * len(names) : (place + 1) * len(names)])
                expected = dict(zip(names, values, strict=True))
                rows.append(_row(table, model, task, dataset, expected))
    return rows


def _row(table: int, model: str, task: str, dataset: str, expected: dict[str, float]) -> Row:
    runs = {1: _prompted, 2: _classified, 3: _segmented}[table](model, task, DATASETS[dataset].config)
    name = model.replace("*", "-zero-shot")
    return Row(
        id=f"{name}-{task}-{dataset}",
        table=table,
        model=model,
        task=task,
        dataset=dataset,
        expected=expected,
        tolerance=TOLERANCE["test" if table == 1 and not model.endswith("*") else "train"],
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
