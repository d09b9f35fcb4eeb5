"""Whose data a COCO file holds: licenses and citations, which go wherever the data go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ultrasam.converters import catalog
from ultrasam.converters.engine.types import Card

#: Where a file says nothing of it.
NOT_STATED = "not stated"


@dataclass(frozen=True)
class Credit:
    """What has to be said of one data set.

    Attributes:
        dataset: its id, empty where the file names none.
        title: in words.
        license: as its source words it.
        citation: what to cite, empty where that is not known.
        url: where it comes from, empty where that is not known.
    """

    dataset: str
    title: str = ""
    license: str = NOT_STATED
    citation: str = ""
    url: str = ""

    def to_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def credits_of(content: Mapping[str, Any]) -> list[Credit]:
    """The data sets that the images of a COCO file come from, in order.

    What the file's ``info`` says is of its own data set, or of all where it names none; of others the
    catalog's cards are asked.
    """
    info = content.get("info") or {}
    own = str(info.get("dataset") or "")
    names = dict.fromkeys(str(image.get("dataset") or own) for image in content["images"])
    cards = {entry.name: entry.card for entry in catalog.entries()}
    return [
        _of_card(name, cards[name])
        if name in cards and name != own
        else _of_file(name, content, info, cards.get(name))
        if name == own or not own
        else Credit(name)
        for name in names
    ]


def _of_card(name: str, card: Card) -> Credit:
    return Credit(name, card.title, card.license or NOT_STATED, card.citation, card.link or "")


def _of_file(name: str, content: Mapping[str, Any], info: Mapping[str, Any], card: Card | None) -> Credit:
    """As our converters say it in ``info``, or COCO in its list of licenses."""
    listed = content.get("licenses")
    named = [
        str(entry["name"]) for entry in (listed if isinstance(listed, list) else ()) if entry.get("name")
    ]
    said = info.get("licence") or info.get("license") or ", ".join(dict.fromkeys(named))
    citation = info.get("citation") or (card.citation if card else "")
    title, url = (str(info.get(key) or "") for key in ("description", "url"))
    return Credit(name, title, str(said or NOT_STATED), str(citation), url)
