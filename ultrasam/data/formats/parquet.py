"""A COCO file as a data set of Hugging Face's: Parquet files, a card, and Croissant metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrasam.data.files import atomic, write_text
from ultrasam.data.formats import croissant
from ultrasam.data.formats.credits import NOT_STATED, Credit, credits_of
from ultrasam.data.formats.export_items import Exported, Item, classes_of, require_images
from ultrasam.data.images import encode_mask, read_as_stated

#: COCO's and our names of the parts of a data set -> Hugging Face's.
PARTS = {"train": "train", "val": "validation", "test": "test"}
#: Images that are written at once: readers decode a group as a whole.
GROUP = 50
_OURS = re.compile(rf"({'|'.join(PARTS.values())})-\d{{5,}}\.parquet")
_CC = re.compile(r"CC(0|[ -]BY(?:-NC)?(?:-(?:SA|ND))?)[ -](\d\.\d)")


def write(done: Exported, content: Mapping[str, Any], items: Sequence[Item], shard_size: int) -> None:
    """Write ``data/*.parquet``, ``README.md`` and ``croissant.json``; image files are taken over as they are.

    Args:
        done: says where to.
        content: the COCO file.
        items: its images.
        shard_size: bytes of a Parquet file, about.

    Raises:
        DataError: an image is missing, damaged or of another size than stated.
    """
    require_images(items)
    classes = classes_of(content["categories"])
    names = [name for _, name in sorted(set(classes.values()))]
    for path in (done.out / "data").glob("*.parquet"):
        # Those of an earlier export; what else lies there is somebody's.
        if _OURS.fullmatch(path.name):
            path.unlink()
    files: dict[str, list[Path]] = {}
    for part in dict.fromkeys(PARTS.values()):
        its = [item for item in items if _part(item) == part]
        for number, rows in enumerate(_batches(_rows(its, classes), shard_size)):
            path = done.out / "data" / f"{part}-{number:05d}.parquet"
            _write_file(path, rows, names)
            files.setdefault(part, []).append(path)
    credits = credits_of(content)
    title = str((content.get("info") or {}).get("description") or done.out.name)
    write_text(done.out / "README.md", _card(title, credits, files, len(items), done.objects))
    croissant.write(done.out, title, credits, files)


def features(names: Sequence[str]) -> Any:
    """The columns, as `datasets.Features`.

    Args:
        names: of the classes.
    """
    from datasets import ClassLabel, Features, Image, Value

    shape = {
        "id": Value("string"),
        "category": ClassLabel(names=list(names)),
        "bbox": [Value("float64")],
        "area": Value("float64"),
        "mask": Image(),
    }
    texts = {name: Value("string") for name in ("image_id", "file_name", "dataset", "subject")}
    sizes = {name: Value("int32") for name in ("width", "height")}
    return Features({"image": Image(), **texts, **sizes, "objects": [shape]})


def _part(item: Item) -> str:
    return PARTS.get(str(item.entry.get("split")), "train")


def _rows(items: Iterable[Item], classes: Mapping[Any, tuple[int, str]]) -> Iterator[dict[str, Any]]:
    for item in items:
        entry = item.entry
        assert item.path is not None
        # A damaged file is an error now, not at its reader's.
        read_as_stated(item.path, item.size, f"image {entry['id']}", gray_view=True)
        objects = [
            {
                "id": str(annotation["id"]),
                "category": classes[annotation["category_id"]][0],
                "bbox": [float(v) for v in annotation["bbox"]],
                "area": float(mask.sum()),
                "mask": {"bytes": encode_mask(mask), "path": None},
            }
            for annotation, mask in zip(item.annotations, item.masks(), strict=True)
        ]
        texts = {
            name: None if entry.get(name) is None else str(entry[name])
            for name in ("file_name", "dataset", "subject")
        }
        yield {
            "image": {"bytes": item.path.read_bytes(), "path": Path(entry["file_name"]).name},
            "image_id": str(entry["id"]),
            **texts,
            "width": entry["width"],
            "height": entry["height"],
            "objects": objects,
        }


def _batches(rows: Iterator[dict[str, Any]], size: int) -> Iterator[Iterator[dict[str, Any]]]:
    """The rows of each file, which have to be used up before the next file's."""
    following = next(rows, None)

    def of_file() -> Iterator[dict[str, Any]]:
        nonlocal following
        written = 0
        while following is not None and written < size:
            written += len(following["image"]["bytes"])
            written += sum(len(shape["mask"]["bytes"]) for shape in following["objects"])
            yield following
            following = next(rows, None)

    while following is not None:
        yield of_file()


def _write_file(path: Path, rows: Iterator[dict[str, Any]], names: Sequence[str]) -> None:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    schema = features(names).arrow_schema
    # Images and masks are compressed already.
    with atomic(path) as part, ParquetWriter(part, schema, compression="none") as writer:
        group: list[dict[str, Any]] = []
        for row in rows:
            group.append(row)
            if len(group) == GROUP:
                writer.write_table(pyarrow.Table.from_pylist(group, schema))
                group = []
        if group:
            writer.write_table(pyarrow.Table.from_pylist(group, schema))


def _card(
    title: str, credits: Sequence[Credit], files: Mapping[str, Sequence[Path]], images: int, objects: int
) -> str:
    """The data set's card, with what Hugging Face reads of it at its top."""
    from huggingface_hub import DatasetCardData

    data = DatasetCardData(
        license=hub_license(credits),
        pretty_name=title,
        task_categories=["image-segmentation"],
        tags=["ultrasound", "medical"],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": part, "path": f"data/{part}-*.parquet"} for part in files],
            }
        ],
    )
    lines = [f"---\n{data.to_yaml()}\n---\n", f"# {title}\n"]
    lines.append(f"{images:,} ultrasound images with {objects:,} masks. Each object has a mask of its own.\n")
    lines.append("```python\nfrom datasets import load_dataset\n\ndata = load_dataset(FOLDER)\n```\n")
    lines.append("## Where the data come from\n")
    lines += [_of(credit) for credit in credits]
    return "\n".join(lines)


def _of(credit: Credit) -> str:
    name = ": ".join(part for part in (credit.dataset, credit.title) if part) or "the data"
    lines = [f"- **{name}**", f"  - license: {credit.license}"]
    lines += [f"  - cite: {credit.citation}"] if credit.citation else []
    lines += [f"  - from: {credit.url}"] if credit.url else []
    return "\n".join(lines) + "\n"


def hub_license(credits: Sequence[Credit]) -> str:
    """Hugging Face's word for a license that all share; ``other`` where they differ, the card says how."""
    words = {_hub_word(credit.license) for credit in credits}
    return words.pop() if len(words) == 1 else "other"


def _hub_word(license: str) -> str:
    if license == NOT_STATED:
        return "unknown"
    found = _CC.fullmatch(license.strip())
    if found:
        kind, version = found.groups()
        return f"cc{kind}-{version}".lower().replace(" ", "-")
    plain = license.strip().lower()
    return plain if plain in ("mit", "apache-2.0") else "other"
