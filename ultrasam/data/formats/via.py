"""JSON of the VGG Image Annotator, versions 1 and 2: a project, or its exported annotations."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from ultrasam.converters.engine.coco_parsed import shown
from ultrasam.data.formats import shapes
from ultrasam.data.formats.label_records import (
    BOXES,
    OBJECT,
    OPEN,
    Image,
    Labels,
    Shape,
    entries,
    fields,
    number,
    text,
)
from ultrasam.errors import DataError

#: Names that people give to the attribute which holds the class.
CLASS_NAMES = ("class", "label", "name", "type", "category", "object")


def read(path: Path, content: Any) -> Labels:
    """A file that has been parsed.

    Raises:
        DataError: it is damaged, or does not say which attribute is the class.
    """
    given = fields(content, str(path))
    files = fields(given.get("_via_img_metadata", given), f"{path}: '_via_img_metadata'")
    labels, regions = Labels(), []
    for key, entry in files.items():
        where = f"{path}: '{key}'"
        entry = fields(entry, where)
        image = Image(text(entry.get("filename"), f"{where}: 'filename'"), where=where)
        labels.images.append(image)
        found = entry.get("regions", [])
        found = list(found.values()) if isinstance(found, dict) else entries(found, f"{where}: 'regions'")
        for index, region in enumerate(found):
            regions.append(
                (image, fields(region, f"{where}: regions[{index}]"), f"{where}: regions[{index}]")
            )
    attribute = _class_attribute(path, [_attributes(region, where) for _, region, where in regions])
    for image, region, where in regions:
        label = _label(_attributes(region, where).get(attribute), where) if attribute else OBJECT
        _add(
            labels,
            image,
            label,
            fields(region.get("shape_attributes"), f"{where}: 'shape_attributes'"),
            where,
        )
    return labels


def _attributes(region: dict[str, Any], where: str) -> dict[str, Any]:
    return fields(region.get("region_attributes") or {}, f"{where}: 'region_attributes'")


def _class_attribute(path: Path, regions: list[dict[str, Any]]) -> str | None:
    """The attribute that holds the class, None where regions have none."""
    names = Counter(name for attributes in regions for name in attributes)
    for wanted in CLASS_NAMES:
        for name in names:
            if name.strip().lower() == wanted:
                return name
    if len(names) > 1:
        raise DataError(
            f"{path}: regions have the attributes {', '.join(names)}; which is the class? Call it 'class'"
        )
    return next(iter(names), None)


def _label(value: Any, where: str) -> str:
    """A class from a text, or from checkboxes of which one is set."""
    if isinstance(value, dict):
        chosen = [name for name, is_set in value.items() if is_set]
        value = chosen[0] if len(chosen) == 1 else value
    if value is None or value == "" or value == {}:
        return OBJECT
    return text(value, f"{where}: its class")


def _add(labels: Labels, image: Image, label: str, shape: dict[str, Any], where: str) -> None:
    kind = shape.get("name")

    def value(key: str) -> float:
        return number(shape.get(key), f"{where}: its {key}")

    if kind == "polygon":
        columns = [
            [number(v, f"{where}: its {key}") for v in entries(shape.get(key), f"{where}: its {key}")]
            for key in ("all_points_x", "all_points_y")
        ]
        if len(columns[0]) != len(columns[1]):
            raise DataError(f"{where} has {len(columns[0])} x and {len(columns[1])} y")
        labels.add_outline(image, label, [v for pair in zip(*columns, strict=True) for v in pair])
    elif kind == "circle":
        image.shapes.append(Shape(label, shapes.ellipse(value("cx"), value("cy"), value("r"), value("r"))))
    elif kind == "ellipse":
        angle = number(shape.get("theta", 0.0), f"{where}: its theta")
        ring = shapes.ellipse(value("cx"), value("cy"), value("rx"), value("ry"), angle)
        image.shapes.append(Shape(label, ring))
    elif kind == "rect":
        labels.left_out[BOXES] += 1
    elif kind in ("point", "polyline"):
        labels.left_out[OPEN] += 1
    else:
        raise DataError(f"{where} has the shape {shown(kind)}, which is not known")
