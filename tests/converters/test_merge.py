"""From several data sets to one: twins once, exclusions, licenses, benchmarks never in training."""

from __future__ import annotations

import importlib

import pytest
from ultrasam.converters import ConverterError, check, convert, get
from ultrasam.converters.engine.coco import read_json, write_json
from ultrasam.converters.engine.stats import statistics
from ultrasam.converters.merge import Choice, merge

from ultrasam.data.split import split_file

NAMES = (
    "bus_bra",
    "busi",
    "fast_u_net",
    "hc18",
    "micro_seg",
    "mup",
    "mmotu_2d",
    "gist514_db",
    "tn3k",
    "luss_phantom",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("merge")
    for name in NAMES:
        importlib.import_module(f"tests.converters.raw.{name}").make(folder / "raw" / name)
        convert(get(name), folder / "raw" / name, folder / "data")
    return folder / "data"


def parts(folder):
    return {path.stem: read_json(path) for path in folder.glob("*.json")}


def datasets(coco):
    return {image["dataset"] for image in coco["images"]}


def test_everything_once_with_its_origin(root, tmp_path):
    report = merge(root, tmp_path)
    merged = parts(tmp_path)
    assert set(merged) == {"train", "val", "test", "test_official"}
    singles = {n: read_json(root / n / "annotations/all.json") for n in NAMES}
    for coco in merged.values():
        assert check(coco, root) == []
        images = {i["id"]: i for i in coco["images"]}
        for annotation in coco["annotations"]:
            dataset, category = annotation["origin"].split("/")
            origin = singles[dataset]
            own = next(a for a in origin["annotations"] if a["id"] == annotation["origin_id"])
            assert own["segmentation"] == annotation["segmentation"]
            name = next(c["name"] for c in origin["categories"] if c["id"] == own["category_id"])
            image = next(i for i in origin["images"] if i["id"] == own["image_id"])
            assert name == category
            assert images[annotation["image_id"]]["file_name"] == f"{dataset}/images/{image['file_name']}"
    total = sum(len(c["images"]) for c in merged.values())
    planted = sum(len(singles[n]["images"]) for n in NAMES if n != "micro_seg")
    assert total == planted - 2 - 1  # two heads of HC18, one frame of a test clip
    assert report.left_out["micro_seg: the same images as mup"] == 1
    assert report.left_out["fast_u_net: head image that is in hc18"] == 2
    assert report.left_out["luss_phantom: subject of an official test part"] == 1
    assert datasets(merged["test"]) == {"bus_bra", "mmotu_2d", "gist514_db"}


def test_benchmarks_never_train_even_when_tests_are_pooled(root, tmp_path):
    merge(root, tmp_path, Choice(pool_official=True))
    merged = parts(tmp_path)
    assert "test_official" not in merged
    tests = {i["file_name"] for i in merged["test"]["images"]}
    others = {i["file_name"] for side in ("train", "val") for i in merged[side]["images"]}
    assert tests and not tests & others
    assert any("mup" in name and "test_01" in name for name in others)


def test_zero_shot_leaves_an_organ_out_of_training_only(root, tmp_path):
    report = merge(root, tmp_path, Choice(organs=("breast",)))
    merged = parts(tmp_path)
    assert not {"busi", "bus_bra"} & (datasets(merged["train"]) | datasets(merged.get("val", {"images": []})))
    assert "bus_bra" in datasets(merged["test"])
    assert report.left_out["busi: organ breast"] == 3


def test_commercial_exclusions_and_small_objects(root, tmp_path):
    report = merge(root, tmp_path, Choice(commercial=True))
    assert report.datasets == ["bus_bra", "hc18"]
    report = merge(root, tmp_path, Choice(exclude=("mup",)))
    assert "micro_seg" in report.datasets and "mup" not in report.datasets
    report = merge(root, tmp_path, Choice(min_area=500))
    merged = parts(tmp_path)
    assert min(a["area"] for a in merged["train"]["annotations"]) >= 500
    assert min(a["area"] for a in merged["test"]["annotations"]) < 500
    assert any("object under 500 pixels" in reason for reason in report.left_out)


def test_what_the_audit_found_is_dropped(root, tmp_path):
    image = read_json(root / "busi/annotations/all.json")["images"][0]
    report = merge(root, tmp_path, Choice(drop=[("busi", image["file_name"])]))
    assert report.left_out["busi: found twice by the audit"] == 1
    assert f"busi/images/{image['file_name']}" not in {
        i["file_name"] for c in parts(tmp_path).values() for i in c["images"]
    }


def test_data_sets_that_may_share_images_are_named_once(tmp_path):
    for name in ("ddti", "tnscui", "mmotu_2d", "not_ours"):
        image = {"id": 1, "file_name": "a.png", "dataset": name, "subject": None, "split": "train"}
        (tmp_path / name / "annotations").mkdir(parents=True)
        coco = {"info": {}, "categories": [], "images": [image], "annotations": []}
        write_json(coco, tmp_path / name / "annotations/all.json")
    report = merge(tmp_path, tmp_path / "out")
    assert len(report.datasets) == 4
    assert [warning.split(" may")[0] for warning in report.warnings] == ["ddti, tnscui"]


def test_a_subject_on_two_sides_is_refused(tmp_path):
    importlib.import_module("tests.converters.raw.mup").make(tmp_path / "raw")
    convert(get("mup"), tmp_path / "raw", tmp_path / "data")
    path = tmp_path / "data/mup/annotations/all.json"
    coco = read_json(path)
    for image, side in zip(coco["images"], ("train", "val", "test"), strict=True):
        image.update(subject="one", split=side)
    write_json(coco, path)
    with pytest.raises(ConverterError, match="subject 'one' of mup is in"):
        merge(tmp_path / "data", tmp_path / "out")
    with pytest.raises(ConverterError, match="no converted data set"):
        merge(tmp_path / "raw", tmp_path / "out")


def test_the_merged_set_splits_again_by_subject_and_counts(root, tmp_path):
    merge(root, tmp_path)
    coco = parts(tmp_path)["train"]
    sides = split_file(tmp_path / "train.json", tmp_path / "split", {"val": 0.3})
    assert set(sides) == {"train", "val"} and parts(tmp_path / "split") == sides
    assert sum(len(side["images"]) for side in sides.values()) == len(coco["images"])
    assert sum(len(side["annotations"]) for side in sides.values()) == len(coco["annotations"])
    groups = [{(i["dataset"], i["subject"] or i["file_name"]) for i in c["images"]} for c in sides.values()]
    assert groups[0] and groups[1] and not groups[0] & groups[1]
    counted = statistics(coco)
    assert (
        counted["objects"]
        == len(coco["annotations"])
        == sum(d["objects"] for d in counted["datasets"].values())
    )


def test_every_file_loads_in_mmdet(root, tmp_path):
    pytest.importorskip("mmdet")
    from mmdet.datasets import CocoDataset

    import ultrasam.mm  # noqa: F401

    merge(root, tmp_path)
    for path in [*tmp_path.glob("*.json"), *root.glob("*/annotations/all.agnostic.json")]:
        coco = read_json(path)
        loaded = CocoDataset(
            ann_file=str(path),
            data_prefix={"img": str(root)},
            metainfo={"classes": ("object",)},
            test_mode=True,
        )
        assert len(loaded) == len(coco["images"])
        assert sum(len(loaded.get_data_info(i)["instances"]) for i in range(len(loaded))) == len(
            coco["annotations"]
        )
