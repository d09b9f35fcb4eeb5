"""Breast and thyroid: boxes, classes, reports."""

from __future__ import annotations

from ..engine.types import Card

CARDS = {
    "busv": Card(
        title="Breast Lesion Detection in Ultrasound Videos (BUSV)",
        anatomy="breast",
        organ="breast",
        annotation="boxes",
        application="breast lesion",
        link="https://github.com/jhl-Det/CVA-Net",
        citation="Lin et al., CVA-Net, MICCAI 2022",
        images=188,
        source="row 21 of Alsharid et al. 2025, Table 1",
        quirks=("boxes in videos: of use for a detector",),
        facts={"mode": "2D+t", "geography": "China"},
    ),
    "gdph_sysucc": Card(
        title="GDPH & SYSUCC",
        anatomy="breast",
        organ="breast",
        annotation="classes",
        application="breast lesion",
        citation="Mo et al., HoVer-Trans, TMI 2023",
        images=2405,
        source="row 41 of Alsharid et al. 2025, Table 1",
        facts={"geography": "China"},
    ),
    "chinese_us_report": Card(
        title="Chinese Ultrasound Report Dataset",
        anatomy="breast, thyroid, liver",
        organ="several",
        annotation="reports",
        application="report generation",
        citation="Li et al. 2024",
        images=7390,
        source="row 40 of Alsharid et al. 2025, Table 1",
        facts={"geography": "China", "multimodal": "text and image"},
    ),
    "tn5000": Card(
        title="TN5000",
        anatomy="thyroid nodule",
        organ="thyroid",
        annotation="boxes",
        application="thyroid nodules",
        citation="TN5000, Scientific Data 2025",
        images=5000,
        source="row 65 of Alsharid et al. 2025, Table 1",
        quirks=("boxes and classes: of use for a detector",),
        facts={"geography": "China"},
    ),
    "kfgnet": Card(
        title="KFGNet",
        anatomy="thyroid nodule",
        organ="thyroid",
        annotation="not stated",
        application="thyroid nodules",
        citation="Wang et al., KFGNet",
        images=3668,
        source="row 33 of Alsharid et al. 2025, Table 1",
        quirks=("a set of masks of this name is listed elsewhere; where it is was not found",),
        facts={"mode": "2D+t"},
    ),
}
