"""Every data set on a fabricated archive in its original layout, traps included, pixel by pixel."""

from __future__ import annotations

import importlib
from collections import Counter

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO
from ultrasam.converters import check, convert, docs, get, names
from ultrasam.converters.engine.coco import read_json

from tests.kit.archives import Truth


def make(name: str, folder) -> Truth:
    truth = importlib.import_module(f"tests.converters.raw.{name}").make(folder)
    truth.source = truth.source or folder
    return truth


def key(image: dict) -> tuple[str, int | None]:
    return image["source"]["file"], image["source"].get("frame")


def bag(objects) -> Counter:
    return Counter((name, np.ascontiguousarray(mask, np.uint8).tobytes()) for name, mask in objects)


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Convert each once for all tests of this module."""
    done = {}

    def run(name: str):
        if name not in done:
            folder = tmp_path_factory.mktemp(name)
            truth = make(name, folder / "raw")
            done[name] = (truth, convert(get(name), truth.source, folder / "out"), folder / "out" / name)
        return done[name]

    return run


def test_there_are_67_and_names_agree():
    assert len(names()) == 67
    assert [get(name).name for name in names()] == list(names())


@pytest.mark.parametrize("name", names())
def test_what_was_planted_comes_out(name, converted):
    truth, _, out = converted(name)
    coco = COCO(str(out / "annotations/all.json"))
    category = {c["id"]: c["name"] for c in coco.dataset["categories"]}
    found = {key(image): image for image in coco.dataset["images"]}
    assert len(found) == len(coco.dataset["images"])
    for want in truth.wants:
        hits = [k for k in found if k[0].endswith(want.file) and k[1] == want.frame]
        assert len(hits) == 1, f"{want.file} {want.frame}: {sorted(found, key=str)}"
        image = found.pop(hits[0])
        masks = [(category[a["category_id"]], coco.annToMask(a)) for a in coco.imgToAnns[image["id"]]]
        areas = Counter((n, int(m.sum())) for n, m in masks)
        planted = Counter((n, int(m.sum())) for n, m in want.objects)
        assert bag(masks) == bag(want.objects), f"{want.file}: {areas} for {planted}"
        for annotation in coco.imgToAnns[image["id"]]:
            mask = coco.annToMask(annotation)
            ys, xs = np.nonzero(mask)
            box = [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
            assert annotation["bbox"] == box and annotation["area"] == mask.sum()
        if want.image is not None:
            written = cv2.imread(str(out / "images" / image["file_name"]), cv2.IMREAD_UNCHANGED)
            truth_image = want.image if want.image.ndim == 2 else want.image[..., ::-1]
            np.testing.assert_array_equal(written, truth_image)
        if want.subject is not None:
            assert image["subject"] == want.subject
        if want.split is not None:  # validation may be drawn from the official training part
            assert image["split"] in {"train": ("train", "val")}.get(want.split, (want.split,))
        assert {k: image.get(k) for k in want.extra} == want.extra
    assert not found, "images that were not planted"


@pytest.mark.parametrize("name", names())
def test_what_is_left_out_is_counted(name, converted):
    truth, report, _ = converted(name)
    said = [f"{f['file']}: {f['reason']}" for f in report.failures]
    assert len(said) == len(truth.failures), said
    for words in truth.failures:
        assert any(all(word in line for word in words.split("...")) for line in said), (words, said)
    assert dict(report.skips) == truth.skips
    assert dict(report.notes) == truth.notes


@pytest.mark.parametrize("name", names())
def test_files_are_valid_and_splits_leak_free(name, converted):
    _, _, out = converted(name)
    whole = read_json(out / "annotations/all.json")
    assert check(whole, out / "images") == []
    assert {p.name for p in (out / "images").iterdir()} == {i["file_name"] for i in whole["images"]}
    sides: dict[str, set[str]] = {}
    for image in whole["images"]:
        if image["subject"] is not None and image["split"] != "held_out":
            sides.setdefault(image["subject"], set()).add(image["split"])
    assert all(len(found) == 1 for found in sides.values())
    assert whole["info"]["raw_files"] > 0
    assert whole["info"]["licence"]
    used = {a["category_id"] for a in whole["annotations"]}
    assert used <= {c["id"] for c in whole["categories"]}


@pytest.mark.parametrize("name", names())
def test_a_wrong_tree_is_answered_with_what_is_missing(name, tmp_path):
    (tmp_path / "somewhere").mkdir()
    (tmp_path / "somewhere/else.txt").write_text("x")
    with pytest.raises(Exception, match="somewhere/") as error:
        convert(get(name), tmp_path, tmp_path / "out")
    assert f"convert info {name}" in str(error.value)


@pytest.mark.parametrize("name", names())
def test_the_card_is_complete(name):
    dataset = get(name)
    card = dataset.card
    for value in (card.title, card.link, card.anatomy, card.application, card.organ, card.tree):
        assert value
    assert card.quirks
    assert card.access in ("open", "registration", "agreement", "request")
    assert not card.commercial or card.license
    assert dataset.needs


def test_the_page_of_all_data_sets_is_what_the_cards_say():
    assert docs.page() == docs.PAGE.read_text(encoding="utf-8"), "stale: run 'python -m converters.docs'"
    written = docs.CATALOG.read_text(encoding="utf-8")
    assert docs.catalog_page.page() == written, "stale: run 'python -m converters.docs'"


def test_what_data_sets_share_is_said_on_both_cards():
    cards = {name: get(name).card for name in names()}
    for name, card in cards.items():
        assert all(name in cards[other].overlaps for other in card.overlaps), name
        if card.same_as:
            assert card.same_as.dataset in cards and card.same_as.dataset != name
    shared = {name: (twin.dataset, twin.subjects) for name, card in cards.items() if (twin := card.same_as)}
    assert shared == {"micro_seg": ("mup", ""), "fast_u_net": ("hc18", "HC ")}
    groups = {frozenset({name, *card.overlaps}) for name, card in cards.items() if card.overlaps}
    assert groups == {
        frozenset({"ddti", "tn3k", "tnscui"}),
        frozenset({"mmotu_2d", "mmotu_3d"}),
        frozenset({"jnu_ifm", "fh_ps_aop", "psfhs"}),
        frozenset({"dl_track", "fallmud"}),
        frozenset({"camus", "ted"}),
    }
