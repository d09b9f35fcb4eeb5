"""SNOMED CT codes of what is segmented, from the small table ``codes.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from highdicom.sr import CodedConcept

#: The coding scheme of what no standard has a code for, and who is responsible for it.
OURS = "99ULTRASAM"
PREDICTED_IOU = CodedConcept("PREDICTED_IOU", OURS, "Predicted intersection over union")
PREDICTED_QUALITY = CodedConcept("PREDICTED_QUALITY", OURS, "Predicted quality")


@dataclass(frozen=True)
class Coded:
    """What a category name means in SNOMED CT.

    Attributes:
        category: of DICOM's context group 7150 (Segmentation Property Categories).
        kind: the segmented property type, an anatomical structure or a finding.
        region: where a finding is, or None.
        known: whether the table has the name; else the codes say "Tissue" alone.
    """

    category: CodedConcept
    kind: CodedConcept
    region: CodedConcept | None
    known: bool


def coded(name: str) -> Coded:
    """The codes of a category name, such as those of the data sets; case, blanks and dashes don't matter.

    Whether a lesion is benign is not coded: that is a diagnosis, and stays in the label alone.
    """
    table = _table()
    entry = table["names"].get("_".join(name.lower().replace("-", " ").replace("_", " ").split()))
    category = table["categories"][entry["category"] if entry else "tissue"]
    region = entry.get("region") if entry else None
    return Coded(
        _concept(category),
        _concept(entry["type"] if entry else category),
        _concept(region) if region else None,
        entry is not None,
    )


@cache
def _table() -> dict[str, Any]:
    text = (resources.files("ultrasam.pacs") / "codes.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


def _concept(code: list[str]) -> CodedConcept:
    return CodedConcept(code[0], "SCT", code[1])
