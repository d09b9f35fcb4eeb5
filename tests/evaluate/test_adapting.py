"""Foreign models: two methods suffice, and what lacks them is told."""

import sys
import types

import numpy as np
import pytest

from tests.kit.miniature import make_data
from ultrasam.errors import ConfigError
from ultrasam.evaluate.baselines import ellipse_in_box
from ultrasam.evaluate.evaluate import Subject, examine_all
from ultrasam.evaluate.prompting import Answers
from ultrasam.evaluate.protocol import Condition, Protocol
from ultrasam.evaluate.samples import read_samples


class Ellipses:
    """Knows no logits."""

    def __init__(self, checkpoint, shrink=1.0):
        assert checkpoint == "weights"
        self.shrink = shrink

    def set_image(self, image):
        self.size = image.shape[:2]

    def segment(self, objects, *, multimask=False):
        masks = [ellipse_in_box(entry.box, self.size) for entry in objects]
        return Answers(np.stack(masks), np.full(len(masks), 0.5))


@pytest.fixture(autouse=True)
def module(monkeypatch):
    made = types.ModuleType("foreign_models")
    made.Ellipses, made.nothing = Ellipses, lambda checkpoint: object()
    monkeypatch.setitem(sys.modules, "foreign_models", made)


def test_a_foreign_model_is_examined_as_ours(tmp_path):
    data = make_data(tmp_path, 4)
    samples, _ = read_samples({data / "annotations/all.json": data / "images"}, limit=2)
    subject = Subject("weights", adapter="foreign_models:Ellipses")
    records, card = examine_all(subject, samples, Protocol(("box",)), tmp_path / "out")
    assert card.checkpoint == "weights" and card.options == {"adapter": "foreign_models:Ellipses"}
    assert not card.weights and not card.closer
    for record in records:
        box, ellipse = (record.answers[Condition(name)] for name in ("box", "ellipse"))
        assert np.array_equal(box.iou, ellipse.iou) and set(box.scores) == {0.5}


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("no_such_module:Thing", "can't be had"),
        ("foreign_models:Thing", "can't be had"),
        ("foreign_models", "can't be had"),
        ("foreign_models:nothing", "set_image"),
    ],
)
def test_what_is_no_model_is_told(where, says):
    with pytest.raises(ConfigError, match=says):
        Subject("weights", adapter=where).predictor()


def test_options_that_it_does_not_take():
    with pytest.raises(ConfigError, match="closer"):
        Subject("weights", {"closer": True}, adapter="foreign_models:Ellipses").predictor()
