"""The basic application confidentiality profile (DICOM PS3.15, annex E), by dicom-anonymizer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ultrasam.errors import UltraSamError

#: The edition of the profile's table that dicom-anonymizer is asked for.
EDITION = "2024b"
#: Codes of PS3.16, CID 7050: value and meaning.
_PROFILE = ("113100", "Basic Application Confidentiality Profile")
_CLEAN_PIXELS = ("113101", "Clean Pixel Data Option")

#: Group and element, with masks of both for groups that repeat.
Tag = tuple[int, ...]
Action = Callable[[Any, Tag], None]


def table() -> dict[str, list[Tag]]:
    """The tags of each action of the profile: X (remove), Z (empty), D (dummy), U (new UID), or a choice.

    Raises:
        UltraSamError: dicom-anonymizer is not installed.
    """
    try:
        from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
    except ImportError as error:
        raise UltraSamError(
            "taking patients out needs dicom-anonymizer: pip install 'ultrasam[deidentify]'"
        ) from error
    found = dicom_anonymization_database_selector(f"dicomfields_{EDITION}")
    return {name.removesuffix("_TAGS"): list(tags) for name, tags in found.items() if name != "ALL_TAGS"}


def apply_profile(dataset: Any) -> Counter[str]:
    """Change a data set, and all that are nested in it, as the profile says; private elements go.

    References to other instances are removed. UIDs are new, the same for the same within a process, and can't
    be led back.

    Args:
        dataset: pydicom's, with ``file_meta``.

    Returns:
        how many elements of each action there were.
    """
    from dicomanonymizer import anonymize_dataset

    by_action = table()
    done: Counter[str] = Counter()
    rules = {tag: _rule(name, done) for name, tags in by_action.items() for tag in tags}
    for nested in _all(dataset):
        done["private"] += sum(1 for element in nested if element.tag.is_private)
        # The library changes a data set's own elements alone, not those of its sequences.
        anonymize_dataset(nested, base_rules_gen=lambda: dict(rules))
    return +done


def say_so(dataset: Any, *, pixels: bool) -> None:
    """Note in a data set what was done to it (PS3.3, C.12.1.1.1).

    Args:
        dataset: pydicom's.
        pixels: whether it is certain that no burned-in text is left; the option of that, and "NO" as the
            value of Burned In Annotation, belong together (PS3.15, E.3.1). Else that stays as it was.
    """
    from pydicom import Dataset

    dataset.PatientIdentityRemoved = "YES"
    dataset.LongitudinalTemporalInformationModified = "REMOVED"
    dataset.DeidentificationMethod = f"UltraSam, PS3.15 {EDITION} basic profile by dicom-anonymizer"
    codes = []
    for value, meaning in (_PROFILE, _CLEAN_PIXELS)[: 2 if pixels else 1]:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
        codes.append(code)
    dataset.DeidentificationMethodCodeSequence = codes
    if pixels:
        dataset.BurnedInAnnotation = "NO"


def _all(dataset: Any) -> list[Any]:
    """A data set and those in its sequences, the innermost first."""
    found = []
    for element in dataset:
        if element.VR == "SQ":
            found += [nested for item in element.value for nested in _all(item)]
    return [*found, dataset]


def _rule(name: str, done: Counter[str]) -> Action:
    """What the library does for an action, counted."""
    from dicomanonymizer import simpledicomanonymizer as library

    # Its own removal keeps dates, and references to other instances would be left without a value.
    actions: dict[str, Action] = {
        "X": _remove,
        "X_Z_U_STAR": _remove,
        "Z": library.empty,
        "D": library.replace,
        "U": library.replace_UID,
        "Z_D": library.empty_or_replace,
        "X_Z": library.delete_or_empty,
        "X_D": library.delete_or_replace,
        "X_Z_D": library.delete_or_empty_or_replace,
    }
    action = actions[name]

    def rule(dataset: Any, tag: Tag) -> None:
        if tag not in dataset:
            return
        done[name] += 1
        try:
            action(dataset, tag)
        # Kinds of values that it has no dummy for.
        except NotImplementedError:
            _remove(dataset, tag)

    return rule


def _remove(dataset: Any, tag: Tag) -> None:
    del dataset[tag]
