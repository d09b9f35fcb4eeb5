"""MMDetection's own tools on a leaf of each family, and on what the leaf's runs write."""

import json
import pickle

import numpy as np
import pytest
import torch
from mmengine.config import Config

from tests.kit.miniature import ROOT, SIZE, make_data
from ultrasam.data.images import read_image
from ultrasam.errors import ConfigError
from ultrasam.mm.__main__ import main as tool
from ultrasam.mm.engine.segment import find

PROMPTS = "ultrasam/ultrasam_vit-t_phantom"
INSTANCES = "downstream/segmentation/mask2former_vit-t_phantom"
LABELS = "downstream/classification/classifier_vit-t_phantom"
NUMBERS = "downstream/regression/regression_vit-t_phantom"
FAMILIES = (PROMPTS, INSTANCES, LABELS, NUMBERS)
#: Few objects of all kinds are in forty images: questions that they are sure to answer.
ASKED = {
    PROMPTS: {"model.network.img_size": SIZE},
    INSTANCES: {
        "model.backbone.img_size": SIZE,
        "model.num_classes": 2,
        **{f"{side}_dataloader.dataset.classes": "['cyst','nodule']" for side in ("train", "val", "test")},
    },
    LABELS: {
        "model.backbone.img_size": SIZE,
        "model.task": "multi-label",
        "model.classes": "['linear','convex','sector','radial']",
        **{
            f"{side}_dataloader.dataset.{key}": value
            for side in ("train", "val", "test")
            for key, value in (
                ("column", "geometry"),
                ("task", "multi-label"),
                ("classes", "['linear','convex','sector','radial']"),
            )
        },
    },
    NUMBERS: {"model.backbone.img_size": SIZE},
}


def options(family, data, name):
    values = {
        **ASKED[family],
        "model.data_preprocessor.img_size": SIZE,
        "train_dataloader.batch_size": 4,
        "train_cfg.max_iters": 2,
        "train_cfg.val_interval": 2,
        "default_hooks.logger.interval": 1,
        # In one process tools would share a visualizer of one name, and its folder.
        "visualizer.name": name,
    }
    for side in ("train", "val", "test"):
        dataset = f"{side}_dataloader.dataset"
        values |= {f"{dataset}.img_size": SIZE, f"{dataset}.data_root": f"{data}/"}
        values[f"{side}_dataloader.num_workers"] = 0
    return ["--cfg-options", *(f"{key}={value}" for key, value in values.items())]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module", params=FAMILIES)
def run(request, data, tmp_path_factory):
    """A family, its file, its options, and a work directory where MMDetection trained and tested it."""
    family, folder = request.param, tmp_path_factory.mktemp("run")
    config, given = str(ROOT / f"configs/{family}.py"), options(family, data, folder.name)
    assert tool(["train", config, "--work-dir", str(folder), *given]) == 0
    tested = ["--work-dir", str(folder / "test"), "--out", str(folder / "found.pkl"), "--show-dir", "shown"]
    assert tool(["test", config, str(folder / "iter_2.pth"), *tested, *given]) == 0
    return family, config, given, folder


def scores_of(run):
    files = [p for p in (run[3] / "test").glob("*/*.json")]
    return json.loads(files[0].read_text())


def test_train_and_test(run, data):
    family, _, _, folder = run
    count = len(json.loads((data / "annotations/test.json").read_text())["images"])
    with open(folder / "found.pkl", "rb") as file:
        found = pickle.load(file)
    assert len(list((folder / "test").glob("*/shown/*.png"))) == len(found)
    if family in (PROMPTS, INSTANCES):
        for row in found:
            kept = row["pred_instances"]
            assert len(kept["masks"]) == len(kept["scores"]) > 0
            assert all(mask["size"] == list(row["ori_shape"]) for mask in kept["masks"])
    if family != INSTANCES:
        assert len(found) == count


def test_eval_metric_repeats_the_test(run, capsys):
    family, config, given, folder = run
    capsys.readouterr()
    assert tool(["eval_metric", config, str(folder / "found.pkl"), *given]) == 0
    printed = capsys.readouterr().out.strip().splitlines()[-1]
    again = eval(printed, {"nan": np.nan, "np": np, "array": np.array})  # a dictionary, as the tool prints it
    first = scores_of(run)
    prefix = "coco/" if family in (PROMPTS, INSTANCES) else "label/"
    keys = [key for key in first if key.startswith(prefix)]
    assert keys and again == pytest.approx({key: first[key] for key in keys}, nan_ok=True)


