"""The table of held-out images: a row for whoever answered which prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ultrasam.report.table import Table

#: Keys of `ultrasam.evaluate.coco_map.evaluate`, and the columns' names.
COLUMNS = {
    "segm_mAP": "mAP",
    "segm_mAP_50": "mAP50",
    "bbox_mAP": "box mAP",
    "mIoU": "mean IoU",
    "Dice": "Dice",
}


def score_table(rows: Sequence[tuple[str, Mapping[str, float], bool]], note: str = "") -> Table:
    """A table in percent.

    Args:
        rows: who answered; the scores, as `ultrasam.evaluate.coco_map.evaluate` gives them; whether the row
            stands out.
        note: more to say below it.
    """
    count = rows[0][1]["num_objects"]
    return Table(
        title="Held-out images",
        head=["", *COLUMNS.values()],
        rows=[[who, *(f"{100 * scores[key]:.1f}" for key in COLUMNS)] for who, scores, _ in rows],
        strong=[number for number, (_, _, strong) in enumerate(rows) if strong],
        note=f"Percent, {count:.0f} objects with one prompt each: the box, or a click in the middle. mAP is "
        f"COCO's, over IoU 0.50 to 0.95. {note}".strip(),
    )
