"""Table 1 of the review of public ultrasound resources, with the ids of its data sets here.

Alsharid et al., npj Digital Medicine 2025, doi 10.1038/s41746-025-02162-4. The tiers are printed there; which
characteristics each is made of is not, so they are compared with what our cards know and not copied.
"""

from __future__ import annotations

from typing import NamedTuple

SOURCE = "Alsharid et al., npj Digital Medicine 2025, doi 10.1038/s41746-025-02162-4"


class Row(NamedTuple):
    """A row: its number and name there, size as counted there, access (`open`, `request`), tier, our ids."""

    number: int
    name: str
    size: int | None
    access: str
    tier: str
    ids: tuple[str, ...]


ROWS = (
    Row(1, "FETAL PLANES DB", 12400, "open", "gold", ("fetal_planes_db",)),
    Row(2, "RESECT", 23, "open", "gold", ("resect",)),
    Row(3, "DDTI", 481, "open", "silver", ("ddti",)),
    Row(4, "Ultrasound Nerve Segmentation", 16778, "open", "bronze", ("us_nerve",)),
    Row(5, "Ultrasound Image Enhancement", 2464, "open", "bronze", ("usenhance",)),
    Row(6, "Tufts Medical Echocardiogram Dataset (TMED)", 6567, "request", "bronze", ("tmed",)),
    Row(7, "COVIDx-US", 242, "open", "bronze", ("covidx_us",)),
    Row(8, "The Open Kidney Ultrasound Dataset", 514, "request", "gold", ("kidney_us",)),
    Row(9, "FPUS23", 15728, "open", "steel", ("fpus23",)),
    Row(10, "Thyroid Ultrasound Cine-clip", 167, "request", "steel", ("thyroid_us_cineclip",)),
    Row(
        11,
        "Reconstructing of 2D Ultrasound (US) Images into a 3D Volume",
        2400,
        "request",
        "bronze",
        ("forearm_3d",),
    ),
    Row(
        12,
        "Fetal Abdominal Structures Segmentation Dataset Using Ultrasonic Images",
        1588,
        "open",
        "gold",
        ("fass",),
    ),
    Row(13, "Echocardiogram Videos (EchoNet-Dynamic)", 10300, "request", "silver", ("echonet_dynamic",)),
    Row(14, "FALLMUD: FASCICLE LOWER LEG MUSCLE ULTRASOUND DATASET", 812, "open", "steel", ("fallmud",)),
    Row(15, "Micro-Ultrasound Prostate Segmentation Dataset", 75, "open", "bronze", ("micro_seg", "mup")),
    Row(16, "CAMUS", 500, "open", "silver", ("camus",)),
    Row(17, "Echocardiography (EchoNet-LVH)", 12000, "open", "silver", ("echonet_lvh",)),
    Row(
        18, "Regensburg Pediatric Appendicitis Dataset", 2097, "open", "bronze", ("regensburg_appendicitis",)
    ),
    Row(19, "Gallbladder Ultrasound Video", 64, "request", "bronze", ("gbusv",)),
    Row(20, "Gallbladder Cancer Ultrasound", 1255, "request", "silver", ("gbcu",)),
    Row(21, "Breast Lesion Detection in Ultrasound Videos (BUSV)", 188, "open", "silver", ("busv",)),
    Row(
        22,
        "Muscle-Tendon Junction Tracking in Ultrasound Images",
        1344,
        "request",
        "bronze",
        ("mtj_tracking",),
    ),
    Row(23, "Breast Ultrasound Images Dataset", 780, "open", "bronze", ("busi",)),
    Row(24, "BITE: Brain Images of Tumors for Evaluation database", 14, "open", "silver", ("bite",)),
    Row(25, "Dermatologic Ultrasound Images for Classification", 202, "open", "steel", ("dermatologic_us",)),
    Row(26, "Polycystic Ovary Ultrasound Images Dataset", 54, "open", "bronze", ("polycystic_ovary",)),
    Row(27, "CUBS", 2176, "open", "gold", ("cubs",)),
    Row(28, "Knee ultrasound dataset in a population-based cohort", 7571, "open", "silver", ("knee_us",)),
    Row(
        29,
        "BioBank: Carotid artery ultrasound image (left) (20222) and (right) (20223)",
        43195,
        "request",
        "steel",
        ("biobank_carotid_20222",),
    ),
    Row(30, "ReMIND2Reg", 104, "open", "silver", ("remind2reg",)),
    Row(31, "ReMIND", 114, "open", "silver", ("remind",)),
    Row(32, "HC18", 1334, "open", "bronze", ("hc18",)),
    Row(33, "KFGNet", 3668, "open", "bronze", ("kfgnet",)),
    Row(34, "BUSIS", 562, "open", "steel", ("busis",)),
    Row(35, "Ultrasound Elastography", 2000, "open", "steel", ("liver_elastography",)),
    Row(36, "TUS-REC", 1200, "open", "steel", ("tus_rec",)),
    Row(37, "Breast Ultrasound B dataset", 163, "open", "bronze", ("bus_b",)),
    Row(38, "Thyroid", 214, "open", "bronze", ("segthy",)),
    Row(39, "CCA", 2307, "open", "bronze", ("cca",)),
    Row(40, "Chinese Ultrasound Report Dataset", 7390, "open", "bronze", ("chinese_us_report",)),
    Row(41, "GDPH & SYSUCC", 2405, "open", "bronze", ("gdph_sysucc",)),
    Row(42, "STU-Hospital", None, "open", "steel", ("stu_hospital",)),
    Row(43, "mu-Reg", None, "open", "steel", ("reg_pro",)),
    Row(44, "mu-RegPro", 108, "open", "steel", ("reg_pro",)),
    Row(45, "UCLA", 1151, "open", "steel", ("ucla_prostate",)),
    Row(46, "LEPset", 11500, "open", "steel", ("lepset",)),
    Row(47, "Geometric Ultrasound Localization Microscopy", None, "open", "steel", ("geometric_ulm",)),
    Row(48, "BioBank Carotid (30005)", 83193, "request", "steel", ("biobank_carotid_30005",)),
    Row(49, "COVID-BLUES", 362, "open", "platinum", ("covid_blues",)),
    Row(50, "POCUS Dataset for COVID-19 Detection", 211, "open", "bronze", ("pocus_covid",)),
    Row(51, "MIMIC-IV-ECHO", 525000, "request", "gold", ("mimic_iv_echo",)),
    Row(52, "Ultrasound Guided Regional Anesthesia", 277, "open", "platinum", ("brachial_plexus",)),
    Row(53, "Unity Imaging Collaborative", 75000, "open", "bronze", ("unity",)),
    Row(54, "C-TRUS Dataset", 827, "open", "steel", ("c_trus",)),
    Row(55, "ACOUSLIC-AI", 600, "open", "platinum", ("acouslic",)),
    Row(56, "PCOSGen", 4668, "open", "bronze", ("pcosgen",)),
    Row(57, "B-mode-and-CEUS-Liver", 120, "request", "bronze", ("bmode_ceus_liver",)),
    Row(58, "BEHSOF", 113, "open", "bronze", ("behsof",)),
    Row(59, "LUMINOUS", 341, "open", "bronze", ("luminous",)),
    Row(60, "liver_ultrasound Computer Vision Project", 400, "open", "bronze", ("liver_ultrasound",)),
    Row(61, "Dataset of B-mode fatty liver ultrasound images", 550, "open", "diamond", ("fatty_liver",)),
    Row(62, "Annotated Ultrasound Liver images Dataset", 735, "request", "bronze", ("aul",)),
    Row(63, "TED project", 98, "open", "bronze", ("ted",)),
    Row(64, "BUS-BRA", 1875, "open", "gold", ("bus_bra",)),
    Row(65, "TN5000", 5000, "open", "platinum", ("tn5000",)),
    Row(
        66, "Cardiac Assessment and Classification of Ultrasound (CACTUS)", 37736, "open", "gold", ("cactus",)
    ),
    Row(67, "POCUS LUS Datasets", 10, "open", "bronze", ("pocus_lus",)),
    Row(
        68,
        "High-Resolution Ultrasound Data for AI-Based Segmentation in Mouse Brain Tumor",
        1856,
        "open",
        "platinum",
        ("mouse_brain_tumor",),
    ),
    Row(69, "Dataset of 3D ultrasound neuroimages", 5, "open", "bronze", ("neuro_3d",)),
    Row(
        70,
        "A Dataset of Lung Ultrasound Images for Automated AI-based Lung Disease Classification",
        1062,
        "open",
        "silver",
        ("lung_us_classes",),
    ),
    Row(
        71,
        "Ultrasound Normal Kidney Image Computer Vision Dataset",
        1080,
        "open",
        "steel",
        ("us_normal_kidney",),
    ),
    Row(
        72,
        "FOCUS: Four-chamber Ultrasound Image Dataset for Fetal Cardiac Biometric Measurement",
        300,
        "open",
        "silver",
        ("focus",),
    ),
)


def row_of(name: str) -> Row | None:
    """The row of a data set by our id; the one of a larger tier where it has two."""
    return next((row for row in reversed(ROWS) if name in row.ids), None)
