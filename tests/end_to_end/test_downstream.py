"""Mask2Former, classifier and regression through the command line: train, test, resume the file, predict."""

import json
from pathlib import Path

import pytest
import torch

from tests.kit.miniature import SIZE

pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")

from ultrasam.cli.main import main
from ultrasam.data import coco
from ultrasam.data.images import read_image
from ultrasam.mm.engine.detecting import TrainedProposer
from ultrasam.modeling.build import build_ultrasam
from ultrasam.predict.predictor import Predictor

pytestmark = pytest.mark.slow
STEPS = 3
#: 64 pixels, a few steps, no worker processes; kinds of objects that forty images are sure to have.
COMMON = [
    f"img_size={SIZE}",
    f"train_cfg.max_iters={STEPS}",
    f"train_cfg.val_interval={STEPS}",
    "param_scheduler.0.end=1",
    "param_scheduler.1.begin=1",
    "train_dataloader.batch_size=4",
    "default_hooks.logger.interval=1",
    "visualizer.vis_backends=[{'type': 'LocalVisBackend'}]",
    *(f"{side}_dataloader.num_workers=0" for side in ("train", "val", "test")),
]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Weights of a promptable model whose input has another size."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("start") / "sam.pth"
    torch.save(build_ultrasam("vit_t", img_size=128).state_dict(), path)
    return path


def options(data, *more):
    return ["--cfg-options", f"data_root={data}/", "val_ann=annotations/test.json", *COMMON, *more]


def logged(work_dir: Path) -> list[dict]:
    lines = "\n".join(p.read_text() for p in sorted(work_dir.glob("*/vis_data/scalars.json")))
    return [json.loads(line) for line in lines.splitlines()]


@pytest.mark.parametrize("layout", ["", "paper/"])
def test_mask2former(phantom_data, start, tmp_path, capsys, layout):
    config = f"downstream/segmentation/{layout}mask2former_vit-t_phantom"
    given = options(phantom_data, f"experiment_name={tmp_path.name}", "classes=['cyst','nodule']")
    assert main(["train", config, "--from", str(start), "--work-dir", str(tmp_path), *given]) == 0
    assert "start weights: sam weights, encoder vit_t at 128 px" in capsys.readouterr().out
    steps = logged(tmp_path)
    assert all(0 < row["loss"] < 500 for row in steps if "loss" in row)
    assert any("coco/segm_mAP" in row for row in steps)
    checkpoint = tmp_path / f"iter_{STEPS}.pth"
    tested = ["--work-dir", str(tmp_path / "test"), "--out", str(tmp_path / "found.json"), *given]
    assert main(["test", config, str(checkpoint), "--show-dir", "shown", *tested]) == 0
    found = json.loads((tmp_path / "found.segm.json").read_text())
    # Twenty candidates an image, of two classes.
    assert found and {row["category_id"] for row in found} <= {0, 1}
    assert list((tmp_path / "test/shown").glob("*.png"))
    image = next((phantom_data / "images").glob("*.png"))
    asked = [config, str(checkpoint), str(image), "--out", str(tmp_path / "out"), "--score", "0"]
    assert main(["segment", *asked, *given]) == 0
    written = json.loads((tmp_path / "out/instances.json").read_text())
    assert len(written["annotations"]) == 20 and list((tmp_path / "out").glob("*.png"))
    assert [c["name"] for c in written["categories"]] == ["cyst", "nodule"]
    # The annotator suggests the same objects; it takes the configuration that the run has written.
    (dumped,) = tmp_path.glob("*.py")
    proposer = TrainedProposer.load(dumped, checkpoint, 0.0)
    assert proposer.names == ["cyst", "nodule"]
    found = proposer.propose(Predictor(start).encode(read_image(image)))
    suggested = [coco.encode(mask) for mask in found.masks]
    surest = sorted(written["annotations"], key=lambda entry: -entry["score"])
    assert [entry["segmentation"] for entry in surest] == suggested
    (tmp_path / "bad.png").write_bytes(b"")
    asked.insert(2, str(tmp_path / "bad.png"))
    capsys.readouterr()
    assert main(["segment", *asked, *given]) == 1 and "failed: " in capsys.readouterr().err
    again = json.loads((tmp_path / "out/instances.json").read_text())
    assert again["annotations"] == written["annotations"] and "bad.png" in again["info"]["unreadable"][0]


