"""SonoDQS: how completely a data set is described (Alsharid et al., npj Digital Medicine 2025).

Each characteristic that is filled counts its weight, 2 or 1; the score is their share of all weights. That a
characteristic is "no" (no text beside the images, no Doppler) fills it; that nobody says does not.
"""

from __future__ import annotations

from math import ceil

from .types import Card

#: Characteristics of the SonoDQS checklist (Alsharid et al., npj Digital Medicine 2025) by weight.
IMPORTANT = (
    "name",
    "link",
    "anatomy",
    "mode",
    "multimodal",
    "total",
    "split_sizes",
    "task",
    "geography",
    "years",
    "metadata",
    "machines",
    "centres",
    "access",
)
MINOR = (
    "device",
    "protocol",
    "centre",
    "operator",
    "split_notes",
    "sample",
    "operators",
    "annotation",
    "instructions",
    "annotation_description",
    "merging",
    "application",
    "ethics",
    "usage",
    "challenge",
    "technique",
    "context",
    "patients",
    "doppler",
    "b_mode",
)
TIERS = (
    (0.875, "diamond"),
    (0.77, "platinum"),
    (0.67, "gold"),
    (0.57, "silver"),
    (0.45, "bronze"),
    (0.32, "steel"),
)
_WEIGHTS = {**dict.fromkeys(IMPORTANT, 2), **dict.fromkeys(MINOR, 1)}
TOTAL = sum(_WEIGHTS.values())


def known(card: Card) -> set[str]:
    """The characteristics that the card fills."""
    derived = {
        "name": card.title,
        "link": card.link,
        "anatomy": card.anatomy,
        "application": card.application,
        "access": card.access,
        "total": card.images or card.masks,
        "patients": card.subjects,
        "usage": card.license,
        "task": "segmentation" if card.annotation == "masks" else card.annotation,
        "technique": "ultrasound",
    }
    if card.tree:  # the files are known: images with masks, and no text
        derived |= {"b_mode": "yes", "multimodal": "no"}
    return {key for key, value in {**derived, **card.facts}.items() if value and value != "not stated"}


def points(card: Card) -> int:
    """The weight that is filled, of `TOTAL`."""
    return sum(_WEIGHTS[key] for key in known(card))


def score(card: Card) -> float:
    """The share of the checklist's weight that is filled, by what the card knows."""
    return points(card) / TOTAL


def tier(value: float) -> str:
    """The tier of a score."""
    return next((name for floor, name in TIERS if value >= floor), "unrated")


def lacking(card: Card) -> list[str]:
    """The characteristics that the card does not fill, the important ones first."""
    return [key for key in (*IMPORTANT, *MINOR) if key not in known(card)]


def compare(card: Card, printed: str) -> str:
    """What lies between a card's tier and the one that the review prints.

    Args:
        card: Of the data set.
        printed: The review's tier.
    """
    own = tier(score(card))
    if own == printed:
        return "the same tier"
    floors = [floor for floor, _ in TIERS]
    place = [name for _, name in TIERS].index(printed)
    if score(card) < floors[place]:
        short = ceil(floors[place] * TOTAL) - points(card)
        return f"{short} of {TOTAL} points short, in {', '.join(lacking(card))}"
    most = ceil(floors[place - 1] * TOTAL) - 1
    return f"the review filled at most {most} of {TOTAL} points, this card fills {points(card)}"
