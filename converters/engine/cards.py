"""What is known of a data set: the page of `info`, the tables of the docs."""

from __future__ import annotations

from collections.abc import Iterable

from .sonodqs import compare, score, tier
from .types import Card, Dataset

COMMAND = "ultrasam convert"


def describe(name: str, card: Card, dataset: Dataset | None = None, printed: str = "") -> str:
    """Everything the card says, for a terminal.

    Args:
        name: The id.
        card: What is known.
        dataset: How it is converted; None for one that is not.
        printed: The tier that the review prints, if it has the data set.
    """
    value = score(card)
    lines = [f"{name}: {card.title}", ""]
    review = f"; the review prints {printed}: {compare(card, printed)}" if printed else ""
    counts = ((card.images, "images"), (card.masks, "masks"), (card.subjects, "subjects"))
    facts = {
        "anatomy": f"{card.anatomy} ({card.application})" if card.application else card.anatomy,
        "how to get it": f"{card.link or 'no address is known'}  ({card.access})",
        "license": card.license or "not stated",
        "commercial use": "allowed by the license" if card.commercial else "not stated or not allowed",
        "cite": card.citation,
        "source": card.source,
        "annotation": card.annotation,
        "expected": ", ".join(f"{count:,} {what}" for count, what in counts if count),
        "categories": ", ".join(category.name for category in dataset.categories) if dataset else "",
        "SonoDQS": f"{value:.2f} ({tier(value)}), by what this card knows{review}",
        "test set": "benchmark of UltraSam: never trains" if dataset and dataset.benchmark else "",
        "layout": f"from {card.layout}" if card.layout else "",
    }
    lines += [f"{key + ':':16}{text}" for key, text in facts.items() if text]
    if dataset is None:
        lines += ["", "It is not converted here.", *(f"  - {item}" for item in card.quirks)]
        return "\n".join(lines)
    lines += [
        "",
        "Expected tree (archives may stay packed):",
        *(f"  {line}" for line in card.tree.split("\n")),
    ]
    for title, items in (
        ("Traps, and what is done", card.quirks),
        ("Assumed, and checked while converting", card.guesses),
        ("Assumed; nothing in the files can check it", card.unchecked),
        ("Unlike the published conversion", card.differs),
    ):
        if items:
            lines += ["", f"{title}:", *(f"  - {item}" for item in items)]
    return "\n".join([*lines, "", f"Then: {COMMAND} {name} --raw FOLDER-OR-ARCHIVE --out DATA"])


def details(datasets: Iterable[Dataset]) -> str:
    """A section for each data set, as Markdown."""
    parts = []
    for dataset in datasets:
        card = dataset.card
        lines = [
            f"### `{dataset.name}`",
            "",
            f"{card.title}. {card.citation}".strip(),
            "",
            "```text",
            card.tree,
            "```",
            "",
        ]
        lines += [f"- {item}" for item in card.quirks]
        lines += [f"- Layout: from {card.layout}"] if card.layout else []
        lines += [f"- Assumed and checked: {item}" for item in card.guesses]
        lines += [f"- Assumed, and not to be checked: {item}" for item in card.unchecked]
        lines += [f"- Unlike the published conversion: {item}" for item in card.differs]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)
