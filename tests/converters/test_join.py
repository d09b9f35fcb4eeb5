"""Joining COCO files of any folders into one class-agnostic file."""

import json

import pytest
from pycocotools.coco import COCO

from ultrasam.cli.main import main
from ultrasam.data.phantoms import write_phantoms


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    root = tmp_path_factory.mktemp("join")
    for seed in (1, 2):
        write_phantoms(root / str(seed), 20, size=64, seed=seed)
        path = root / str(seed) / "phantom/annotations/all.json"
        coco = json.loads(path.read_text())
        for image in coco["images"]:
            image["dataset"] = f"set{seed}"
        path.write_text(json.dumps(coco))
    return root


def command(root, *options):
    files = [str(root / seed / "phantom/annotations/all.json") for seed in "12"]
    return main(["data", "join", *files, "--out", str(root / "out/both.json"), *options])


def test_joined_files_load_and_lead_to_their_images(two, capsys):
    assert command(two, "--repeat", "set2=3") == 0
    assert "20 of set1, 60 of set2" in capsys.readouterr().out
    joined, first = COCO(str(two / "out/both.json")), COCO(str(two / "1/phantom/annotations/all.json"))
    assert len(joined.imgs) == 80 and [c["name"] for c in joined.loadCats(joined.getCatIds())] == ["object"]
    for image in joined.imgs.values():
        assert (two / "out" / image["file_name"]).is_file()
    for number, image in first.imgs.items():
        twin = joined.imgs[number]
        assert twin["file_name"].endswith(image["file_name"])
        mine, theirs = joined.imgToAnns[number], first.imgToAnns[number]
        assert [a["segmentation"] for a in mine] == [a["segmentation"] for a in theirs]
        assert all(a["origin"] and a["category_id"] == 1 for a in mine)
    assert len({a for a in joined.anns}) == sum(len(v) for v in joined.imgToAnns.values())


def test_one_side_of_the_split(two, capsys):
    assert command(two, "--split", "test") == 0
    assert "3 of set1, 3 of set2" in capsys.readouterr().out


def test_mistakes_are_explained(two, capsys):
    assert command(two, "--repeat", "set9=3") == 2
    assert "no images of set9; there are set1, set2" in capsys.readouterr().err
    assert command(two, "--repeat", "set2=x") == 2
    assert "--repeat takes ID=N" in capsys.readouterr().err
    assert command(two, "--images", *["somewhere"] * 3) == 2
    assert "3 folders for 2 COCO files" in capsys.readouterr().err
