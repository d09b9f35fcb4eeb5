"""What was once taken for something else: marks that are no outlines, normals, one day, options unheeded."""

from __future__ import annotations

import json

import pytest
from ultrasam.converters import convert, get
from ultrasam.converters.engine.coco import read_json

from tests.converters.raw import breast, busi
from tests.kit.archives import gray8, picture, rect, ring, save, text
from ultrasam.cli.main import main


def svg(*shapes) -> str:
    return json.dumps(
        [
            {"points": [{"x": x, "y": y} for x, y in points], "annotation": {}, "regionType": kind}
            for kind, points in shapes
        ]
    )


def case(root, number: int, *marks: tuple[int, str]) -> None:
    body = "".join(f"<mark><image>{k}</image><svg>{shapes}</svg></mark>" for k, shapes in marks)
    text(root / f"{number}.xml", f"<case><number>{number}</number>{body}</case>")
    for k in {k for k, _ in marks}:
        save(root / f"{number}_{k}.jpg", picture(number + k, color=True))


def test_arrows_of_the_original_ddti_are_no_nodules_and_lose_none(tmp_path):
    nodule, arrow = ("freehand", ring(6, 8, 20, 20)), ("arrow", [[40, 40], [30, 20]])
    case(tmp_path / "raw", 1, (1, svg(nodule, arrow)))
    case(tmp_path / "raw", 2, (1, svg(arrow)), (2, svg(nodule)))
    case(tmp_path / "raw", 3, (1, svg(nodule, ("freehand", [[5, 5], [9, 9]]))))
    report = convert(get("ddti"), tmp_path / "raw", tmp_path / "out")
    assert (report.images, report.annotations, report.failures) == (3, 3, [])
    assert report.skips == {
        "mark that is no outline: arrow": 2,
        "mark that is no outline: fewer than three points": 1,
    }
    coco = read_json(tmp_path / "out/ddti/annotations/all.json")
    assert {a["area"] for a in coco["annotations"]} == {int(rect(6, 8, 20, 20).sum())}
    assert {i["source"]["file"] for i in coco["images"]} == {"1_1.jpg", "2_2.jpg", "3_1.jpg"}


def test_outlines_that_the_original_ddti_cuts_off_lose_their_image_alone(tmp_path):
    nodule = ("freehand", ring(6, 8, 20, 20))
    long = svg(("freehand", [[i % 60, i % 40] for i in range(150)]))
    assert len(long) > 2500
    case(tmp_path / "raw", 1, (1, long[:2500]), (2, svg(nodule)))
    case(tmp_path / "raw", 2, (1, svg(nodule)[:-9]), (2, svg(nodule)))
    report = convert(get("ddti"), tmp_path / "raw", tmp_path / "out")
    coco = read_json(tmp_path / "out/ddti/annotations/all.json")
    assert {i["source"]["file"] for i in coco["images"]} == {"1_2.jpg", "2_2.jpg"}
    assert report.skips == {"image whose outlines the archive cuts off after 2,500 characters": 1}
    (failure,) = report.failures
    assert failure["file"] == "2.xml" and "image 1" in failure["reason"]


@pytest.mark.parametrize(("made", "empty"), [(busi, "normal (1).png"), (breast, "case045.png")])
def test_normal_images_are_kept_where_empty_ones_are(made, empty, tmp_path):
    name = made.__name__.rpartition(".")[2]
    truth = made.make(tmp_path / "raw")
    report = convert(get(name), tmp_path / "raw", tmp_path / "out", keep_empty=True)
    assert report.images == len(truth.wants) + 1
    coco = read_json(tmp_path / f"out/{name}/annotations/all.json")
    (image,) = (i for i in coco["images"] if i["source"]["file"].endswith(empty))
    assert image["id"] not in {a["image_id"] for a in coco["annotations"]}


def test_a_lesion_on_a_normal_image_is_refused(tmp_path):
    busi.make(tmp_path / "raw")
    save(tmp_path / "raw/Dataset_BUSI_with_GT/normal/normal (1)_mask.png", gray8(rect(4, 4, 20, 20)))
    report = convert(get("busi"), tmp_path / "raw", tmp_path / "out", keep_empty=True)
    assert ["normal" in f["reason"] for f in report.failures] == [True]


def test_recordings_of_one_day_are_split_and_one_alone_is_said_to_be_so(tmp_path):
    def archive(name: str, recordings: int) -> None:
        for n in range(recordings):
            for folder, content in (("US", picture(n)), ("Expert mask", gray8(rect(9, 9, 30, 30)))):
                save(tmp_path / f"{name}/{folder} images/2022011217481000{n:02d}VAS_slice_1.png", content)

    archive("many", 11)
    report = convert(get("ccaui"), tmp_path / "many", tmp_path / "out")
    assert set(report.by_split) == {"train", "val"}
    assert report.warnings == ["the card expects 1100 annotated images, 11 were found"]
    archive("one", 1)
    report = convert(get("ccaui"), tmp_path / "one", tmp_path / "out")
    assert report.by_split == {"train": 1}
    assert any("nothing validates" in text for text in report.warnings)
    assert any("11 subjects, 1 were found" in text for text in report.warnings)
    written = read_json(tmp_path / "out/ccaui/report.json")
    assert written["warnings"] == report.warnings


def test_options_that_a_data_set_cannot_heed_are_not_passed_over(tmp_path, capsys):
    from tests.converters.raw import acouslic, reg_pro

    reg_pro.make(tmp_path / "reg_pro")
    report = convert(get("reg_pro"), tmp_path / "reg_pro", tmp_path / "out", val=0.3)
    assert any("validation part of its own" in text for text in report.warnings)
    report = convert(get("reg_pro"), tmp_path / "reg_pro", tmp_path / "out")
    assert not any("validation" in text for text in report.warnings)
    acouslic.make(tmp_path / "acouslic")
    report = convert(get("acouslic"), tmp_path / "acouslic", tmp_path / "out", keep_empty=True)
    assert any("nobody annotated stay out" in text for text in report.warnings)
    capsys.readouterr()
    assert main(["convert", "ahu", "--raw", str(tmp_path), "--out", "o", "--limit", "3", "--keep-empty"])
    assert "--limit, --keep-empty does nothing" in capsys.readouterr().err


def test_strips_are_told_from_thin_structures_and_from_objects_at_the_border():
    from ultrasam.converters.engine.instances import _is_strip

    size = (48, 64)
    assert _is_strip((30, 2), 62, 0, size, 2) and _is_strip((1, 9), 5, 47, size, 2)
    assert not _is_strip((30, 2), 60, 0, size, 2)  # a pixel from the border
    assert not _is_strip((2, 30), 0, 9, size, 2)  # ends at the border and does not lie along it
    assert not _is_strip((30, 3), 61, 0, size, 2)
    assert not _is_strip((2, 2), 62, 46, size, 2)
    assert not _is_strip((30, 2), 62, 0, size, 0)


def test_a_mask_of_class_numbers_is_not_taken_for_an_empty_one(tmp_path):
    for n, top in enumerate((1, 255)):
        save(tmp_path / f"raw/original/{n}.png", picture(n))
        save(tmp_path / f"raw/GT/{n}.png", rect(9, 9, 30, 30).astype("uint8") * top)
    report = convert(get("bus_b"), tmp_path / "raw", tmp_path / "out")
    assert (report.images, dict(report.skips)) == (1, {})
    assert [f["reason"] for f in report.failures] == [
        "a mask of the values 0 and 1, where foreground is 128 and up"
    ]
