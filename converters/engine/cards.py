"""What is known of a data set: SonoDQS score and tier, the page of `info`, the tables of the docs."""

from __future__ import annotations

from collections.abc import Iterable

from .types import Dataset

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
COMMAND = "ultrasam convert"


def known(dataset: Dataset) -> set[str]:
    """The characteristics that the card fills."""
    card = dataset.card
    derived = {
        "name": card.title,
        "link": card.link,
        "anatomy": card.anatomy,
        "application": card.application,
        "access": card.access,
        "total": card.images or card.masks,
        "patients": card.subjects,
        "usage": card.license,
        "task": "segmentation",
        "technique": "ultrasound",
        "b_mode": "yes",
    }
    return {key for key, value in {**derived, **card.facts}.items() if value}


def score(dataset: Dataset) -> float:
    """The share of the checklist's weight that is filled, by what the card knows."""
    filled = known(dataset)
    total = 2 * len(IMPORTANT) + len(MINOR)
    return (2 * len(filled & set(IMPORTANT)) + len(filled & set(MINOR))) / total


def tier(value: float) -> str:
    """The SonoDQS tier of a score."""
    return next((name for floor, name in TIERS if value >= floor), "unrated")


def describe(dataset: Dataset) -> str:
    """Everything the card says, for a terminal."""
    card, value = dataset.card, score(dataset)
    lines = [f"{dataset.name}: {card.title}", ""]
    facts = {
        "anatomy": f"{card.anatomy} ({card.application})",
        "how to get it": f"{card.link}  ({card.access})",
        "license": card.license or "not stated",
        "commercial use": "allowed by the license" if card.commercial else "not stated or not allowed",
        "cite": card.citation,
        "expected": ", ".join(
            f"{count:,} {what}"
            for count, what in (
                (card.images, "annotated images"),
                (card.masks, "masks"),
                (card.subjects, "subjects"),
            )
            if count
        ),
        "categories": ", ".join(category.name for category in dataset.categories),
        "SonoDQS": f"{value:.2f} ({tier(value)}), by what this card knows",
        "test set": "benchmark of UltraSam: never trains" if dataset.benchmark else "",
    }
    lines += [f"{key + ':':16}{text}" for key, text in facts.items() if text]
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
    return "\n".join([*lines, "", f"Then: {COMMAND} {dataset.name} --raw FOLDER-OR-ARCHIVE --out DATA"])


def table(datasets: Iterable[Dataset]) -> str:
    """One line a data set, as a Markdown table."""
    head = "| id | data set | anatomy | images | license | access | commercial | SonoDQS |\n"
    rows = [head + "|---|---|---|---|---|---|---|---|"]
    for dataset in datasets:
        card = dataset.card
        count = f"{card.images:,}" if card.images else "?"
        value = score(dataset)
        cells = (
            f"`{dataset.name}`",
            f"[{card.title}]({card.link})",
            card.anatomy,
            count,
            card.license or "not stated",
            card.access,
            "yes" if card.commercial else "no",
            f"{tier(value)} {value:.2f}",
        )
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


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
        lines += [f"- Assumed and checked: {item}" for item in card.guesses]
        lines += [f"- Assumed, and not to be checked: {item}" for item in card.unchecked]
        lines += [f"- Unlike the published conversion: {item}" for item in card.differs]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)
