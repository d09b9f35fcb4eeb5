"""How far masks can be believed: agreement of moved prompts, the fit, and where it lies."""

import json

import numpy as np
import pytest

import ultrasam
from tests.kit.models import tiny
from tests.kit.pictures import scan
from ultrasam import checkpoints
from ultrasam.cli.main import main
from ultrasam.data.images import write_image
from ultrasam.errors import CheckpointError, UltraSamError
from ultrasam.evaluate.metrics import calibration
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.quality import JITTERS, assess, fit_quality
from ultrasam.types import ModelUsage, QualityFit

OBJECTS = [ObjectPrompt(box=[20, 30, 90, 100]), ObjectPrompt(points=[[60, 60], [5, 5]], labels=[1, 0])]
FIT = QualityFit(
    {"box": ((0.2, 0.1), (0.6, 0.5), (1.0, 0.9)), "point": ((0.5, 0.3),)},
    {"box": (0.8, 1.25), "point": (0.5, 2.0)},
)


@pytest.mark.parametrize("closer", [False, True])
def test_agreement_is_that_of_moved_prompts(closer, monkeypatch):
    encoded = Predictor(tiny(2), device="cpu", closer=closer).encode(scan(1, size=120))
    found = encoded.segment(OBJECTS, multimask=True)
    judged = assess(encoded, found, multimask=True)
    assert judged.agreement.shape == (2,) and (judged.agreement > 0).all() and (judged.agreement < 1).all()
    assert np.allclose(judged.quality, np.clip(found.scores, 0, 1) * judged.agreement)
    assert np.isnan(judged.area).all()
    again = assess(encoded, found, multimask=True)
    assert np.array_equal(judged.agreement, again.agreement)
    # Prompts that are not moved agree with themselves.
    for share in ("BOX_SHARE", "POINT_SHARE"):
        monkeypatch.setattr(f"ultrasam.predict.quality.{share}", 0.0)
    assert np.allclose(assess(encoded, found, multimask=True).agreement, 1)
    assert JITTERS > 1


def test_the_fit_of_the_weights_is_used(tmp_path):
    model = tiny(2)
    model.usage = ModelUsage(quality=FIT)
    checkpoints.save(model.state_dict(), tmp_path / "w.safetensors", "safetensors")
    checkpoints.save(model.state_dict(), tmp_path / "w.pth", "sam")
    for name in ("w.safetensors", "w.pth"):
        assert ultrasam.load(tmp_path / name).usage == model.usage
    encoded = Predictor(model, device="cpu").encode(scan(1, size=120))
    found = encoded.segment(OBJECTS)
    judged, plain = assess(encoded, found), np.clip(found.scores, 0, 1)
    product = plain[0] * judged.agreement[0]
    assert judged.quality[0] == pytest.approx(np.interp(product, [0.2, 0.6, 1.0], [0.1, 0.5, 0.9]))
    assert judged.quality[1] == 0.3
    area = found.masks[0].sum()
    assert np.allclose(judged.area[0], [0.8 * area, 1.25 * area])
    (tmp_path / "fit.json").write_text(json.dumps(model.usage.note()["quality"]))
    noted = [str(tmp_path / "w.pth"), str(tmp_path / "n.pth"), "--to", "sam", "--cleanup"]
    assert main(["weights", "convert", *noted, "--quality", str(tmp_path / "fit.json")]) == 0
    assert ultrasam.load(tmp_path / "n.pth").usage == ModelUsage(cleanup=True, quality=FIT)


@pytest.mark.parametrize(
    "note", [{"quality": {}}, {"quality": {"curves": 3}}, {"quality": 1}, {"cleanup": 1}]
)
def test_other_notes_are_refused(note):
    with pytest.raises(CheckpointError, match="should say how"):
        ModelUsage.of(note)


def test_fitted_on_masks_whose_iou_is_known():
    """Overconfident by a known law; new masks of the same law come out right, areas in nine of ten cases."""
    rng = np.random.default_rng(0)

    def draw(n):
        product = rng.uniform(0.2, 1, n)
        iou = np.clip(product**2 + rng.normal(0, 0.03, n), 0, 1)
        return (
            ["box"] * n + ["point"] * n,
            np.tile(product, 2),
            np.tile(iou, 2),
            np.exp(rng.normal(0, 0.2, 2 * n)),
        )

    fit = fit_quality(*draw(400))
    kinds, product, iou, ratio = draw(2000)
    quality = np.array([fit.expected(k, p) for k, p in zip(kinds, product, strict=True)])
    assert calibration(product, iou).error > 0.12 and calibration(quality, iou).error < 0.02
    low, high = fit.area_ratios("box")
    assert ((ratio >= low) & (ratio <= high)).mean() == pytest.approx(0.9, abs=0.04)
    with pytest.raises(UltraSamError, match="too few"):
        fit_quality(["box"] * 5, np.ones(5), np.ones(5), np.ones(5))


def test_predict_tells_it(tmp_path, tiny_weights):
    write_image(tmp_path / "a.png", scan(1, size=90))
    asked = ["--checkpoint", str(tiny_weights), "--box", "20,30,70,80", "--device", "cpu", "--no-overlays"]
    for name, extra in (("plain", []), ("judged", ["--quality"])):
        assert main(["predict", str(tmp_path / "a.png"), *asked, *extra, "--out", str(tmp_path / name)]) == 0
    plain, judged = (
        json.loads((tmp_path / name / "predictions.json").read_text())["annotations"][0]
        for name in ("plain", "judged")
    )
    assert judged.keys() - plain.keys() == {"quality", "agreement"}
    assert 0 < judged["quality"] == pytest.approx(judged["agreement"] * min(judged["score"], 1), abs=2e-4)
