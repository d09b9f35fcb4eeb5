"""Clips with annotated objects, from COCO files with the fields of videos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.data import coco
from ultrasam.data.images import read_image
from ultrasam.errors import DataError

#: What files call an object that is the same in several frames: COCO-VID, TAO and BURST, the annotator.
_INSTANCES = ("instance_id", "track_id", "track")


@dataclass(frozen=True)
class Clip:
    """A clip.

    Attributes:
        name: unique among all.
        dataset: it belongs to.
        group: what of the data set it shows; empty where nothing says.
        paths: its frames.
        size: (H, W) of all frames.
        targets: object -> frame -> its mask as compressed RLE, in the frames in which it can be seen.
    """

    name: str
    dataset: str
    group: str
    paths: Sequence[Path]
    size: tuple[int, int]
    targets: Mapping[int, Mapping[int, dict[str, Any]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> np.ndarray:
        """A frame, (H, W, 3) uint8 RGB."""
        return read_image(self.paths[number])

    def target(self, instance: int, frame: int) -> np.ndarray:
        """The mask (H, W) bool of an object, empty where it can't be seen."""
        code = self.targets[instance].get(frame)
        if code is None:
            return np.zeros(self.size, dtype=bool)
        return coco.decode(code, self.size, f"{self.name}: object {instance}, frame {frame}")


def read_clips(
    files: Sequence[Path], images: Path | None, *, splits: Sequence[str] = (), limit: int | None = None
) -> tuple[list[Clip], list[str]]:
    """Read COCO files.

    Images name their clip by ``video_id`` and their place in it by ``frame_id``; annotations name the object
    by ``instance_id``, ``track_id`` or ``track``. Every frame of a clip counts, with or without objects.

    Args:
        files: COCO files.
        images: the folder that their file names start from; ``../images`` beside each where None.
        splits: use only clips whose ``split``, in the video or an image, is one of these; none for all.
        limit: at most so many clips of each file, evenly spread over it.

    Returns:
        the clips with an object in two frames or more, and a line on each file: what is used and left out.

    Raises:
        DataError: a file is no COCO file, has no clips, or something in it makes no sense.
    """
    clips: list[Clip] = []
    notes = []
    for path in files:
        parsed = coco.read(path, coco.Need.MASKS)
        folder = images or path.parent.parent / "images"
        found, left_out = _clips(path, folder, parsed.content, splits)
        if not found:
            reasons = ", ".join(f"{n} {reason}" for reason, n in left_out.items())
            raise DataError(f"{path} has no clip to use" + (f": {reasons}" if reasons else ""))
        if limit is not None and limit < len(found):
            found = [found[i] for i in np.linspace(0, len(found) - 1, limit).round().astype(int)]
        frames, objects = sum(map(len, found)), sum(len(clip.targets) for clip in found)
        note = f"{path}: {len(found)} clips of {frames} frames with {objects} objects"
        notes.append(note + "".join(f"; left out: {n} {reason}" for reason, n in sorted(left_out.items())))
        clips += found
    twice = [name for name, n in Counter(clip.name for clip in clips).items() if n > 1]
    if twice:
        raise DataError(f"two files have a clip of the name {twice[0]}")
    return clips, notes


def _clips(
    path: Path, folder: Path, content: Mapping[str, Any], splits: Sequence[str]
) -> tuple[list[Clip], Counter[str]]:
    videos = {entry.get("id"): entry for entry in content.get("videos", []) if isinstance(entry, dict)}
    frames: dict[Any, list[Mapping[str, Any]]] = {}
    left_out: Counter[str] = Counter()
    for entry in content["images"]:
        if "video_id" in entry:
            frames.setdefault(entry["video_id"], []).append(entry)
        else:
            left_out["images without 'video_id'"] += 1
    marks: dict[Any, list[Mapping[str, Any]]] = {}
    for annotation in content["annotations"]:
        marks.setdefault(annotation["image_id"], []).append(annotation)
    clips = []
    for number, entries in frames.items():
        video = {**entries[0], **videos.get(number, {})}
        if splits and video.get("split") not in splits:
            left_out["clips of other splits"] += 1
            continue
        clip = _clip(path, folder, str(video.get("name", number)), video, entries, marks)
        clips += [clip] if clip.targets else []
        left_out["clips without an object in two frames"] += not clip.targets
    return clips, +left_out


def _clip(
    path: Path,
    folder: Path,
    name: str,
    video: Mapping[str, Any],
    entries: list[Mapping[str, Any]],
    marks: Mapping[Any, Sequence[Mapping[str, Any]]],
) -> Clip:
    where = f"{path}: clip {name}"
    order = [entry.get("frame_id") for entry in entries]
    if not all(isinstance(n, int) for n in order) or len(set(order)) < len(order):
        raise DataError(f"{where}: 'frame_id' of its images must be whole numbers, each one once")
    entries = sorted(entries, key=lambda entry: entry["frame_id"])
    sizes = {(entry["height"], entry["width"]) for entry in entries}
    if len(sizes) > 1:
        raise DataError(f"{where} has frames of several sizes (H, W): {sorted(sizes)[:3]}")
    targets: dict[int, dict[int, dict[str, Any]]] = {}
    for frame, entry in enumerate(entries):
        for annotation in marks.get(entry["id"], ()):
            instance = next((annotation[key] for key in _INSTANCES if key in annotation), None)
            if not isinstance(instance, int):
                raise DataError(
                    f"{where}: annotation {annotation['id']} does not say which object it is; it needs a "
                    f"number as 'instance_id' (or {', '.join(_INSTANCES[1:])})"
                )
            code = coco.as_rle(annotation["segmentation"], next(iter(sizes)), where)
            if frame in targets.setdefault(instance, {}):
                raise DataError(f"{where}: object {instance} is there twice in frame {entry['frame_id']}")
            targets[instance][frame] = code
    paths = [folder / entry["file_name"] for entry in entries]
    missing = [file for file in paths if not file.is_file()]
    if missing:
        raise DataError(f"{where}: {len(missing)} of {len(paths)} frames are missing, such as {missing[0]}")
    seen = {instance: codes for instance, codes in targets.items() if len(codes) > 1}
    dataset, group = str(video.get("dataset") or path.stem), str(video.get("motion", ""))
    return Clip(name, dataset, group, paths, next(iter(sizes)), seen)