@pytest.mark.parametrize("run", [PROMPTS, INSTANCES], indirect=True)
def test_confusion_matrix(run):
    """Of detections; for classes our own test prints one."""
    _, config, given, folder = run
    assert tool(["confusion_matrix", config, str(folder / "found.pkl"), str(folder / "matrix"), *given]) == 0
    assert (folder / "matrix/confusion_matrix.png").is_file()


def test_print_config_is_a_configuration(run, tmp_path):
    _, config, given, _ = run
    path = tmp_path / "out/whole.py"
    assert tool(["print_config", config, "--save-path", str(path), *given]) == 0
    assert "_base_" not in path.read_text() and Config.fromfile(path).to_dict() == loaded(run).to_dict()


def test_browse_dataset_ends_and_draws(run, data, tmp_path):
    _, config, given, _ = run
    assert tool(["browse_dataset", config, "--output-dir", str(tmp_path), "--not-show", *given]) == 0
    drawn = sorted(tmp_path.glob("*.png"))
    assert 10 < len(drawn) <= 40
    # Something is drawn over the image.
    plain = read_image(data / "images" / drawn[0].name)
    picture = read_image(drawn[0])
    assert np.ptp(picture.astype(int), axis=2).max() > 50 > np.ptp(plain.astype(int), axis=2).max()


def test_analyze_logs(run, tmp_path):
    _, _, _, folder = run
    (log,) = folder.glob("*/vis_data/scalars.json")
    for command in (
        ["cal_train_time", str(log)],
        ["plot_curve", str(log), "--keys", "loss", "--style", "default", "--out", str(tmp_path / "a.png")],
    ):
        assert tool(["analyze_logs", *command]) == 0
    assert (tmp_path / "a.png").is_file()


def test_get_flops(run, capsys):
    _, config, given, _ = run
    assert tool(["get_flops", config, "--num-images", "1", *given]) == 0
    text = capsys.readouterr().out
    assert f"Input shape: ({SIZE}, {SIZE})" in text and "Flops: " in text


def loaded(run):
    from argparse import ArgumentParser

    from mmengine.config import DictAction

    parser = ArgumentParser()
    parser.add_argument("--cfg-options", nargs="+", action=DictAction)
    config = Config.fromfile(run[1])
    config.merge_from_dict(parser.parse_args(run[2]).cfg_options)
    return config


def test_init_detector_and_inferencer(run, data, tmp_path):
    from mmdet.apis import DetInferencer, inference_detector, init_detector

    family, _, _, folder = run
    weights = str(folder / "iter_2.pth")
    model = init_detector(loaded(run), weights, device="cpu")
    assert model.dataset_meta["classes"]
    image = str(next((data / "images").glob("*.png")))
    if family == PROMPTS:
        with pytest.raises(ConfigError, match=r"ultrasam\.Predictor"):
            inference_detector(model, image)
        with pytest.raises(ConfigError, match=r"ultrasam\.Predictor"):
            DetInferencer(loaded(run), weights, device="cpu", show_progress=False)
        return
    found = inference_detector(model, image).pred_instances
    array = inference_detector(model, read_image(image)[..., ::-1]).pred_instances
    assert torch.equal(found.scores, array.scores) and len(found.scores) > 0
    inferencer = DetInferencer(loaded(run), weights, device="cpu", show_progress=False)
    written = inferencer(image, out_dir=str(tmp_path), no_save_pred=False, pred_score_thr=0.0)
    assert written["predictions"][0]["scores"] == pytest.approx(found.scores.tolist())
    assert list((tmp_path / "vis").glob("*.png")) and list((tmp_path / "preds").glob("*.json"))
    if family == INSTANCES:
        own = find(model, read_image(image), SIZE)
        assert torch.allclose(own.scores, found.scores) and np.array_equal(own.masks, found.masks.numpy())


def test_a_tool_that_is_none(capsys):
    assert tool(["browse_data"]) == 2 and "browse_dataset" in capsys.readouterr().err
