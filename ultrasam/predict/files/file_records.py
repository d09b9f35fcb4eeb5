"""A record for each frame of a run, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ultrasam.data.files import write_bytes, write_json
from ultrasam.errors import DataError
from ultrasam.predict.files.former_results import FormerResults, fingerprint
from ultrasam.predict.files.sources import Frame, Source

#: Counts up where the same prompts come to mean something else: earlier records are then made again.
_VERSION = 5


@dataclass(frozen=True)
class Records:
    """The records in the folder of a run, and the one COCO file that is made of them.

    Attributes:
        out: the folder; records are in ``records/``.
        settings: everything that changes a result; records of other settings do not count.
        categories: COCO's list of categories.
        former: what earlier runs left there.
    """

    out: Path
    settings: dict[str, Any]
    categories: list[dict[str, Any]]
    former: FormerResults

    def digest(self, asked: object, source: Source) -> str:
        """Of everything that a result depends on: settings, what is asked, the file.

        Raises:
            DataError: the file has gone.
        """
        try:
            stats = [path.stat() for path in source.files]
        except OSError as error:
            raise DataError(f"cannot read {source.path}: {error.strerror or error}") from error
        told = [_VERSION, self.settings, repr(asked), *([stat.st_size, stat.st_mtime_ns] for stat in stats)]
        text = json.dumps(told, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()

    def kept(self, frame: Frame, digest: str, *, overlay: bool) -> dict[str, Any] | None:
        """The record of an earlier run of the same digest, if it is whole, and all its files too."""
        try:
            record = json.loads(self._path(frame).read_text())
            if record["settings"] != digest or (overlay and overlay_of(frame) not in record["files"]):
                return None
            whole = record["image"]["name"] == frame.name
            whole &= all(entry["mask"] in record["files"] for entry in record["annotations"])
            whole &= all(fingerprint((self.out / n).read_bytes()) == f for n, f in record["files"].items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return record if whole else None

    def keep(self, frame: Frame, record: dict[str, Any], files: Mapping[str, bytes]) -> None:
        """Write a frame's files, by their names in the folder, and then the record that vouches for them.

        Files of an earlier record of the frame that are not among them go; pictures that somebody has changed
        since get another name.
        """
        self.former.put_aside(frame.name, files)
        for name, data in files.items():
            write_bytes(self.out / name, data)
        self.former.replace_frame(frame.name, files)
        fingerprints = {name: fingerprint(data) for name, data in files.items()}
        write_json(self._path(frame), {**record, "files": fingerprints})

    def write_coco(self, records: Sequence[dict[str, Any]]) -> None:
        """Write ``predictions.json``."""
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, record in enumerate(records, start=1):
            images.append({"id": number, **record["image"]})
            for entry in record["annotations"]:
                annotations.append({**entry, "id": len(annotations) + 1, "image_id": number})
        content = {
            "info": {"description": "segmented by ultrasam predict", **self.settings},
            "images": images,
            "annotations": annotations,
            "categories": self.categories,
        }
        write_json(self.out / "predictions.json", content)

    def _path(self, frame: Frame) -> Path:
        return self.out / "records" / f"{frame.name}.json"


def numbered(record: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a frame's record, each after its number.

    That is its ``track_id`` where it is followed, else its place in the frame, from 1.
    """
    for place, entry in enumerate(record["annotations"], start=1):
        yield entry.get("track_id", place), entry


def overlay_of(frame: Frame) -> str:
    """The name of a frame's overlay in the folder."""
    return f"overlays/{frame.name}.png"
