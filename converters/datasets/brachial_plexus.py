"""Regional-US brachial plexus: videos with a JPEG mask a frame, and needles in six of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob
from ..engine.masks import binary, fit
from ..engine.read import frames, gray
from ..engine.recipes import NO_LABEL
from ..engine.types import Card, Case, Category, Dataset, Frame, Object, Skip

MACHINES = ("eSaote", "Sonosite", "Butterfly")


def numbered(folder: Path) -> dict[int, Path]:
    """Frame number in the file name -> mask; never the position in the list."""
    found = {}
    for path in glob(folder, "*.jpg") if folder.is_dir() else []:
        last = re.search(r"_(\d+)$", path.stem)
        if last:
            found[int(last[1])] = path
    return found


def cases(root: Path) -> Iterator[Case | Skip | CaseError]:
    """One case a video; the demo folder repeats a training case and is left alone."""
    for machine in MACHINES:
        top = root / "data" / machine
        for video in glob(root, f"data/{machine}/videos/*.mp4"):
            nerve = numbered(top / "ac_masks" / video.stem)
            needle = numbered(top / "needle" / "needle_masks" / video.stem)
            if not nerve:
                yield CaseError(video, f"no masks in ac_masks/{video.stem}")
                continue
            masks = {
                **{f"nerve {n}": p for n, p in nerve.items()},
                **{f"needle {n}": p for n, p in needle.items()},
            }
            yield Case(
                f"{machine}/{video.stem}", {"image": video, **masks}, subject=video.stem, label=machine
            )
    demo = len(glob(root, "data/demo/*.{mp4,avi}"))
    if demo:
        yield Skip("demo video (another layout, may repeat a case)", demo)


def read(case: Case) -> Iterator[Frame | Skip]:
    """Decode once; pair by the frame number."""
    masks = {role: path for role, path in case.files.items() if role != "image"}
    wanted = {int(role.split()[1]) for role in masks}
    seen = empty = 0
    for index, picture in frames(case.files["image"], wanted):
        seen += 1
        objects: list[Object] = []
        for role, name in (("nerve", "nerve_plexus"), ("needle", "needle")):
            path = masks.get(f"{role} {index}")
            if path is not None:
                mask, _ = fit(gray(path), (picture.shape[0], picture.shape[1]))
                objects += binary(mask, name)
        if objects:
            yield Frame(picture, objects, index=index, extra={"machine": case.label})
        else:
            empty += 1
    if empty:
        yield Skip(NO_LABEL, empty)
    if seen < len(wanted):
        yield Skip("mask beyond the end of the video", len(wanted) - seen)


DATASET = Dataset(
    name="brachial_plexus",
    card=Card(
        title="Regional-US brachial plexus: nerve block target localization and needle guidance",
        link="https://github.com/Regional-US/brachial_plexus",
        citation="Tyagi et al. 2024",
        license="non-commercial data use agreement",
        anatomy="brachial plexus",
        application="regional anaesthesia, nerve",
        organ="nerve",
        subjects=226,
        tree="brachial_plexus/data/{eSaote,Sonosite,Butterfly}/\n  videos/<id>.mp4"
        "\n  ac_masks/<id>/<id>_<frame:03d>.jpg\n"
        "  needle/needle_masks/<id>/<id>_<frame:03d>.jpg  (Sonosite, six videos)",
        quirks=(
            "masks are JPEG: foreground is 128 and up",
            "masks pair with frames by the number in the name; the needle lists have gaps",
            "nerve and needle overlap and stay two instances",
            "six eSaote videos hold no plexus; the demo folder is left out",
        ),
        guesses=("frames are numbered from 0; masks beyond the end of the video are counted",),
        differs=("needle masks are paired by number and not by position",),
        facts={
            "mode": "2D+t",
            "device": "eSaote, Sonosite, Butterfly iQ",
            "machines": "several",
            "sample": "video",
            "total": "41,000 frames of 227 videos",
            "operator": "anaesthesiologists",
            "protocol": "supraclavicular and interscalene scans",
            "metadata": "age, gender, height, BMI, gain, side",
            "annotation": "active contour in boxes chosen by anaesthetists",
        },
    ),
    categories=(Category("nerve_plexus", "nerve"), Category("needle", "instrument")),
    cases=cases,
    read=read,
    needs=(
        "data/{eSaote,Sonosite,Butterfly}/videos/*.mp4",
        "data/{eSaote,Sonosite,Butterfly}/ac_masks/*/*.jpg",
    ),
)
