"""Labels of any known format to one COCO file, by the rules that all COCO files are held to."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask

from ultrasam.converters.engine import coco_schema, segmentations
from ultrasam.converters.engine.coco_parsed import Need
from ultrasam.converters.engine.errors import ConverterError
from ultrasam.converters.engine.names import locate, match
from ultrasam.data.files import write_bytes
from ultrasam.data.formats import cvat, label_maps, label_studio, labelme, nifti_pairs, via, yolo
from ultrasam.data.formats.kinds import PICTURES, Recognized, recognize
from ultrasam.data.formats.label_records import Image, Labels, Shape, in_order
from ultrasam.data.images import read_header
from ultrasam.errors import DataError


@dataclass
class Imported:
    """Labels as a COCO file.

    Attributes:
        source: where they come from.
        kind: what that is.
        content: the COCO file; its file names start from the folder.
        folder: of the images.
        left_out: reason -> how many.
        notes: what was taken for what -> how many.
        made: file name -> what makes its PNG file, for images that are slices of volumes.
    """

    source: Path
    kind: str
    content: dict[str, Any]
    folder: Path
    left_out: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    made: Mapping[str, Callable[[], bytes]] = field(default_factory=dict)

    def summary(self) -> str:
        """One line: what was found and what was not taken."""
        images, objects = len(self.content["images"]), len(self.content["annotations"])
        text = f"{self.source}: {self.kind}, {images} images with {objects} objects"
        for what, found in (("left out", +self.left_out), ("note", +self.notes)):
            if found:
                text += f"; {what}: " + ", ".join(f"{n} {reason}" for reason, n in found.items())
        return text

    def write(self, path: Path) -> None:
        """Write the COCO file; one that says the same already stays as it is, with its date.

        Slices of volumes become PNG files in a folder beside it, which is the images' folder then.
        """
        if self.made:
            self.folder = path.absolute().with_name(f"{path.stem}_images")
            for name, make in self.made.items():
                write_bytes(self.folder / name, make())
        data = json.dumps(self.content, ensure_ascii=False).encode()
        if not path.is_file() or path.read_bytes() != data:
            write_bytes(path, data)


def read(source: str | Path, images: str | Path | None = None, *, whole: bool = False) -> Imported:
    """Read labels of any known format.

    Args:
        source: a file or folder; what it is, its content says.
        images: folder below which the images lie; where the labels lie, if it is None.
        whole: of mask images: all of one value is one object; else each connected part is.

    Raises:
        DataError: the labels are of no known kind, damaged, or hold no object; the message says where.
    """
    source = Path(source)
    found = recognize(source, apart=images is not None)
    folder = (found.folder or beside(source)) if images is None else Path(images)
    if not folder.is_dir():
        raise DataError(f"there is no image folder {folder}")
    if found.kind == "coco":
        return _coco(source, found.files[0], folder)
    labels = _labels(found, folder, whole)
    _locate(labels, source, folder)
    content = _numbered(labels)
    parsed = coco_schema.examine(content, Need.MASKS)
    if parsed.problems:
        raise DataError(f"{source}: {parsed.problems[0].message}")
    if not content["annotations"]:
        told = ", ".join(f"{n} {reason}" for reason, n in (+labels.left_out).items()) or "none is in it"
        raise DataError(
            f"{source} ({found.kind}, {len(labels.images)} images) has no object with a mask: {told}"
        )
    made = {image.name: image.make for image in labels.images if image.make is not None}
    if made and len(made) < len(labels.images):
        raise DataError(
            f"{source}: some images are NIfTI and others pictures; import them one after the other"
        )
    notes = labels.notes + parsed.notes
    return Imported(source, found.kind, parsed.content, folder, labels.left_out, notes, made)


def as_coco(source: Path, images: Path | None, out: Path, name: str = "") -> tuple[Path, Path, str]:
    """Labels of any known format as a COCO file and an image folder, for commands that take such.

    Args:
        source: the labels; a COCO file is taken as it is.
        images: folder below which the images lie, or None.
        out: folder that a COCO file made of other labels is written to.
        name: of that file, without its ending; that of the labels where it is empty.

    Returns:
        the COCO file, the image folder, and what was found and left out where other labels were read.

    Raises:
        DataError: as `read`.
    """
    if images is not None and is_coco_file(source):
        return source, images, ""
    imported = read(source, images)
    path = out / "labels" / f"{name or source.absolute().stem}.json"
    imported.write(path)
    return path, imported.folder, imported.summary()


def is_coco_file(source: Path) -> bool:
    """Whether it is a single COCO file, which is used as it is.

    Raises:
        DataError: it is missing, damaged or of no known kind.
    """
    return recognize(source).kind == "coco" and source.is_file()


def beside(source: Path) -> Path:
    """The folder below which the images of labels lie if nobody says."""
    if source.is_dir():
        return source
    parent = source.absolute().parent
    return parent.parent if parent.name.lower() in ("annotations", "labels") else parent


def _labels(found: Recognized, folder: Path, whole: bool) -> Labels:
    if found.kind == "labelme":
        return labelme.read(found.files)
    if found.kind in ("yolo", "masks"):
        assert found.folder is not None
        pictures = found.pictures if folder == found.folder else below(folder)
        if found.kind == "yolo":
            return yolo.read(found.folder, folder, pictures)
        return label_maps.read(found.folder, found.pictures, folder, pictures, whole)
    if found.kind == "nifti":
        assert found.folder is not None
        volumes = below(folder, (*PICTURES, *nifti_pairs.ENDINGS))
        return nifti_pairs.read(found.folder, found.pictures, folder, volumes, whole)
    ((path, content),) = found.files
    if found.kind == "cvat":
        return cvat.read(path, content)
    return (via if found.kind == "via" else label_studio).read(path, content)


def _coco(source: Path, file: tuple[Path, Any], folder: Path) -> Imported:
    """A COCO file as it is, with the names that its image files have here."""
    path, content = file
    try:
        parsed = coco_schema.parse(path, Need.MASKS)
        content = parsed.usable(path)
    except ConverterError as error:
        raise DataError(str(error)) from error
    found, _ = locate(folder, [entry["file_name"] for entry in content["images"]])
    named = {name: Path(os.path.relpath(file, folder)).as_posix() for name, file in found.items()}
    entries = [{**e, "file_name": named.get(e["file_name"], e["file_name"])} for e in content["images"]]
    notes = parsed.notes.copy()
    notes["image files found by another spelling of their name"] += sum(a != b for a, b in named.items())
    notes[f"images that are not below {folder}"] += sum(
        e["file_name"] not in found for e in content["images"]
    )
    return Imported(source, "coco", {**content, "images": entries}, folder, Counter(), +notes)


def _locate(labels: Labels, source: Path, folder: Path) -> None:
    """Find the image files, take their sizes from them, and name images from the folder.

    Raises:
        DataError: a name fits several files, a file is of another size than its labels say, or there is
            neither file nor size.
    """
    unknown = [image for image in labels.images if image.path is None and image.make is None]
    found, ambiguous = locate(folder, [image.name for image in unknown])
    if ambiguous:
        name, fits = next(iter(ambiguous.items()))
        raise DataError(
            f"{source}: '{name}' can't be told apart below {folder}: {' and '.join(fits[:3])} fit"
        )
    stems = _without_endings(folder, [image.name for image in unknown if image.name not in found])
    for image in labels.images:
        if image.make is not None:
            continue
        path = image.path or found.get(image.name) or stems.get(image.name)
        if path is None:
            if image.size is None:
                raise DataError(
                    f"{image.where}: its image '{image.name}' is not below {folder}; say where with --images"
                )
            labels.notes[f"images that are not below {folder}"] += 1
            continue
        size = read_header(path).size
        if image.size not in (None, size):
            (said_h, said_w), (height, width) = image.size or (0, 0), size
            raise DataError(f"{image.where} says {said_w} x {said_h} pixels, {path} has {width} x {height}")
        image.size = size
        image.name = Path(os.path.relpath(path, folder)).as_posix()
    twice = len(labels.images) - len({image.name for image in labels.images})
    labels.notes["further entries of an image that is named twice"] += twice


def _without_endings(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """Names without an ending, such as a video's frames have, and their files."""
    bare = [name for name in names if not Path(name).suffix]
    files = {Path(file).with_suffix("").as_posix(): folder / file for file in below(folder)} if bare else {}
    return {name: files[stem] for name, stem in match(bare, list(files)).found.items()}


