"""EchoNet-Dynamic: left ventricle at end systole and end diastole, traced as chords."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob
from ..engine.masks import polygons
from ..engine.read import frames, table
from ..engine.types import Card, Case, Category, Dataset, Frame, Skip

SPLITS = {"TRAIN": "train", "VAL": "val", "TEST": "test"}
Traces = dict[int, list[tuple[float, float, float, float]]]


def cases(root: Path) -> Iterator[Case | Skip | CaseError]:
    """One case a video, its traces in the order of the rows."""
    traces: dict[str, Traces] = defaultdict(lambda: defaultdict(list))
    for row in table(glob(root, "VolumeTracings.csv")[0], ("FileName", "X1", "Y1", "X2", "Y2", "Frame")):
        x1, y1, x2, y2 = (float(row[name]) for name in ("X1", "Y1", "X2", "Y2"))
        traces[Path(row["FileName"]).stem][int(float(row["Frame"]))].append((x1, y1, x2, y2))
    videos = {path.stem: path for path in glob(root, "Videos/*.avi")}
    listed = set()
    for row in table(glob(root, "FileList.csv")[0], ("FileName", "Split")):
        stem = Path(row["FileName"]).stem if row["FileName"].lower().endswith(".avi") else row["FileName"]
        listed.add(stem)
        if stem not in traces:
            yield Skip("video without tracing")
        elif stem not in videos:
            yield CaseError(root / "Videos" / f"{stem}.avi", "traced video is missing")
        elif row["Split"].upper() not in SPLITS:
            yield CaseError(videos[stem], f"unknown split {row['Split']!r}")
        else:
            data = {number: list(chords) for number, chords in sorted(traces[stem].items())}
            split = SPLITS[row["Split"].upper()]
            yield Case(stem, {"image": videos[stem]}, subject=stem, split=split, data=data)
    unlisted = len(set(videos) - listed)
    if unlisted:
        yield Skip("video that FileList.csv does not list", unlisted)


def ring(chords: list[tuple[float, float, float, float]]) -> list[tuple[float, float]]:
    """Row 0 is the long axis; then one wall down and the other one up."""
    walls = chords[1:]
    return [(x1, y1) for x1, y1, _, _ in walls] + [(x2, y2) for _, _, x2, y2 in reversed(walls)]


def read(case: Case) -> Iterator[Frame | Skip]:
    """Decode once; frames are numbered from 0."""
    seen = 0
    for index, picture in frames(case.files["image"], case.data):
        seen += 1
        size = (picture.shape[0], picture.shape[1])
        yield Frame(picture, polygons([("left_ventricle", ring(case.data[index]))], size), index=index)
    if seen < len(case.data):
        yield Skip("traced frame beyond the end of the video", len(case.data) - seen)


DATASET = Dataset(
    name="echonet_dynamic",
    card=Card(
        title="EchoNet-Dynamic",
        link="https://echonet.github.io/dynamic/",
        citation="Ouyang et al., Nature 2020",
        license="Stanford research use agreement (non-commercial, no redistribution)",
        access="agreement",
        anatomy="left ventricle",
        application="echocardiography",
        organ="heart",
        images=20048,
        masks=20048,
        subjects=10030,
        tree="EchoNet-Dynamic/\n  FileList.csv  VolumeTracings.csv\n  Videos/0X100009310A3BD7FC.avi ...",
        quirks=(
            "file names carry .avi in one table and not in the other",
            "the first row of a trace is the long axis and no chord; rows must not be sorted",
            "frames are numbered from 0; traces beyond the end of a video are counted",
        ),
        differs=("official split", "points are rounded, not cut off"),
        facts={
            "mode": "2D+t",
            "geography": "USA",
            "years": "2016-2018",
            "centres": "one",
            "machines": "several",
            "metadata": "ejection fraction, volumes, frame rate",
            "split_sizes": "7,465/1,288/1,277",
            "context": "cardiac cycles",
            "protocol": "apical four-chamber view",
            "patients": "10,030",
            "annotation": "sonographers",
        },
    ),
    categories=(Category("left_ventricle", "heart"),),
    cases=cases,
    read=read,
    needs=("FileList.csv", "VolumeTracings.csv", "Videos/*.avi"),
)
