"""Commands that take labels of any kind."""

import json
import shutil

import pytest
import torch
from pycocotools.coco import COCO

from tests.kit import label_files
from ultrasam.cli import main
from ultrasam.data.formats import exporting, importing
from ultrasam.modeling.build import build_ultrasam


def test_import_and_export(tmp_path, capsys):
    label_files.write("labelme", tmp_path / "mine")
    out = tmp_path / "coco.json"
    assert main(["data", "import", str(tmp_path / "mine"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert (
        "labelme, 1 images with 3 objects; left out: 1 boxes" in said
        and f"start from {tmp_path / 'mine'}" in said
    )
    assert main(["data", "check", str(out), "--images", str(tmp_path / "mine")]) == 0
    theirs = COCO(str(out))
    assert [theirs.annToMask(a).sum() for a in theirs.loadAnns(theirs.getAnnIds())][:2] == [35, 32]
    images = ["--images", str(tmp_path / "mine")]
    for to, name in (
        ("yolo", "data.yaml"),
        ("labelme", "a.json"),
        ("png", "masks/a.png"),
        ("nifti", "masks/a.nii.gz"),
    ):
        capsys.readouterr()
        assert main(["data", "export", str(out), "--to", to, "--out", str(tmp_path / to), *images]) == 0
        assert (tmp_path / to / name).is_file()
        assert "1 images with 3 objects" in capsys.readouterr().out
    target = tmp_path / "polygons.json"
    assert (
        main(["data", "export", str(out), "--to", "polygons", "--out", str(target), "--tolerance", "0"]) == 0
    )
    content = json.loads(target.read_text())
    assert all(isinstance(a["segmentation"], list) for a in content["annotations"])
    theirs = COCO(str(target))
    assert [theirs.annToMask(a).sum() for a in theirs.loadAnns(theirs.getAnnIds())][:2] == [35, 32]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import", "gone", "--out", "out.json"], "there is no file or folder gone"),
        (["import", "mine/a.png", "--out", "out.json"], "no JSON and no XML"),
        (["export", "mine/a.json", "--to", "yolo", "--out", "out"], "not a COCO file"),
        (
            ["export", "coco.json", "--to", "yolo", "--out", "out", "--images", "mine/deep"],
            "images are missing",
        ),
        (["export", "coco.json", "--to", "yolo", "--out", "out", "--tolerance", "-1"], "a tolerance is"),
        (["export", "coco.json", "--to", "yolo", "--out", "coco.json"], "cannot write"),
    ],
)
def test_refusals(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    label_files.write("labelme", tmp_path / "mine")
    (tmp_path / "mine/deep").mkdir()
    importing.read(tmp_path / "mine").write(tmp_path / "coco.json")
    if arguments[1] == "coco.json" and "--images" not in arguments:
        arguments = [*arguments, "--images", "mine"]
    assert main(["data", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_an_import_that_says_the_same_leaves_the_file_as_it_is(tmp_path):
    source = label_files.write("via", tmp_path / "mine")
    path, folder, said = importing.as_coco(source, None, tmp_path / "out")
    assert path == tmp_path / "out/labels/a.json" and folder == tmp_path / "mine" and "via, 1 images" in said
    before = path.stat()
    importing.as_coco(source, None, tmp_path / "out")
    assert path.stat().st_mtime_ns == before.st_mtime_ns and path.stat().st_ino == before.st_ino
    assert importing.as_coco(path, folder, tmp_path / "out") == (path, folder, "")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.pth"
    torch.manual_seed(0)
    torch.save(build_ultrasam("vit_t", img_size=64).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def both(phantom_data, tmp_path_factory):
    """Eight images with a COCO file and, in a folder of its own, the same masks as another tool has them."""
    folder = tmp_path_factory.mktemp("both")
    content = json.loads((phantom_data / "annotations/all.json").read_text())
    content["images"] = [
        {k: im[k] for k in ("id", "file_name", "height", "width")} for im in content["images"][:8]
    ]
    ids = {image["id"] for image in content["images"]}
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] in ids]
    for image in content["images"]:
        target = folder / "masks_only/images" / image["file_name"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(phantom_data / "images" / image["file_name"], target)
    (folder / "mine.json").write_text(json.dumps(content))
    images = folder / "masks_only/images"
    done = exporting.export(folder / "mine.json", "png", folder / "masks_only", images, objects=True)
    assert done.images == 8 and not +done.lost
    return folder


def test_evaluate_gives_the_scores_of_the_coco_file_that_the_masks_come_from(both, weights, tmp_path):
    images = both / "masks_only/images"
    for name, source in (
        ("masks", [both / "masks_only"]),
        ("coco", [both / "mine.json", "--images", images]),
    ):
        how = ["--device", "cpu", "--prompts", "box", "--no-baselines"]
        command = ["evaluate", weights, *source, "--out", tmp_path / name, *how]
        assert main([str(word) for word in command]) == 0
    (first,), (second,) = (
        json.loads((tmp_path / name / "results.json").read_text())["datasets"].values()
        for name in ("masks", "coco")
    )
    assert first.pop("seconds") and second.pop("seconds") and first == second
    twice = ["evaluate", weights, both / "mine.json", both / "mine.json", "--out", tmp_path / "x"]
    assert main([str(word) for word in twice]) == 2


def test_finetune_goes_on_where_it_stopped(both, weights, tmp_path, capsys):
    how = ["--steps", "1", "--batch-size", "1", "--mode", "decoder", "--device", "cpu"]
    command = [str(w) for w in ["finetune", both / "masks_only", "--from", weights, "--out", tmp_path, *how]]
    assert main(command) == 0
    assert "masks, 8 images with" in capsys.readouterr().out
    before = (tmp_path / "state.pth").stat().st_mtime_ns
    assert main(command) == 0
    assert (tmp_path / "state.pth").stat().st_mtime_ns == before


def test_annotate_takes_a_label_file(tmp_path, capsys):
    from ultrasam.cli.annotate import _labels
    from ultrasam.cli.main import build_parser

    source = label_files.write("cvat", tmp_path)
    inputs, images, out = _labels(build_parser().parse_args(["annotate", str(source)]))
    assert (
        images == tmp_path and out == tmp_path / "labels.json" and "cvat, 1 images" in capsys.readouterr().out
    )
    (theirs,) = inputs
    assert len(COCO(theirs).anns) == 3
    for given in ([theirs], [str(tmp_path)], ["a.png", "b.json"], []):
        assert _labels(build_parser().parse_args(["annotate", *given])) == (given, None, None)
