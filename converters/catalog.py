"""All data sets that are known, converted or not: cards, what the review printed, who fits a wish."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from . import registry
from .engine.cards import describe
from .engine.errors import ConverterError
from .engine.sonodqs import score, tier
from .engine.types import Card, Dataset
from .listed import abdomen, brain_limbs, breast_thyroid, fetus_pelvis, heart_lung, later
from .review import SOURCE, Row, row_of

LISTED = (heart_lung, fetus_pelvis, abdomen, breast_thyroid, brain_limbs, later)
#: Licenses that allow everybody something, whatever their conditions.
_PUBLIC = re.compile(r"(CC|Apache|MIT|ODbL)\b|.*permissive")
LICENCES = ("open", "commercial", "stated", "any")
ORDERS = ("name", "organ", "images", "sonodqs")


@dataclass(frozen=True)
class Entry:
    """A data set of the catalogue.

    Attributes:
        name: Its id.
        card: What is known of it.
        converter: Whether it can be converted here.
        row: Its row of the review's Table 1, None where it has none.
    """

    name: str
    card: Card
    converter: bool
    row: Row | None

    @property
    def license(self) -> str:
        """Never without words."""
        return self.card.license or "not stated"

    @property
    def masks(self) -> bool:
        """Whether its own annotation is masks, of people and for each image."""
        return self.card.annotation == "masks"

    @property
    def source(self) -> str:
        """Where the row comes from."""
        own = self.card.source or self.card.citation or self.card.link
        return own or (f"row {self.row.number} of {SOURCE}" if self.row else "")

    @property
    def sonodqs(self) -> float:
        """By what the card knows, 0 to 1."""
        return score(self.card)

    @property
    def tiers(self) -> str:
        """Ours, and the one that the review prints."""
        ours = f"{tier(self.sonodqs)} {self.sonodqs:.2f}"
        return f"{ours}; review: {self.row.tier}" if self.row else ours


@cache
def entries() -> tuple[Entry, ...]:
    """All, by name."""
    found = [Entry(name, registry.get(name).card, True, row_of(name)) for name in registry.names()]
    for module in LISTED:
        found += [Entry(name, card, False, row_of(name)) for name, card in module.CARDS.items()]
    return tuple(sorted(found, key=lambda entry: entry.name))


def entry(name: str) -> Entry:
    """The one of this id."""
    for found in entries():
        if found.name == name:
            return found
    raise ConverterError(f"unknown data set {name!r}; see: ultrasam convert list")


def select(*, organ: str = "", masks: bool = False, licence: str = "any", sort: str = "name") -> list[Entry]:
    """Those that fit.

    Args:
        organ: A word of the organ or of the anatomy.
        masks: Only those with masks.
        licence: `open` for a public license, `commercial` for one that allows commercial use, `stated` for
            any words.
        sort: By name, organ, images or sonodqs, the most first.

    Raises:
        ConverterError: Another licence or order, or an organ that no card names.
    """
    for what, value, those in (("licence", licence, LICENCES), ("order", sort, ORDERS)):
        if value not in those:
            raise ConverterError(f"there is no {what} {value!r}; there are {', '.join(those)}")
    word = organ.strip().lower()
    fitting = [e for e in entries() if word in f"{e.card.organ} {e.card.anatomy}".lower()]
    if not fitting:
        organs = ", ".join(sorted({e.card.organ for e in entries()}))
        raise ConverterError(f"no data set shows {organ!r}; there are {organs}")
    found = [e for e in fitting if (not masks or e.masks) and allows(e.card, licence)]
    keys = {
        "name": lambda e: e.name,
        "organ": lambda e: (e.card.organ, e.name),
        "images": lambda e: (-(e.card.images or 0), e.name),
        "sonodqs": lambda e: (-e.sonodqs, e.name),
    }
    return sorted(found, key=keys[sort])


def allows(card: Card, licence: str) -> bool:
    """Whether a card's license is at least this open."""
    return {
        "any": True,
        "stated": bool(card.license),
        "open": bool(_PUBLIC.match(card.license)),
        "commercial": card.commercial,
    }[licence]


def table(found: Iterable[Entry]) -> str:
    """A line for each, for a terminal."""
    lines = [f"{'id':24} {'images':>7}  {'organ':17} {'license':34} {'masks':5} {'convert':7} SonoDQS"]
    for e in found:
        count = f"{e.card.images:,}" if e.card.images else "?"
        masks, converter = ("yes" if flag else "no" for flag in (e.masks, e.converter))
        left = f"{e.name:24} {count:>7}  {e.card.organ:17.17} {e.license:34.34}"
        lines.append(f"{left} {masks:5} {converter:7} {e.tiers}")
    return "\n".join(lines)


def info(name: str) -> str:
    """Everything that is known of one, for a terminal."""
    found = entry(name)
    dataset = registry.get(name) if found.converter else None
    return describe(name, found.card, dataset, found.row.tier if found.row else "")


def converter(name: str) -> Dataset:
    """How this one is converted.

    Raises:
        ConverterError: It is not known, or known and not converted.
    """
    found = entry(name)
    if not found.converter:
        what = f"{name} is not converted: its annotation is {found.card.annotation}"
        raise ConverterError(f"{what}; see: ultrasam convert info {name}")
    return registry.get(name)
