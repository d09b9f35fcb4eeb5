"""The scores of an evaluation, and their form in ``results.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ultrasam.data.files import write_text
from ultrasam.errors import DataError
from ultrasam.evaluate.metrics import Calibration, ClicksTo
from ultrasam.evaluate.protocol import Condition, Protocol

_ON_DISK = {
    "map": "mAP",
    "map50": "mAP50",
    "map75": "mAP75",
    "mean_iou": "mIoU",
    "dice": "Dice",
    "hd95": "HD95",
    "hd95_median": "HD95_median",
    "boundary_f": "boundary_F",
    "empty": "empty",
    "hd95_mm": "HD95_mm",
}


@dataclass(frozen=True)
class Scores:
    """How one condition's masks fit, over many objects; shares are of 1.

    Attributes:
        map: COCO's mAP, over IoU 0.50 to 0.95; ``map50`` and ``map75`` at one IoU.
        mean_iou: of the objects.
        dice: mean.
        hd95: mean, pixels; ``hd95_median`` their median.
        boundary_f: mean.
        empty: number of masks without a pixel.
        hd95_mm: mean of the objects whose spacing is known; None where it is of none.
    """

    map: float
    map50: float
    map75: float
    mean_iou: float
    dice: float
    hd95: float
    hd95_median: float
    boundary_f: float
    empty: float
    hd95_mm: float | None = None

    def to_json(self) -> dict[str, float]:
        """For JSON, under the names of `_ON_DISK`."""
        values = {name: getattr(self, attribute) for attribute, name in _ON_DISK.items()}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_json(cls, content: Mapping[str, float]) -> Scores:
        """The inverse of `to_json`."""
        return cls(**{a: content[name] for a, name in _ON_DISK.items() if name in content})


@dataclass(frozen=True)
class GroupScores:
    """The scores of some images: all, those of a data set, or those of an organ.

    Attributes:
        images: their number.
        objects: their number.
        seconds: median an image, by step.
        scores: by condition.
        calibration: by prompt.
        clicks: to an IoU, in percent.
        organ: of a data set; empty where nothing says.
    """

    images: int
    objects: int
    seconds: dict[str, float]
    scores: dict[Condition, Scores]
    calibration: dict[str, Calibration]
    clicks: dict[int, ClicksTo]
    organ: str = ""

    def to_json(self) -> dict[str, Any]:
        """For JSON: conditions as text, ``NoC85`` and ``never85`` for the clicks to an IoU of 0.85."""
        clicks: dict[str, float] = {}
        for percent, needed in self.clicks.items():
            clicks |= {f"NoC{percent}": needed.mean, f"never{percent}": needed.never}
        return {
            "images": self.images,
            "objects": self.objects,
            "seconds": self.seconds,
            "scores": {str(condition): scores.to_json() for condition, scores in self.scores.items()},
            "calibration": {prompt: asdict(fit) for prompt, fit in self.calibration.items()},
            "clicks": clicks,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> GroupScores:
        """The inverse of `to_json`; ``organ`` is there in data sets alone."""
        clicks = content["clicks"]
        percents = [int(name.removeprefix("NoC")) for name in clicks if name.startswith("NoC")]
        return cls(
            images=content["images"],
            objects=content["objects"],
            seconds=dict(content["seconds"]),
            scores={
                Condition.parse(text): Scores.from_json(part) for text, part in content["scores"].items()
            },
            calibration={prompt: _calibration(**fit) for prompt, fit in content["calibration"].items()},
            clicks={p: ClicksTo(clicks[f"NoC{p}"], clicks[f"never{p}"]) for p in percents},
            organ=content.get("organ", ""),
        )


def _calibration(bins: list[list[float]], **numbers: float) -> Calibration:
    return Calibration(**numbers, bins=[(predicted, real, int(n)) for predicted, real, n in bins])


@dataclass(frozen=True, kw_only=True)
class SubjectCard:
    """Which model was evaluated, and how.

    Attributes:
        checkpoint: the file's name, or the name of weights.
        weights: fingerprint of the weights: others under the same name are another subject.
        options: of `ultrasam.Predictor`, as text.
        closer: each object was segmented in the region round it.
        published: with the published test's two passes.
        version: of this package.
    """

    checkpoint: str
    weights: str = ""
    options: dict[str, str]
    closer: bool = False
    published: bool
    version: str


@dataclass(frozen=True)
class Results:
    """An evaluation.

    Attributes:
        title: of its report.
        command: that repeats it.
        subject: the model.
        protocol: what it was asked.
        data: a line on each COCO file: what is used and what is left out.
        overall: the scores of all images.
        datasets: those of each data set.
        organs: those of each organ that has several data sets.
    """

    title: str
    command: str
    subject: SubjectCard
    protocol: Protocol
    data: list[str]
    overall: GroupScores
    datasets: dict[str, GroupScores]
    organs: dict[str, GroupScores]

    def groups(self) -> Iterator[tuple[str, GroupScores]]:
        """Name and scores of each data set, each organ of several data sets, and all together."""
        for name, group in self.datasets.items():
            yield (f"{name} ({group.organ})" if group.organ else name), group
        for name, group in self.organs.items():
            yield f"all of {name}", group
        if len(self.datasets) > 1:
            yield "all", self.overall

    def to_json(self) -> dict[str, Any]:
        """The content of ``results.json``."""
        return {
            "title": self.title,
            "command": self.command,
            "subject": asdict(self.subject),
            "protocol": self.protocol.to_json(),
            "data": self.data,
            "all": self.overall.to_json(),
            "datasets": {
                name: {"organ": group.organ, **group.to_json()} for name, group in self.datasets.items()
            },
            "organs": {name: group.to_json() for name, group in self.organs.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Results:
        """The inverse of `to_json`."""
        datasets, organs = (
            {name: GroupScores.from_json(part) for name, part in content[key].items()}
            for key in ("datasets", "organs")
        )
        return cls(
            title=content["title"],
            command=content["command"],
            subject=SubjectCard(**content["subject"]),
            protocol=Protocol.from_json(content["protocol"]),
            data=list(content["data"]),
            overall=GroupScores.from_json(content["all"]),
            datasets=datasets,
            organs=organs,
        )

    def write(self, folder: Path) -> None:
        """Write ``results.json``."""
        write_text(folder / "results.json", json.dumps(self.to_json(), indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Results:
        """The results of an earlier evaluation.

        Raises:
            DataError: there are none in the folder, or they are of another version.
        """
        path = folder / "results.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"no results of an evaluation at {path}; give the --out of an earlier one"
            ) from error
        try:
            return cls.from_json(content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{path} holds no results of 'ultrasam evaluate': {type(error).__name__} {error}"
            ) from error
