"""All clips through all ways of following; finished clips are kept, so that an interrupted run goes on."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ultrasam.data.boxes import tight_box
from ultrasam.data.files import write_json
from ultrasam.data.settings import forget_other_settings
from ultrasam.data.spread import AnyWorkers, each_done
from ultrasam.evaluate.cine.clip_scores import ObjectScores, score
from ultrasam.evaluate.cine.clips import Clip
from ultrasam.evaluate.cine.ways import WAYS, Way
from ultrasam.predict.object_predictor import ObjectPredictor
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.per_worker import PerWorker

#: What is known of an object in its first frame: its true mask, or what the model makes of its true box.
Start = Literal["mask", "box"]


@dataclass(frozen=True)
class ClipRecord:
    """The scores of a clip.

    Attributes:
        name: of the clip.
        dataset: it belongs to.
        group: what of the data set it shows.
        scores: way -> the scores of each object.
        seconds: way -> processor time a frame, all objects.
    """

    name: str
    dataset: str
    group: str
    scores: dict[str, list[ObjectScores]]
    seconds: dict[str, float]

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> ClipRecord:
        """The inverse of `dataclasses.asdict`."""
        scores = {
            way: [ObjectScores(**{**row, "area": [_number(v) for v in row["area"]]}) for row in rows]
            for way, rows in content["scores"].items()
        }
        return cls(**{**content, "scores": scores})


def follow_all(
    predictor: PerWorker[ObjectPredictor],
    clips: Sequence[Clip],
    out: Path,
    start: Start,
    settings: dict[str, Any],
    workers: AnyWorkers = 1,
) -> list[ClipRecord]:
    """Score every clip; records are kept in ``out/clips``.

    Args:
        predictor: segments.
        clips: the clips.
        out: folder of the evaluation; other settings start anew in it.
        start: what is known of an object at first.
        settings: everything else that changes a score.
        workers: processes, or an executor whose workers see the same files.

    Raises:
        UltraSamError: clips killed their workers; the message names them, and all others are kept.
    """
    folder = out / "clips"
    forget_other_settings(folder, {**settings, "start": start}, ["*.json"])
    places = [folder / f"{_stamp(clip):08x}.json" for clip in clips]
    records = {number: record for number, path in enumerate(places) if (record := _kept(path)) is not None}
    todo = [number for number in range(len(clips)) if number not in records]
    there = [replace(clips[n], paths=[path.absolute() for path in clips[n].paths]) for n in todo]
    work = partial(_follow, predictor=predictor, start=start)
    made = each_done(
        work, there, workers, verb="following", unit="clip", name=lambda place: clips[todo[place]].name
    )
    for place, record in made:
        write_json(places[todo[place]], _plain(asdict(record)))
        records[todo[place]] = record
    return [records[number] for number in range(len(clips))]


def _stamp(clip: Clip) -> int:
    return zlib.crc32(repr((clip.name, clip.size, [str(p) for p in clip.paths], clip.targets)).encode())


def _follow(clip: Clip, predictor: PerWorker[ObjectPredictor], start: Start) -> ClipRecord:
    return follow(predictor.get(), clip, start)


def follow(predictor: ObjectPredictor, clip: Clip, start: Start) -> ClipRecord:
    """Score all ways on a clip."""
    scores, seconds = {}, {}
    for name, make in WAYS.items():
        began = time.process_time()
        found = _found(predictor, make, clip, start)
        seconds[name] = (time.process_time() - began) / len(clip)
        scores[name] = [
            score(masks, [clip.target(instance, frame) for frame in range(first, len(clip))])
            for instance, (first, masks) in found.items()
        ]
    return ClipRecord(clip.name, clip.dataset, clip.group, scores, seconds)


def _found(
    predictor: ObjectPredictor, make: Callable[[ObjectPredictor, np.ndarray], Way], clip: Clip, start: Start
) -> dict[int, tuple[int, list[np.ndarray]]]:
    """Object -> its first frame, and its masks (H, W) bool from there to the end."""
    firsts = {instance: min(codes) for instance, codes in clip.targets.items()}
    found: dict[int, tuple[int, list[np.ndarray]]] = {}
    way: Way | None = None
    empty = np.zeros(clip.size, dtype=bool)
    for frame in range(len(clip)):
        image = clip[frame]
        tracked = way.step(image) if way is not None else {}
        way = way or make(predictor, image)
        for instance, entry in tracked.items():
            found[instance][1].append(empty if entry is None else entry.mask)
        for instance in [instance for instance, first in firsts.items() if first == frame]:
            mask = clip.target(instance, frame)
            if start == "box":
                prompt = ObjectPrompt(box=tight_box(mask))
                mask = predictor.segment_once(image, [prompt]).masks[0]
            found[instance] = (frame, [mask])
            way.start(instance, mask)
    return found


def _kept(path: Path) -> ClipRecord | None:
    try:
        return ClipRecord.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _plain(value: Any) -> Any:
    """A record as JSON has it, which knows no NaN."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
