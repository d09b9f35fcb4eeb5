"""The numbers of Meyer et al. (IJCARS 2025, arXiv 2411.16222), tables 1 to 3, in percent."""

from __future__ import annotations

from dataclasses import dataclass

#: mAP and mAP50 of the masks. ``ultrasam*`` was trained without any data of the tested organ.
_TABLE_1 = """
model      prompt  bus_bra       mmotu_2d      gist514_db
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
_TABLE_2 = """
model      task    bus_bra             mmotu_2d            gist514_db
resnet50   class   72.1  70.2  70.9    40.6  40.5  38.4    83.4  82.3  81.9
sam        class   80.1  78.3  79.1    52.3  51.6  51.2    86.7  85.1  84.8
medsam     class   84.9  82.9  83.8    57.9  50.6  52.2    72.4  70.1  69.1
ultrasam   class   87.6  87.5  87.5    62.6  62.4  62.0    78.2  74.2  73.5
"""
#: Mask2Former: mAP and mAP50 of the boxes, mAP and mAP50 of the masks.
_TABLE_3 = """
model      task         bus_bra                 mmotu_2d                gist514_db
resnet50   mask2former  60.1  84.3  59.0  83.5  19.1  27.4  18.9  27.4  36.2  56.8  37.3  60.5
sam        mask2former  55.2  77.2  54.7  78.0  19.6  28.8  19.3  28.9  43.5  66.2  44.0  61.5
medsam     mask2former  58.7  83.4  57.4  84.2  18.2  27.3  18.2  28.1  34.3  55.0  34.8  53.7
ultrasam   mask2former  60.7  86.0  60.9  87.2  23.5  33.9  23.5  34.2  37.8  59.0  38.4  58.0
"""
#: Table -> its numbers, in the order of a row.
METRICS = {
    1: ("segm_mAP", "segm_mAP_50"),
    2: ("precision", "recall", "f1"),
    3: ("bbox_mAP", "bbox_mAP_50", "segm_mAP", "segm_mAP_50"),
}


@dataclass(frozen=True)
class Published:
    """One model on one data set.

    Attributes:
        table: 1, 2 or 3.
        model: ``sam``, ``medsam``, ``ultrasam``, ``resnet50``; ``*`` for weights that never saw the organ.
        task: ``point``, ``box``, ``class`` or ``mask2former``.
        dataset: its name among the converters.
        numbers: metric -> percent.
    """

    table: int
    model: str
    task: str
    dataset: str
    numbers: dict[str, float]


def published() -> list[Published]:
    """Every row of the three tables, once for each data set."""
    found = []
    for table, text in ((1, _TABLE_1), (2, _TABLE_2), (3, _TABLE_3)):
        head, *lines = text.strip().splitlines()
        names = METRICS[table]
        for line in lines:
            model, task, *numbers = line.split()
            for place, dataset in enumerate(head.split()[2:]):
                values = map(float, numbers[place * len(names) : (place + 1) * len(names)])
                found.append(Published(table, model, task, dataset, dict(zip(names, values, strict=True))))
    return found


def prompted_map(dataset: str) -> dict[str, dict[str, float]]:
    """Mask mAP of the prompted models in table 1: model -> ``box`` or ``point`` -> percent.

    Empty for a data set that the paper did not test.
    """
    found: dict[str, dict[str, float]] = {}
    for row in published():
        if row.table == 1 and row.dataset == dataset:
            found.setdefault(row.model, {})[row.task] = row.numbers["segm_mAP"]
    return found
