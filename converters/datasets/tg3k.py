"""TG3K: the thyroid gland in frames of 16 videos that the release does not name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.recipes import binary_still
from ..engine.types import Card, Case, Category, Dataset


def cases(root: Path) -> Iterator[Case | CaseError]:
    """A run of frames of one size is a video; the official cut falls inside one and is not used."""
    run, last = 0, None
    for found in match(glob(root, "thyroid-image/*.jpg"), glob(root, "thyroid-mask/*.jpg")):
        if isinstance(found, CaseError):
            yield found
            continue
        try:
            with Image.open(found[0]) as opened:
                size = opened.size
        except OSError as error:
            yield CaseError(found[0], f"no readable image: {error}")
            continue
        run, last = run + (size != last), size
        yield Case(found[0].stem, {"image": found[0], "mask": found[1]}, subject=f"run {run:02d}")


DATASET = Dataset(
    name="tg3k",
    card=Card(
        title="Thyroid Gland 3K (TG3K)",
        link="https://github.com/haifangong/TRFE-Net-for-thyroid-nodule-segmentation",
        citation="Gong et al., TRFE-Net",
        anatomy="thyroid gland",
        application="thyroid",
        organ="thyroid",
        images=3585,
        masks=3585,
        tree="Thyroid Dataset/tg3k/\n  thyroid-image/0000.jpg ...  thyroid-mask/0000.jpg ..."
        "\n  tg3k-trainval.json",
        quirks=(
            "masks are JPEG: foreground is 128 and up, specks are dropped and counted",
            "the official cut (frame 3226) falls inside a video: split by runs of one frame size instead",
        ),
        guesses=("a run of frames of one size is one video (15 runs for 16 videos)",),
        differs=("split by video",),
        facts={"mode": "2D+t", "patients": "16 videos", "sample": "frame of a video", "device": "linear"},
    ),
    categories=(Category("thyroid_gland", "thyroid"),),
    cases=cases,
    read=binary_still("thyroid_gland"),
    needs=("thyroid-image/*.jpg", "thyroid-mask/*.jpg"),
)
