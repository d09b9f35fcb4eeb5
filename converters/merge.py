"""From many data sets to one class-agnostic training set.

Reads `ROOT/<dataset>/annotations/all.json` and writes `OUT/{train,val,test,test_official}.json` with the
one category `object`; image files stay where they are (`file_name` is `<dataset>/images/...` below ROOT).
`test` holds the official test parts of the benchmark data sets, which nothing moves to training;
`test_official` those of all others. Each annotation keeps its `origin` (`dataset/category`) and
`origin_id`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import registry
from .engine import coco_schema
from .engine import split as splitting
from .engine.coco import OBJECT, write_json
from .engine.coco_parsed import Coco
from .engine.errors import ConverterError
from .engine.types import HELD_OUT, SPLITS, Card

PARTS = ("train", "val", "test", "test_official")
SIDES = (*SPLITS, HELD_OUT)
SMALL = 10


@dataclass(frozen=True)
class Choice:
    """What goes into the merged set.

    Attributes:
        exclude: Data sets left out altogether.
        organs: Organs kept out of training and validation (for zero-shot variants).
        commercial: Only data whose license explicitly allows commercial use.
        min_area: Objects of fewer pixels are dropped from training and validation.
        pool_official: Use the official test parts of data sets that are no benchmark for training.
        drop: Images, as `(dataset, file_name)`, that an audit found twice.
    """

    exclude: Collection[str] = ()
    organs: Collection[str] = ()
    commercial: bool = False
    min_area: int = SMALL
    pool_official: bool = False
    drop: Collection[tuple[str, str]] = ()


@dataclass
class MergeReport:
    """What was merged and what was left out, by reason."""

    images: Counter[str] = field(default_factory=Counter)
    annotations: Counter[str] = field(default_factory=Counter)
    datasets: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """The report for a terminal."""
        lines = [f"{len(self.datasets)} data sets: {', '.join(self.datasets)}"]
        lines += [
            f"  {part}: {self.images[part]} images with {self.annotations[part]} objects"
            for part in PARTS
            if self.images[part]
        ]
        lines += [f"  left out: {count} x {reason}" for reason, count in sorted(self.left_out.items())]
        return "\n".join(lines + [f"  warning: {text}" for text in self.warnings])


def merge(root: Path, out: Path, choice: Choice | None = None) -> MergeReport:
    """Merge all data sets under `root` by the rules of `choice`.

    Raises:
        ConverterError: No data set is there, one lacks splits, what is to be excluded is not known, or a
            subject would be on two sides.
    """
    choice = choice or Choice()
    report = MergeReport()
    parts: dict[str, Coco] = {part: _empty(part) for part in PARTS}
    found = sorted(path.parent.parent.name for path in root.glob("*/annotations/all.json"))
    if not found:
        raise ConverterError(f"{root}: no converted data set (<dataset>/annotations/all.json)")
    _refuse_unknown(root, found, choice)
    organs: set[str] = set()
    for name in found:
        reason = _whole(name, found, choice)
        if reason:
            report.left_out[reason] += 1
            continue
        coco = coco_schema.read(root / name / "annotations" / "all.json")
        if choice.commercial and not coco["info"].get("commercial"):
            report.left_out[f"{name}: license does not state commercial use"] += 1
            continue
        report.datasets.append(name)
        organs.add(coco["info"].get("organ", ""))
        _add(name, coco, found, choice, parts, report)
    _refuse_unknown_organs(choice, organs)
    _warn(report)
    _check_sides(parts)
    out.mkdir(parents=True, exist_ok=True)
    for part, coco in parts.items():
        report.images[part] = len(coco["images"])
        report.annotations[part] = len(coco["annotations"])
        if coco["images"]:
            coco["info"]["datasets"] = report.datasets
            write_json(coco, out / f"{part}.json")
        else:
            (out / f"{part}.json").unlink(missing_ok=True)
    return report


def _refuse_unknown(root: Path, found: Collection[str], choice: Choice) -> None:
    """What is to be kept out has to be known: a slip of the pen must not let it in."""
    known = {*found, *registry.names()}
    if unknown := sorted(set(choice.exclude) - known):
        raise ConverterError(f"no data set {', '.join(unknown)} to exclude; {root} has {', '.join(found)}")


def _refuse_unknown_organs(choice: Choice, seen: Collection[str]) -> None:
    known = {*seen, *(registry.get(name).card.organ for name in registry.names())} - {""}
    if unknown := sorted(set(choice.organs) - known):
        raise ConverterError(
            f"no organ {', '.join(unknown)} to exclude; there are {', '.join(sorted(known))}"
        )


def _empty(part: str) -> Coco:
    category = {"id": 1, "name": OBJECT.name, "supercategory": OBJECT.supercategory}
    return {
        "info": {"description": f"US-43d {part}"},
        "categories": [category],
        "images": [],
        "annotations": [],
    }


def _whole(name: str, found: Collection[str], choice: Choice) -> str | None:
    if name in choice.exclude:
        return f"{name}: excluded by name"
    twin = _card(name).same_as
    if twin and not twin.subjects and twin.dataset in found and twin.dataset not in choice.exclude:
        return f"{name}: the same images as {twin.dataset}"
    return None


def _card(name: str) -> Card:
    """What is known of a data set; nothing of one that is not ours."""
    return registry.get(name).card if name in registry.names() else Card(name)


def _add(
    name: str,
    coco: Coco,
    found: Collection[str],
    choice: Choice,
    parts: Mapping[str, Coco],
    report: MergeReport,
) -> None:
    names = {c["id"]: c["name"] for c in coco["categories"]}
    objects: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in coco["annotations"]:
        objects[annotation["image_id"]].append(annotation)
    sides = _sides(name, coco, choice)
    drop = {file for dataset, file in choice.drop if dataset == name}
    organ = coco["info"].get("organ", "")
    for image in coco["images"]:
        part = sides[image["id"]]
        reason = _left_out(name, image, part, found, choice)
        if image["file_name"] in drop and part != "test":
            reason = f"{name}: found twice by the audit"
        if organ and organ in choice.organs and part in ("train", "val"):
            reason = f"{name}: organ {organ}"
        if reason:
            report.left_out[reason] += 1
            continue
        target = parts[part]
        kept = list(_kept(objects[image["id"]], part, choice, name, report))
        if objects[image["id"]] and not kept:
            report.left_out[f"{name}: image with small objects only"] += 1
            continue
        number = len(target["images"]) + 1
        entry = {k: v for k, v in image.items() if k != "split"}
        target["images"].append({**entry, "id": number, "file_name": f"{name}/images/{image['file_name']}"})
        for annotation in kept:
            origin = {"origin": f"{name}/{names[annotation['category_id']]}", "origin_id": annotation["id"]}
            ids = {"id": len(target["annotations"]) + 1, "image_id": number, "category_id": 1}
            target["annotations"].append({**annotation, **ids, **origin})


def _kept(
    found: Collection[dict[str, Any]], part: str, choice: Choice, name: str, report: MergeReport
) -> Iterator[dict[str, Any]]:
    for annotation in found:
        if part in ("train", "val") and annotation["area"] < choice.min_area:
            report.left_out[f"{name}: object under {choice.min_area} pixels"] += 1
        else:
            yield annotation


def _sides(name: str, coco: Coco, choice: Choice) -> dict[int, str]:
    """Image id -> part."""
    benchmark = coco["info"].get("benchmark", False)
    pooled = choice.pool_official and not benchmark
    sides = {}
    for image in coco["images"]:
        side = image.get("split")
        if side not in SIDES or "subject" not in image:
            raise ConverterError(
                f"{name}: image {image['id']} ({image['file_name']}) has the split {side!r} and the subject "
                f"{image.get('subject')!r}; merge takes what 'ultrasam convert' made, with a split of "
                f"{', '.join(SIDES)} and a subject. Other files are put together with 'ultrasam data join'"
            )
        if pooled and side in ("test", HELD_OUT):
            subject = image["subject"] if image["subject"] is not None else image["file_name"]
            drawn = splitting.fraction(f"{splitting.SEED}/{name}", subject)
            side = "val" if drawn < splitting.VAL_FRACTION and side == "test" else "train"
        elif side == "test" and not benchmark:
            side = "test_official"
        sides[image["id"]] = side
    return _one_side(coco, sides) if pooled else sides


def _one_side(coco: Coco, sides: dict[int, str]) -> dict[int, str]:
    """Where pooling puts a subject on two sides, validation takes it."""
    validation = {
        i["subject"] for i in coco["images"] if sides[i["id"]] == "val" and i["subject"] is not None
    }
    return {i["id"]: "val" if i["subject"] in validation else sides[i["id"]] for i in coco["images"]}


def _left_out(
    name: str, image: Mapping[str, Any], part: str, found: Collection[str], choice: Choice
) -> str | None:
    if part == HELD_OUT:
        return f"{name}: subject of an official test part"
    twin = _card(name).same_as
    there = twin is not None and twin.dataset in found and twin.dataset not in choice.exclude
    if twin and there and (image["subject"] or "").startswith(twin.subjects):
        return f"{name}: {twin.what} that is in {twin.dataset}"
    return None


def _warn(report: MergeReport) -> None:
    seen: set[str] = set()
    for name in report.datasets:
        shared = sorted({name, *_card(name).overlaps} & set(report.datasets))
        if len(shared) > 1 and name not in seen:
            seen.update(shared)
            report.warnings.append(
                f"{', '.join(shared)} may share images or patients: run `ultrasam data audit` and merge "
                f"with --drop"
            )


def _check_sides(parts: Mapping[str, Coco]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for part, coco in parts.items():
        for image in coco["images"]:
            if image["subject"] is None:
                continue
            key = (image["dataset"], image["subject"])
            if seen.setdefault(key, part) != part:
                raise ConverterError(f"subject {key[1]!r} of {key[0]} is in {seen[key]} and in {part}")
