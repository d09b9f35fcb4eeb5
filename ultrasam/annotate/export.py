"""Labels to take away: the COCO file, or an archive in another tool's format."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from ultrasam.annotate.session import Session
from ultrasam.data import files
from ultrasam.data.formats import export_items, exporting
from ultrasam.errors import PromptError

#: Formats that are made of the COCO file, each as an archive.
ARCHIVES = ("png", "yolo", "labelme", "nifti")
_PIECE = 2**20


@dataclass(frozen=True)
class Download:
    """A file to take away.

    Attributes:
        name: of the file.
        kind: its media type.
        told: what is in it, and what the format could not hold.
        parts: its bytes, in pieces.
    """

    name: str
    kind: str
    told: str
    parts: Iterator[bytes]


def export(session: Session, kind: str) -> Download:
    """All labels in a format, ``coco`` or one of `ARCHIVES`.

    Raises:
        PromptError: an unknown format.
        DataError: there is nothing to export, or an image is missing.
    """
    if kind == "coco":
        content = session.saver.content()
        data = json.dumps(content).encode()
        told = f"labels.json: {len(content['images'])} images with {len(content['annotations'])} objects"
        if session.saver.left_out:
            told += f"; left out: {session.saver.left_out} with an empty mask"
        return Download("labels.json", "application/json", told, iter([data]))
    if kind not in ARCHIVES:
        raise PromptError(f"the format is coco, {', '.join(ARCHIVES)}, not {kind!r:.40}")
    name = f"labels_{kind}.zip"
    archive, done = _archive(session, kind)
    return Download(name, "application/zip", str(replace(done, out=Path(name))), _pieces(archive))


def _archive(session: Session, kind: str) -> tuple[IO[bytes], export_items.Exported]:
    session.saver.write_frames()
    with tempfile.TemporaryDirectory(prefix="ultrasam-export-") as folder:
        source, out = Path(folder) / "labels.json", Path(folder) / "out"
        files.write_json(source, _with_files(session))
        done = exporting.export(source, kind, out, session.items.root)
        file = tempfile.TemporaryFile()  # noqa: SIM115 (closed when its last piece is sent)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for path in sorted(path for path in out.rglob("*") if path.is_file()):
                archive.write(path, path.relative_to(out).as_posix())
    return file, done


def _with_files(session: Session) -> dict[str, Any]:
    """The COCO file without frames that are no files: of clips accepted or skipped without labels."""
    content = session.saver.content()
    used = {annotation.get("image_id") for annotation in content["annotations"]}
    kept = [
        entry
        for entry in content["images"]
        if "frame" not in entry
        or entry.get("id") in used
        or (session.items.root / entry["file_name"]).exists()
    ]
    return {**content, "images": kept}


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(_PIECE):
            yield piece
