"""What a user should be told of a whole conversion: counts unlike the card's, options without effect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from .recipes import NO_LABEL
from .types import Case, Dataset


def warnings(dataset: Dataset, cases: Sequence[Case], images: int, *, whole: bool) -> list[str]:
    """Where what was found is not what the card expects.

    Args:
        dataset: Whose card says what to expect.
        cases: All that were listed.
        images: How many images came out.
        whole: Not only the first cases were converted.
    """
    card, found = dataset.card, []
    if whole and card.images is not None and card.images != images:
        found.append(f"the card expects {card.images} annotated images, {images} were found")
    subjects = {case.subject for case in cases}
    if whole and card.subjects is not None and None not in subjects and len(subjects) != card.subjects:
        found.append(f"the card expects {card.subjects} subjects, {len(subjects)} were found")
    return found


def unheeded(
    cases: Sequence[Case],
    sides: Mapping[str, str],
    skips: Counter[str],
    val: float | None,
    keep_empty: bool | None,
) -> list[str]:
    """Options that were given and change nothing here, and why.

    Args:
        cases: All that were listed.
        sides: Case key -> the side it is on.
        skips: What was left out, by reason.
        val: The share of validation that was asked for, None for the usual one.
        keep_empty: Whether images without objects were asked for.
    """
    found = []
    if val is not None and any(case.split == "val" for case in cases):
        found.append("the share of validation is left aside: the data set has a validation part of its own")
    elif val != 0 and "val" not in sides.values() and "train" in sides.values():
        found.append("nothing validates: all training images are of one subject")
    if keep_empty and skips[NO_LABEL]:
        found.append(
            f"{skips[NO_LABEL]} frames that nobody annotated stay out: that nothing is marked there does "
            "not say that nothing is there"
        )
    return found
