"""Croissant metadata (MLCommons, version 1.0) of a folder of Parquet files with images and masks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrasam.data.files import write_json
from ultrasam.data.formats.credits import Credit
from ultrasam.errors import DataError

FILE = "croissant.json"
#: Columns -> what they hold; `ultrasam.data.formats.parquet.features` has them all.
_TEXTS = {
    "image_id": "The image's id.",
    "file_name": "Its file's name.",
    "dataset": "The data set it comes from.",
    "subject": "The patient, exam or recording; images of one belong on one side of a split.",
}
_SIZES = {"width": "In pixels.", "height": "In pixels."}


def write(out: Path, title: str, credits: Sequence[Credit], files: Mapping[str, Sequence[Path]]) -> None:
    """Describe the Parquet files of a folder.

    Args:
        out: the folder; ``croissant.json`` is written there.
        title: of the data.
        credits: whose they are.
        files: the part's name -> its files, in the folder.

    Raises:
        DataError: mlcroissant finds fault with it.
    """
    import mlcroissant as mlc

    file_set = mlc.FileSet(
        id="parquet",
        name="parquet",
        description="Images with their objects, in parts: " + ", ".join(files),
        encoding_formats=["application/x-parquet"],
        includes=["data/*.parquet"],
    )
    rows = mlc.RecordSet(id="images", name="images", description="One image each.", fields=_fields(mlc))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = mlc.Metadata(
                name=title,
                description=f"Ultrasound images with a mask for each object. {title}".strip(),
                license=list(dict.fromkeys(credit.license for credit in credits)),
                cite_as="\n".join(dict.fromkeys(credit.citation for credit in credits if credit.citation))
                or None,
                url=next((credit.url for credit in credits if credit.url), None),
                distribution=[file_set],
                record_sets=[rows],
            )
    except mlc.ValidationError as error:
        raise DataError(f"no Croissant metadata can be made for {out}: {error}") from error
    write_json(out / FILE, made.to_json(), indent=1)


def _fields(mlc: Any) -> list[Any]:
    def field(name: str, kind: Any, text: str, **more: Any) -> Any:
        source = mlc.Source(file_set="parquet", extract=mlc.Extract(column=name), **more)
        return mlc.Field(id=f"images/{name}", name=name, description=text, data_types=[kind], source=source)

    kinds = mlc.DataType
    pixels = [mlc.Transform(json_path="bytes")]
    return [
        field("image", kinds.IMAGE_OBJECT, "The image.", transforms=pixels),
        *(field(name, kinds.TEXT, text) for name, text in _TEXTS.items()),
        *(field(name, kinds.INTEGER, text) for name, text in _SIZES.items()),
    ]
