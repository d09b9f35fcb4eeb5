"""Label Studio's labeling interface, as far as it concerns brushes."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from ultrasam.errors import DataError

_EXAMPLE = '<Image name="image" value="$image"/> and <BrushLabels name="brush" toName="image">'


@dataclass(frozen=True)
class BrushTag:
    """Where masks go.

    Attributes:
        name: of the ``BrushLabels`` tag.
        image: name of the ``Image`` tag that it is for.
        key: of the task's data that holds the image.
        labels: that it knows.
    """

    name: str
    image: str
    key: str
    labels: tuple[str, ...]

    def label_for(self, wanted: str | None) -> str:
        """The label of that name; the first one where it has none."""
        return wanted if wanted in self.labels else self.labels[0]  # type: ignore[return-value]


def brush_tag(config: str) -> BrushTag:
    """The first ``BrushLabels`` tag of a labeling interface.

    Raises:
        DataError: it is no XML, or has no such tag with labels for an image.
    """
    # Declarations could make a text of any size from a few lines.
    if "<!DOCTYPE" in config.upper() or "<!ENTITY" in config.upper():
        raise DataError("the labeling interface declares a document type: leave that out")
    try:
        root = ElementTree.fromstring(config)
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise DataError(f"the labeling interface is not readable: {error}") from error
    images = {tag.get("name"): tag.get("value", "") for tag in root.iter() if tag.tag.lower() == "image"}
    for tag in root.iter():
        image = tag.get("toName")
        labels = tuple(str(label.get("value")) for label in tag.iter("Label") if label.get("value"))
        if tag.tag.lower() == "brushlabels" and image in images and labels and tag.get("name"):
            key = images[image]
            if key.startswith("$"):
                return BrushTag(str(tag.get("name")), str(image), key[1:], labels)
    raise DataError(f"the labeling interface has no place for masks: it takes {_EXAMPLE} with labels")