def below(folder: Path, endings: tuple[str, ...] = PICTURES) -> list[str]:
    """The files of some endings below a folder, relative to it; images if nothing else is said."""
    files = (p for p in sorted(folder.rglob("*")) if p.name.lower().endswith(endings) and p.is_file())
    return [path.relative_to(folder).as_posix() for path in files]


def _numbered(labels: Labels) -> dict[str, Any]:
    """The COCO file's content; what has no pixels is left out and counted."""
    names = in_order((s.label for image in labels.images for s in image.shapes), labels.classes)
    ids = {name: number for number, name in enumerate(names, start=1)}
    annotations: list[dict[str, Any]] = []
    images = []
    for number, image in enumerate(labels.images, start=1):
        height, width = image.size or (0, 0)
        images.append(
            {"id": number, "file_name": image.name, "height": height, "width": width, **image.extra}
        )
        for shapes in _objects(image.shapes):
            head = {"image_id": number, "category_id": ids[shapes[0].label], "iscrowd": 0}
            annotations.append({**head, **shapes[0].extra, "segmentation": _segmentation(shapes, image)})
    sizes = [(entry["height"], entry["width"]) for entry in images]
    rles = [segmentations.to_rle(a["segmentation"], sizes[a["image_id"] - 1]) for a in annotations]
    areas, boxes = segmentations.areas_and_boxes(rles)
    kept: list[dict[str, Any]] = []
    for annotation, area, box in zip(annotations, areas.tolist(), boxes.tolist(), strict=True):
        if area:
            kept.append({"id": len(kept) + 1, **annotation, "bbox": box, "area": int(area)})
        else:
            labels.left_out["objects smaller than a pixel, or outside of their image"] += 1
    categories = [{"id": number, "name": name} for name, number in ids.items()]
    return {"images": images, "categories": categories, "annotations": kept}


def _objects(shapes: Sequence[Shape]) -> list[list[Shape]]:
    """Shapes that are one object together, in the order of their first."""
    objects: dict[Any, list[Shape]] = {}
    for number, shape in enumerate(shapes):
        key = (number,) if shape.group is None else (shape.label, str(shape.group))
        objects.setdefault(key, []).append(shape)
    return list(objects.values())


def _segmentation(shapes: Sequence[Shape], image: Image) -> Any:
    """The COCO segmentation of an object.

    Raises:
        DataError: an outline is far outside of its image, or something else that no mask can be made of.
    """
    size = image.size or (0, 0)
    rings = [shape.ring for shape in shapes if shape.ring is not None]
    masks = [shape.rle for shape in shapes if shape.rle is not None]
    given: list[Any] = [*masks, *([rings] if rings else [])]
    for reason in segmentations.faults(given, [size] * len(given)):
        if reason is not None:
            raise DataError(f"{image.where}: an object of the class '{shapes[0].label}': {reason}")
    if not masks or len(given) == 1:
        return given[0]
    merged = coco_mask.merge([segmentations.to_rle(part, size) for part in given])
    return {"size": list(size), "counts": merged["counts"].decode("ascii")}
