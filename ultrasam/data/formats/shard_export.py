"""A COCO file as WebDataset's tar files, which training reads too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrasam.data import coco
from ultrasam.data.formats.credits import credits_of
from ultrasam.data.formats.export_items import Exported, Item, require_images
from ultrasam.data.shards import shard_writing
from ultrasam.data.shards.shard_writing import NewSample
from ultrasam.data.shards.stored_pixels import Pixels, store


def write(
    done: Exported,
    source: Path,
    images: Path,
    parsed: coco.Parsed,
    items: Sequence[Item],
    *,
    pixels: Pixels,
    shard_size: int,
) -> None:
    """Write all images in the file's order, with the objects that training uses; the others count as lost.

    Args:
        done: says where to, and counts.
        source: the COCO file.
        images: folder below which the images lie.
        parsed: the file.
        items: its images.
        pixels: how images are stored.
        shard_size: bytes of a shard, about.

    Raises:
        DataError: an image is missing or damaged, or nothing in the file can be used.
    """
    require_images(items)
    used = coco.load(source, images, parsed=parsed)
    objects = {image.id: image.annotations for image in used.images}
    done.lost = used.left_out.copy()
    # They are written, without objects.
    del done.lost["images without an object"]
    done.objects = sum(map(len, objects.values()))
    content = parsed.content
    about = {
        "pixels": pixels,
        "info": content.get("info") or {},
        "credits": [credit.to_dict() for credit in credits_of(content)],
        "categories": content["categories"],
    }
    names = {category["id"]: category["name"] for category in content["categories"]}
    samples = _samples(source, items, objects, names, pixels)
    shard_writing.write(done.out, samples, about, shard_size)


def _samples(
    source: Path,
    items: Sequence[Item],
    objects: Mapping[Any, Sequence[Mapping[str, Any]]],
    names: Mapping[Any, str],
    pixels: Pixels,
) -> Iterator[NewSample]:
    for item in items:
        assert item.path is not None
        entry = item.entry
        ending, data = store(item.path, item.size, f"{source}: image {entry['id']}", pixels)
        annotations = [_annotation(a, item.size, names) for a in objects.get(entry["id"], ())]
        yield NewSample(entry, annotations, ending, data)


def _annotation(
    annotation: Mapping[str, Any], size: tuple[int, int], names: Mapping[Any, str]
) -> dict[str, Any]:
    """With its mask as compressed run lengths, as all of COCO's tools read them, and its class in words."""
    rle = coco.to_rle(annotation["segmentation"], size)
    counts = rle["counts"]
    text = counts.decode("ascii") if isinstance(counts, bytes) else counts
    named = {"category": names[annotation["category_id"]]} if "category_id" in annotation else {}
    return {**annotation, **named, "segmentation": {"size": list(size), "counts": text}}
