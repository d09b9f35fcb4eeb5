"""AHU heterogeneous ultrasound database: its three layers to a frame list with clip ids and labels.

Classification, not segmentation: `OUT/ahu/images/<clip>/<frame>.jpg` (224 x 224) and
`OUT/ahu/{train,val}.csv` with the columns `file,clip,frame,creator,labels` (labels joined by `|`). Every
tenth frame of a video is taken, as published; frames outside of the main DBSCAN cluster of their clip are
rejected, and the cluster counts only if it holds more than half of the frames.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .engine.coco import write_bytes, write_json
from .engine.errors import CaseError, ConverterError
from .engine.find import glob, natural
from .engine.read import frames, image, lines, table
from .engine.split import SEED, VAL_FRACTION, Record, split_by_subject

LABELS = (
    "Tumor",
    "Cyst",
    "Inflammation",
    "Stone",
    "Nodule",
    "Injury",
    "Calcification",
    "Occupancy",
    "Hernia",
    "Vascular",
    "Polyp",
    "Ectopic",
    "Anomalies",
)
STEP = 10
SIZE = 224
VIDEOS = "{mp4,avi,mov,wmv,mkv}"
STILLS = "{jpg,jpeg,png,bmp}"
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Clip:
    """One sample: a video or a set of images, with one or more labels."""

    name: str
    files: tuple[Path, ...]
    labels: tuple[str, ...]
    creator: str
    rejected: frozenset[str] = frozenset()
    processed: bool = False


@dataclass
class AhuReport:
    """What was listed and what was not."""

    clips: int = 0
    frames: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """The report for a terminal."""
        lines = [f"ahu: {self.frames} frames of {self.clips} clips"]
        lines += [f"  {label}: {count} clips" for label, count in self.labels.most_common()]
        lines += [f"  left out: {count} x {reason}" for reason, count in sorted(self.left_out.items())]
        return "\n".join([*lines, *(f"  failed: {text}" for text in self.failures)])


def convert_ahu(source: Path, out: Path, *, val: float = VAL_FRACTION, seed: str = SEED) -> AhuReport:
    """Make the frame list from any of the three layers, told apart by their file names.

    Raises:
        ConverterError: The folder is none of the layers, or holds nothing that can be read.
    """
    report = AhuReport()
    folder = out / "ahu"
    clips: list[Record] = []
    rows: dict[str, list[list[str]]] = {}
    for clip in _clips(source):
        if isinstance(clip, CaseError):
            report.failures.append(str(clip))
            continue
        try:
            kept = _frames(clip, report)
        except CaseError as error:
            report.failures.append(str(error))
            continue
        if not kept:
            report.left_out["clip without a usable frame"] += 1
            continue
        target = folder / "images" / re.sub(r"[^A-Za-z0-9._-]+", "_", clip.name)
        target.mkdir(parents=True, exist_ok=True)
        clips.append(Record(clip.name, clip.creator or clip.name, dataset="ahu"))
        rows[clip.name] = []
        for number, picture in kept:
            path = target / f"{number:05d}.jpg"
            data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
            write_bytes(data.tobytes(), path)
            name = path.relative_to(folder).as_posix()
            rows[clip.name].append([name, clip.name, str(number), clip.creator, "|".join(clip.labels)])
        report.clips += 1
        report.frames += len(kept)
        report.labels.update(clip.labels)
    if not report.clips:
        raise ConverterError(f"{source}: no clip of the AHU database. {'; '.join(report.failures[:3])}")
    sides = split_by_subject(clips, {"val": val}, seed=seed, exact=False)
    for side in ("train", "val"):
        text = io.StringIO()
        listed = [row for name, its in rows.items() if sides[name] == side for row in its]
        csv.writer(text, lineterminator="\n").writerows(
            [["file", "clip", "frame", "creator", "labels"], *listed]
        )
        write_bytes(text.getvalue().encode(), folder / f"{side}.csv", sync=True)
    write_json({k: v for k, v in vars(report).items()}, folder / "report.json", indent=1)
    return report


def parse_labels(text: str) -> tuple[str, ...]:
    """Labels in a comment or a name, in the order of the list of 13; none if there is none."""
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", text)}
    return tuple(label for label in LABELS if label.lower() in words)


def _clips(source: Path) -> Iterator[Clip | CaseError]:
    if not source.is_dir():
        raise ConverterError(f"{source} is no folder")
    processed = [p for p in sorted(source.iterdir(), key=natural) if p.is_dir() and _sample(p.name)]
    filtered = [p for p in sorted(source.iterdir(), key=natural) if re.match(r"(Video|Photos)_\d+_", p.name)]
    if filtered:
        yield from _filtered(filtered)
    elif processed:
        yield from _processed(processed)
    else:
        yield from _raw(source)


def _sample(name: str) -> re.Match[str] | None:
    return re.fullmatch(r"(\d+)_(.+)", name)


def _processed(folders: Sequence[Path]) -> Iterator[Clip | CaseError]:
    for folder in folders:
        labels = parse_labels(folder.name)
        noise = glob(folder, "noise_files.txt")
        rejected = frozenset(Path(line).name for path in noise for line in lines(path))
        files = tuple(glob(folder, f"*.{STILLS}"))
        yield _checked(folder, Clip(folder.name, files, labels, "", rejected, processed=True))


def _filtered(entries: Sequence[Path]) -> Iterator[Clip | CaseError]:
    groups: dict[str, list[Path]] = {}
    for path in entries:
        groups.setdefault(path.stem if path.is_file() else path.name, []).append(path)
    for name, paths in groups.items():
        files = [f for p in paths for f in (glob(p, f"*.{STILLS}") if p.is_dir() else [p])]
        yield _checked(paths[0], Clip(name, tuple(files), parse_labels(name), ""))


def _raw(source: Path) -> Iterator[Clip | CaseError]:
    for creator in sorted((p for p in source.iterdir() if p.is_dir()), key=natural):
        comments: dict[str, str] = {}
        for path in glob(creator, "*.csv"):
            for row in table(path):
                values = list(row.values())
                comments[Path(values[0]).stem] = " ".join(values[1:])
        for folder in sorted((p for p in creator.iterdir() if p.is_dir()), key=natural):
            files = tuple(glob(folder, f"*.{VIDEOS}") or glob(folder, f"*.{STILLS}"))
            labels = parse_labels(comments.get(folder.name, folder.name))
            yield _checked(folder, Clip(f"{creator.name}/{folder.name}", files, labels, creator.name))


def _checked(path: Path, clip: Clip) -> Clip | CaseError:
    if not clip.labels:
        return CaseError(path, "none of the 13 labels in its name or comment")
    return clip if clip.files else CaseError(path, "no video and no image")


def _frames(clip: Clip, report: AhuReport) -> list[tuple[int, Picture]]:
    found: list[tuple[int, Picture]] = []
    for number, path in enumerate(clip.files):
        if path.name in clip.rejected:
            report.left_out["frame listed in noise_files.txt"] += 1
        elif path.suffix.lower()[1:] in VIDEOS:
            found += [(i, _square(frame)) for i, frame in frames(path) if i % STEP == 0]
        else:
            found.append((number, _square(image(path))))
    if clip.processed or len(found) < 3:
        return found
    keep = main_cluster([picture for _, picture in found])
    report.left_out["frame outside of the clip's main cluster"] += int((~keep).sum())
    return [item for item, good in zip(found, keep, strict=True) if good]


def _square(picture: Picture) -> Picture:
    color = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    return np.asarray(cv2.resize(color, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8)


def main_cluster(pictures: Sequence[Picture], *, eps: float = 0.15, samples: int = 3) -> NDArray[np.bool_]:
    """Which frames belong to the largest DBSCAN cluster; all, if none holds more than half.

    Frames are compared as unit vectors of their 16 x 16 thumbnails, so `eps` is nearly the angle.
    """
    from sklearn.cluster import DBSCAN

    small: list[Any] = [
        cv2.resize(p, (16, 16), interpolation=cv2.INTER_AREA).astype(np.float64) for p in pictures
    ]
    vectors = np.stack([v.ravel() / (np.linalg.norm(v) + 1e-9) for v in small])
    labels = DBSCAN(eps=eps, min_samples=samples).fit_predict(vectors)
    counts = Counter(labels[labels >= 0].tolist())
    if counts:
        label, count = counts.most_common(1)[0]
        if count > len(pictures) / 2:
            return np.asarray(labels == label, bool)
    return np.ones(len(pictures), bool)
