"""Slips of the hand on the command line: one line that says so, before any work, and nothing overwritten."""

import json
import shutil

import pytest

from ultrasam.cli.main import main
from ultrasam.errors import UltraSamError
from ultrasam.predict.object_predictor import ObjectPredictor
from ultrasam.prompts.refine import Refinement


@pytest.fixture
def places(phantom_data, tmp_path):
    """What stands for the words in capitals."""
    (tmp_path / "file").write_text("mine")
    for name, content in {"list": [1], "odd": {"drop": [1, None]}, "other": {}}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    sets = tmp_path / "sets/mine"
    shutil.copytree(phantom_data, sets)
    return {
        "COCO": phantom_data / "annotations/all.json",
        "IMAGES": phantom_data / "images",
        "FILE": tmp_path / "file",
        "INSIDE": tmp_path / "file/inside",
        "SETS": sets.parent,
        "HERE": tmp_path,
        "OUT": tmp_path / "out",
        "LIST": tmp_path / "list.json",
        "ODD": tmp_path / "odd.json",
        "OTHER": tmp_path / "other.json",
    }


def told(places, words, capfd, code=2):
    given = [str(places.get(word, word)) for word in words.split()]
    try:
        assert main(given) == code
    except SystemExit as error:
        assert error.code == code
    err = capfd.readouterr().err
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize("out", ["FILE", "INSIDE"])
@pytest.mark.parametrize(
    "words",
    [
        "data split COCO --out",
        "data merge --root SETS --out",
        "data audit --root SETS --out",
        "data join COCO --images IMAGES --out",
        "export small --out",
        "evaluate small COCO --images IMAGES --limit 1 --out",
        "finetune COCO --images IMAGES --steps 1 --out",
        "predict IMAGES --box 5,5,40,40 --out",
    ],
)
def test_a_file_where_the_results_belong(places, capfd, words, out):
    if "join" in words:
        places["INSIDE"] = places["INSIDE"] / "a.json"
        places["FILE"] = places["HERE"]
    assert str(places[out]).removesuffix("/a.json") in told(places, f"{words} {out}", capfd)
    assert (places["HERE"] / "file").read_text() == "mine"


SLIPS = {
    "data merge --root SETS --out OUT --drop LIST": "list.json is no audit.json",
    "data merge --root SETS --out OUT --drop ODD": "odd.json is no audit.json",
    "data merge --root SETS --out OUT --drop OTHER": "other.json is no audit.json",
    "data merge --root SETS --out OUT --exclude mien": "no data set mien to exclude",
    "data merge --root SETS --out OUT --exclude-organ bresat": "no organ bresat to exclude",
    "data join COCO --images FILE --out OUT": "no image folder at",
    "data join COCO --images IMAGES --out COCO": "would be overwritten",
    "finetune COCO --images IMAGES --out OUT --seed=-1": "a seed is a whole number",
    "evaluate small COCO --images IMAGES --out OUT --seed=4294967296": "a seed is a whole number",
    "data phantom --out OUT --seed=-3": "a seed is a whole number",
    "demo --out OUT --seed=-1": "a seed is a whole number",
    "train ultrasam/ultrasam_vit-t_phantom --seed=-1": "a seed is a whole number",
    "finetune COCO --images IMAGES --out OUT --img-size=-64": "multiple of 16 above 0",
    "finetune COCO --images IMAGES --out OUT --img-size 0": "multiple of 16 above 0",
    "finetune COCO --images IMAGES --out OUT --lr 0": "must be positive",
    "predict IMAGES --box 5,5,40,40 --out OUT --refine=-1": "0 times or more, not -1",
    "predict IMAGES --box 5,5,40,40 --out OUT --device meta": "the device 'meta' holds no numbers",
    "evaluate small COCO --images IMAGES --out OUT --predictor resampling=zz": "resampling is one of opencv",
    "evaluate small COCO --images IMAGES --out OUT --predictor size_rule=up": "size_rule is one of round",
    "evaluate small COCO --images IMAGES --out OUT --predictor postprocessing=x": "one of logits, official",
    "evaluate small COCO --images IMAGES --out OUT --predictor dtype=half": "dtype is torch.bfloat16",
}


@pytest.mark.parametrize("words", SLIPS)
def test_slips_are_told(places, capfd, words):
    before = places["COCO"].read_bytes()
    assert SLIPS[words] in told(places, words, capfd)
    assert places["COCO"].read_bytes() == before


def test_a_merge_needs_splits(places, capfd):
    path = places["SETS"] / "mine/annotations/all.json"
    content = json.loads(path.read_text())
    del content["images"][3]["split"]
    path.write_text(json.dumps(content))
    err = told(places, "data merge --root SETS --out OUT", capfd)
    assert f"mine: image {content['images'][3]['id']}" in err and "data join" in err


def test_weights_that_lie_among_the_results_are_kept(places, capfd, tiny_weights):
    """A second round that starts from the first one's model, into the same folder."""
    out = places["OUT"]
    out.mkdir()
    shutil.copy(tiny_weights, out / "model.pth")
    places["MODEL"] = out / "model.pth"
    (out / "settings.json").write_text("{}")
    err = told(places, "finetune COCO --images IMAGES --from MODEL --out OUT --steps 1", capfd)
    assert "model.pth is what this run starts from" in err and "another --out" in err
    assert (out / "model.pth").read_bytes() == tiny_weights.read_bytes()


def test_files_of_somebody_else_are_kept(places, capfd):
    out = places["OUT"]
    out.mkdir()
    (out / "index.html").write_text("mine")
    err = told(places, "finetune COCO --images IMAGES --steps 1 --out OUT", capfd)
    assert "holds index.html, which no run left that is known here" in err
    assert [path.name for path in out.iterdir()] == ["index.html"]


def test_functions_say_the_same():
    with pytest.raises(UltraSamError, match="0 times or more"):
        Refinement(passes=-1)
    with pytest.raises(UltraSamError, match="postprocessing is one of"):
        ObjectPredictor(postprocessing="nearest")
