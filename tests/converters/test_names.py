"""File names as other tools write them, on the files that are there."""

from __future__ import annotations

import json
import unicodedata

import pytest
from ultrasam.converters import check
from ultrasam.converters.engine.names import locate, match

from tests.kit import fuzz_coco
from ultrasam.cli.main import main
from ultrasam.data import coco, columns
from ultrasam.errors import DataError, PromptError
from ultrasam.predict.files import prompt_files

NFD = unicodedata.normalize("NFD", "é.png")
FOUND = {
    "as it is": ("a/us0.png", ["a/us0.png", "us0.png"], "a/us0.png"),
    "Windows": (r"images\us0.png", ["images/us0.png", "images/us1.png"], "images/us0.png"),
    "Windows with a drive": (r"C:\data\images\us0.png", ["images/us0.png"], "images/us0.png"),
    "a backslash of its own": ("a\\b.png", ["a\\b.png", "a/b.png"], "a\\b.png"),
    "URL": ("my%20scan%20%C3%A9.png", ["my scan é.png"], "my scan é.png"),
    "a per cent of its own": ("100%25.png", ["100%25.png", "100%.png"], "100%25.png"),
    "Label Studio's storage": (
        "/data/local-files/?d=set%2Fus0.png",
        ["set/us0.png", "us0.png"],
        "set/us0.png",
    ),
    "Label Studio's uploads": (r"images\3\1a2b3c4d-us0.png", ["us0.png"], "us0.png"),
    "a signed URL": ("https://x.org/a/us0.png?sig=1", ["us0.png"], "us0.png"),
    "another machine": ("/home/me/data/a/us0.png", ["a/us0.png", "b/us0.png"], "a/us0.png"),
    "from elsewhere": ("../../pictures/us0.png", ["deep/pictures/us0.png"], "deep/pictures/us0.png"),
    "a name alone": ("us0.png", ["deep/down/us0.png"], "deep/down/us0.png"),
    "composed letters": ("é.png", [NFD], NFD),
    "letters taken apart": (NFD, ["é.png"], "é.png"),
    "upper case": ("US0.PNG", ["us0.png"], "us0.png"),
    "an ending in upper case": ("us0.png", ["us0.PNG"], "us0.PNG"),
}


@pytest.mark.parametrize("case", FOUND)
def test_found(case):
    name, files, expected = FOUND[case]
    assert match([name], files).found == {name: expected}


NOT_FOUND = {
    "two files fit": (["us0.png"], ["a/us0.png", "b/us0.png"], {"us0.png": ["a/us0.png", "b/us0.png"]}),
    "two differ in case": (["US0.png"], ["us0.PNG", "us0.png"], {"US0.png": ["us0.PNG", "us0.png"]}),
    "two inputs of one name": (["us0.png"], ["us0.png", "us0.png"], {"us0.png": ["us0.png", "us0.png"]}),
    "two names for one file": (
        ["p1/us0.png", "p2/us0.png"],
        ["us0.png"],
        {n: ["p1/us0.png", "p2/us0.png", "us0.png"] for n in ("p1/us0.png", "p2/us0.png")},
    ),
    "another folder": (["p2/us0.png"], ["p1/us0.png"], {}),
    "another ending": (["us0.jpg"], ["us0.png"], {}),
    "another number": (["us0.png"], ["us10.png", "xus0.png"], {}),
    "no name": (["/", "..", "\\"], ["us0.png"], {}),
}


@pytest.mark.parametrize("case", NOT_FOUND)
def test_not_found(case):
    names, files, ambiguous = NOT_FOUND[case]
    matched = match(names, files)
    assert matched.found == {} and matched.ambiguous == ambiguous


def test_an_exact_name_wins_over_one_that_fits_too():
    matched = match(["us0.png", "p/us0.png"], ["us0.png"])
    assert matched.found == {"us0.png": "us0.png"} and list(matched.ambiguous) == ["p/us0.png"]


def test_files_with_a_name_of_their_own_are_not_for_others(tmp_path):
    (tmp_path / "us0.png").touch()
    found, ambiguous = locate(tmp_path, ["us0.png", "US0.png", "x" * 5000])
    assert found == {"us0.png": tmp_path / "us0.png"} and not ambiguous


@pytest.fixture
def spelled(tmp_path):
    """A COCO file and its images, the file names changed by a function."""
    fuzz_coco.pictures(tmp_path / "images")

    def write(change):
        content = fuzz_coco.valid()
        for image in content["images"]:
            image["file_name"] = change(image["file_name"])
        path = tmp_path / "mine.json"
        path.write_text(json.dumps(content))
        return path, tmp_path / "images"

    return write


@pytest.mark.parametrize(
    "change",
    [
        lambda n: f"D:\\scans\\{n}",
        lambda n: n.upper(),
        lambda n: f"/data/upload/1/0123abcd-{n}",
        lambda n: f"%2E/{n}",
    ],
)
def test_all_readers_find_them(spelled, tmp_path, change):
    path, images = spelled(change)
    used = coco.load(path, images)
    assert [i.path for i in used.images] == [images / f"us{i}.png" for i in range(3)]
    assert "3 image files found by another spelling" in used.summary()
    assert [columns.load(path, images, least=0).image(2).path for _ in range(2)] == [images / "us2.png"] * 2
    assert check(json.loads(path.read_text()), images) == []
    asked, _ = prompt_files.from_coco(path)
    prompts_of = prompt_files.by_name(asked, ["us0.png", "us2.png"])
    assert [len(prompts_of(name).objects) for name in ("us0.png", "us2.png")] == [1, 1]
    assert main(["data", "join", str(path), "--images", str(images), "--out", str(tmp_path / "j.json")]) == 0
    assert {i["file_name"] for i in json.loads((tmp_path / "j.json").read_text())["images"]} == {
        f"images/us{i}.png" for i in range(3)
    }


def test_names_that_fit_several_files_are_named_as_missing(spelled):
    path, images = spelled(lambda name: name)
    for side in "ab":
        fuzz_coco.pictures(images / side)
    for file in images.glob("us*.png"):
        file.unlink()
    with pytest.raises(DataError, match=r"3 of 3 images are missing: .*a/us0.png and b/us0.png fit"):
        coco.load(path, images)
    problems = check(json.loads(path.read_text()), images)
    assert [p.kind for p in problems] == ["missing image"] * 3 and "'a/us0.png' and 'b/us0.png' fit" in str(
        problems[0]
    )


def test_prompts_of_a_name_that_fits_two_inputs_are_refused(spelled):
    asked, _ = prompt_files.from_coco(spelled(lambda name: name)[0])
    with pytest.raises(PromptError, match="'us0.png' of the prompt file can't be told apart"):
        prompt_files.by_name(asked, ["a/us0.png", "b/us0.png"])
    prompts_of = prompt_files.by_name(asked, ["us0.png", "b/us0.png"])
    assert len(prompts_of("us0.png").objects) == 1 and not prompts_of("b/us0.png").objects