@pytest.mark.parametrize(
    ("config", "more", "score"),
    [
        ("classification/classifier_vit-t_phantom", ["classes=['cyst','nodule','vessel']"], "label/f1"),
        ("classification/classifier_vit-t_phantom", ["column=geometry", "task=multi-label",
         "classes=['linear','convex','sector','radial']"], "label/exact"),
        ("regression/regression_vit-t_phantom", [], "label/MAE"),
    ],
)  # fmt: skip
def test_whole_image_tasks(phantom_data, start, tmp_path, capsys, config, more, score):
    config = f"downstream/{config}"
    if "classes=['cyst','nodule','vessel']" in more:
        # Images of other kinds are no part of this question.
        phantom_data = only(phantom_data, tmp_path / "data", ("cyst", "nodule", "vessel"))
    # Two runs of one configuration within a second would share their log.
    given = options(phantom_data, f"experiment_name={tmp_path.name}", *more)
    assert main(["train", config, "--from", str(start), "--work-dir", str(tmp_path), *given]) == 0
    assert any(score in row for row in logged(tmp_path))
    checkpoint = tmp_path / f"iter_{STEPS}.pth"
    capsys.readouterr()
    out = tmp_path / "scores.json"
    tested = ["--work-dir", str(tmp_path / "test"), "--out", str(out), "--show-dir", "shown", *given]
    assert main(["test", config, str(checkpoint), *tested]) == 0
    content = json.loads(out.read_text())
    assert list((tmp_path / "test/shown").glob("*.png"))
    images = [row["image"] for row in content["predictions"]][:2]
    assert (
        main(["classify", *images, "--checkpoint", str(checkpoint), "--json", str(tmp_path / "c.json")]) == 0
    )
    rows = json.loads((tmp_path / "c.json").read_text())["predictions"]
    (tmp_path / "bad.png").write_bytes(b"")
    some = [images[0], str(tmp_path / "bad.png"), images[1]]
    assert main(["classify", *some, "--checkpoint", str(checkpoint), "--json", str(tmp_path / "d.json")]) == 1
    assert "bad.png is not a readable image" in capsys.readouterr().err
    kept = json.loads((tmp_path / "d.json").read_text())["predictions"]
    assert [row["image"] for row in kept] == images
    for row, tested in zip(rows, content["predictions"], strict=False):
        assert [row[n] for n in content["names"]] == pytest.approx(tested["scores"], rel=1e-3, abs=1e-4)
    # With other classes, or as another model, it is refused in a line.
    capsys.readouterr()
    assert main(["test", config, str(start), *given]) == 2
    assert "no classifier" in capsys.readouterr().err


def only(data: Path, folder: Path, names) -> Path:
    """The images whose objects are all of these kinds."""
    folder.mkdir()
    (folder / "images").symlink_to(data / "images")
    (folder / "annotations").mkdir()
    for split in ("train", "test"):
        content = json.loads((data / f"annotations/{split}.json").read_text())
        content["categories"] = [c for c in content["categories"] if c["name"] in names]
        kept = {c["id"] for c in content["categories"]}
        other = {a["image_id"] for a in content["annotations"] if a["category_id"] not in kept}
        content["images"] = [i for i in content["images"] if i["id"] not in other]
        content["annotations"] = [a for a in content["annotations"] if a["image_id"] not in other]
        (folder / f"annotations/{split}.json").write_text(json.dumps(content))
    return folder


def test_probe_on_the_command_line(phantom_data, start, tmp_path, capsys):
    phantom_data = only(phantom_data, tmp_path / "data", ("cyst", "nodule"))
    files = [str(phantom_data / f"annotations/{split}.json") for split in ("train", "test")]
    asked = ["--images", str(phantom_data / "images"), "--checkpoint", str(start), "--img-size", str(SIZE)]
    assert main(["probe", *files, *asked, "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "true / predicted" in text and "f1" in text
    scores = json.loads((tmp_path / "out/scores.json").read_text())
    assert sum(map(sum, scores["confusion"])) == len(json.loads(Path(files[1]).read_text())["images"])
    image = str(next((phantom_data / "images").glob("*.png")))
    assert main(["classify", image, image, "--clip", "--checkpoint", str(tmp_path / "out/model.pth")]) == 0
    assert "clip of 2 images: " in capsys.readouterr().out
    assert main(["probe", *files, *asked, "--classes", "cyst", "cancer", "--out", str(tmp_path)]) == 2
    assert "no class cancer" in capsys.readouterr().err


def test_a_backbone_of_another_size_is_one_line(phantom_data, tmp_path, capsys):
    path = tmp_path / "s.pth"
    torch.save(build_ultrasam("vit_s", img_size=64).state_dict(), path)
    config = "downstream/classification/classifier_vit-t_phantom"
    assert (
        main(["train", config, "--from", str(path), "--work-dir", str(tmp_path), *options(phantom_data)]) == 2
    )
    error = capsys.readouterr().err
    assert "vit_s" in error and "set the backbone's 'variant'" in error and "Traceback" not in error
