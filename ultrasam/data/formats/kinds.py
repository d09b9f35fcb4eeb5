"""What a file or folder of labels is, told from its content: endings are not relied on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from ultrasam.converters.engine.coco import read_json
from ultrasam.converters.engine.errors import ConverterError
from ultrasam.data.formats import cvat, label_maps, label_studio, nifti_pairs, yolo
from ultrasam.errors import DataError

#: What is understood, for messages.
KNOWN = (
    "COCO, labelme, VIA and Label Studio JSON, CVAT's XML and COCO, YOLO segmentation folders, folders of "
    "masks, NIfTI pairs"
)
#: Endings of image files.
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".gif")
#: Files of a folder that are looked through.
_MOST_FILES = 200_000


@dataclass
class Recognized:
    """Labels of one kind.

    Attributes:
        kind: ``coco``, ``labelme``, ``via``, ``label studio``, ``cvat``, ``yolo``, ``masks`` or ``nifti``.
        files: the label files with what is in them, for kinds that are files of JSON or XML.
        folder: below which the labels were found, or None for a single file.
        pictures: the image files below the folder, relative to it; of ``nifti``, the volumes.
    """

    kind: str
    files: list[tuple[Path, Any]] = field(default_factory=list)
    folder: Path | None = None
    pictures: list[str] = field(default_factory=list)


def recognize(source: Path, apart: bool = False) -> Recognized:
    """What a file or folder is.

    Args:
        source: it.
        apart: the images lie elsewhere, so that image files in a folder are masks, whatever their names.

    Raises:
        DataError: it is missing, damaged, of an unknown kind or of several.
    """
    if source.is_dir():
        return _folder(source, apart)
    if not source.is_file():
        raise DataError(f"there is no file or folder {source}")
    kind, content = _file(source)
    if kind == "yolo":
        return _folder(source.parent, apart)
    if kind is None:
        raise DataError(f"{source} {_why_not(content)}; understood are: {KNOWN}")
    return Recognized(kind, [(source, content)])


def _file(path: Path) -> tuple[str | None, Any]:
    """The kind of a file and what is in it; None where it is no label file."""
    try:
        with path.open("rb") as file:
            start = file.read(4096)
        text = start.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
        if text.startswith("<"):
            root = cvat.parse(path, path.read_bytes())
            return ("cvat" if root.tag == "annotations" else None), root
        if text.startswith(("{", "[")) or b"\0" in start[:4]:
            content = read_json(path)
            return _kind_of_json(content), content
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except ConverterError as error:
        raise DataError(str(error)) from error
    first = text.splitlines()[0] if text else ""
    is_yolo = path.suffix.lower() in (".yaml", ".yml") or yolo.is_line(first)
    return ("yolo" if is_yolo else None), start


def _kind_of_json(content: Any) -> str | None:
    if isinstance(content, list):
        return "label studio" if content and all(map(label_studio.is_task, content[:10])) else None
    if not isinstance(content, dict):
        return None
    if isinstance(content.get("images"), list) and isinstance(content.get("annotations"), list):
        return "coco"
    if "shapes" in content and ("imagePath" in content or "imageData" in content):
        return "labelme"
    if "_via_img_metadata" in content or _is_via(content):
        return "via"
    return "label studio" if label_studio.is_task(content) else None


def _is_via(content: dict[str, Any]) -> bool:
    some = list(islice(content.values(), 10))
    return bool(some) and all(isinstance(v, dict) and "filename" in v and "regions" in v for v in some)


def _why_not(content: Any) -> str:
    """What a file is that is not understood, as far as that can be told."""
    if hasattr(content, "tag"):
        boxes = ": Pascal VOC, which holds boxes" if content.tag == "annotation" else ""
        return f"is XML of another kind, <{content.tag}>{boxes}"
    if isinstance(content, bytes):
        if content.startswith(b"PK"):
            return "is an archive; unpack it and give the folder"
        return "is empty" if not content.strip() else "is no JSON and no XML"
    if isinstance(content, list) and content and isinstance(content[0], dict) and "image_id" in content[0]:
        return "is a list of COCO results, which does not name its images"
    if isinstance(content, dict) and {"project", "metadata", "file"} <= content.keys():
        return "is a project of VIA 3; version 2 or COCO exported from there is understood"
    if isinstance(content, (list, dict)) and not content:
        return "is empty"
    return "is JSON of another kind"


def _folder(folder: Path, apart: bool) -> Recognized:
    files = list(islice(_files(folder), _MOST_FILES + 1))
    if len(files) > _MOST_FILES:
        raise DataError(f"{folder} holds more than {_MOST_FILES:,} files; give the folder of one data set")
    pictures = [path.relative_to(folder).as_posix() for path in files if path.suffix.lower() in PICTURES]
    found: dict[str, list[tuple[Path, Any]]] = {}
    for path in files:
        if path.suffix.lower() in (".json", ".xml"):
            kind, content = _file(path)
            if kind is not None:
                found.setdefault(kind, []).append((path, content))
    if not found:
        volumes = [p.relative_to(folder).as_posix() for p in files if nifti_pairs.is_volume(p.name)]
        if volumes and (apart or any(map(nifti_pairs.is_mask, volumes))):
            return Recognized("nifti", [], folder, volumes)
        return _without_files(folder, pictures, apart)
    if len(found) > 1:
        told = " and ".join(f"{kind} ({its[0][0].name})" for kind, its in found.items())
        raise DataError(f"{folder} holds labels of several kinds, {told}; give the file that is meant")
    ((kind, its),) = found.items()
    if kind != "labelme" and len(its) > 1:
        told = ", ".join(path.relative_to(folder).as_posix() for path, _ in its[:4])
        raise DataError(
            f"{folder} holds {len(its)} files of {kind} labels ({told}); give the one that is meant"
        )
    return Recognized(kind, its, folder, pictures)


def _without_files(folder: Path, pictures: list[str], apart: bool) -> Recognized:
    """YOLO's texts or masks."""
    if any(_is_yolo(path) for path in yolo.label_files(folder)[:20]):
        return Recognized("yolo", [], folder, pictures)
    if pictures and (apart or any(map(label_maps.is_mask, pictures))):
        return Recognized("masks", [], folder, pictures)
    raise DataError(
        f"{folder} ({len(pictures)} images) holds no labels that are understood. Those are: {KNOWN}. "
        "Masks lie in a folder 'masks' beside 'images', or are called 'name_mask.png' beside 'name.png'"
    )


def _is_yolo(path: Path) -> bool:
    with path.open("rb") as file:
        lines = file.read(4096).decode("utf-8", "replace").splitlines()
    return bool(lines) and yolo.is_line(lines[0])


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
