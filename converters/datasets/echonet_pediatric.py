"""EchoNet-Pediatric: left ventricle of children in two views, traced as contours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2

from ..engine.errors import CaseError
from ..engine.find import glob
from ..engine.masks import polygons
from ..engine.read import frames, table
from ..engine.types import Card, Case, Category, Dataset, Frame, Skip

Contours = dict[int, list[tuple[float, float]]]


def cases(root: Path) -> Iterator[Case | Skip | CaseError]:
    """Videos of both views; folds 0 to 7 train, 8 validates, 9 tests."""
    views = {view: traces(root, view) for view in ("A4C", "PSAX") if glob(root, f"{view}/FileList.csv")}
    videos = {view: {path.stem: path for path in glob(root, f"{view}/Videos/*.avi")} for view in views}
    first = base(views, videos)
    for view, (contours, without) in views.items():
        if without:
            yield Skip("row `No Systolic` or `No Diastolic`", without)
        for row in table(glob(root, f"{view}/FileList.csv")[0], ("FileName", "Split")):
            stem = row["FileName"].removesuffix(".avi")
            if stem not in contours:
                yield Skip("video without tracing")
            elif stem not in videos[view]:
                yield CaseError(root / view / "Videos" / f"{stem}.avi", "traced video is missing")
            else:
                fold = int(float(row["Split"]))
                yield Case(
                    f"{view}/{stem}",
                    {"image": videos[view][stem]},
                    subject="-".join(stem.split("-")[:2]),
                    split={8: "val", 9: "test"}.get(fold, "train"),
                    label=view,
                    data={number - first: ring for number, ring in sorted(contours[stem].items())},
                )


def traces(root: Path, view: str) -> tuple[dict[str, Contours], int]:
    """The contours by video and frame as written, and the number of rows without a frame."""
    found: dict[str, Contours] = defaultdict(lambda: defaultdict(list))
    without = 0
    for row in table(glob(root, f"{view}/VolumeTracings.csv")[0], ("FileName", "X", "Y", "Frame")):
        if row["Frame"].lower().startswith("no "):
            without += 1
        else:
            point = (float(row["X"]), float(row["Y"]))
            found[row["FileName"].removesuffix(".avi")][int(float(row["Frame"]))].append(point)
    return found, without


def base(views: dict[str, tuple[dict[str, Contours], int]], videos: dict[str, dict[str, Path]]) -> int:
    """Whether frames count from 0 or 1: a 0 or a number equal to the length decides; else 1."""
    numbers = [(v, stem, n) for v, (found, _) in views.items() for stem, c in found.items() for n in c]
    if any(number == 0 for *_, number in numbers):
        return 0
    for view, stem, number in numbers:
        if stem in videos[view] and number == length(videos[view][stem]):
            return 1
    return 1


def length(path: Path) -> int:
    """Number of frames as the container says."""
    reader = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    count = int(reader.get(cv2.CAP_PROP_FRAME_COUNT))
    reader.release()
    return count


def read(case: Case) -> Iterator[Frame | Skip]:
    """Decode once; contours without three points are counted."""
    seen = 0
    for index, picture in frames(case.files["image"], case.data):
        seen += 1
        if len(set(case.data[index])) < 3:
            yield Skip("contour of fewer than three points")
            continue
        size = (picture.shape[0], picture.shape[1])
        extra = {"view": case.label}
        yield Frame(picture, polygons([("left_ventricle", case.data[index])], size), index=index, extra=extra)
    if seen < len(case.data):
        yield Skip("traced frame beyond the end of the video", len(case.data) - seen)


DATASET = Dataset(
    name="echonet_pediatric",
    card=Card(
        title="EchoNet-Pediatric",
        link="https://echonet.github.io/pediatric",
        citation="Reddy et al., JASE 2023",
        license="Stanford research use agreement (non-commercial)",
        access="agreement",
        anatomy="left ventricle (children)",
        application="echocardiography",
        organ="heart",
        images=15450,
        masks=15450,
        tree="echonetpediatric/pediatric_echo_avi/pediatric_echo_avi/"
        "\n  A4C/FileList.csv, VolumeTracings.csv, Videos/*.avi\n"
        "  PSAX/...",
        quirks=(
            "the frame column holds `No Systolic` and `No Diastolic`: counted, not read",
            "an exam may be in both views: its first two tokens are the subject",
            "names come with and without .avi",
        ),
        guesses=("frames count from 1 unless a 0 occurs anywhere; frames beyond the end are counted",),
        differs=("folds 0-7/8/9 are train/val/test",),
        facts={
            "mode": "2D+t",
            "geography": "USA",
            "centres": "one",
            "machines": "several",
            "metadata": "ejection fraction, sex, age, weight, height",
            "split_sizes": "ten folds",
            "patients": "children up to 18 years",
            "context": "cardiac cycles",
            "protocol": "apical four-chamber and parasternal short-axis views",
        },
    ),
    categories=(Category("left_ventricle", "heart"),),
    cases=cases,
    read=read,
    needs=("{A4C,PSAX}/FileList.csv", "{A4C,PSAX}/VolumeTracings.csv", "{A4C,PSAX}/Videos/*.avi"),
)
