"""SonoBase's protocol: how far prompts are off, what is corrected, and both means."""

import numpy as np

from tests.kit.miniature import make_data
from ultrasam.data import coco
from ultrasam.evaluate.evaluate import Subject, examine_all
from ultrasam.evaluate.protocol import SONOBASE, SONOBASE_CLICKS, SONOBASE_SEEDS, Condition, Protocol
from ultrasam.evaluate.samples import read_samples
from ultrasam.evaluate.scores import summarize
from ultrasam.evaluate.sonobase import noised_box, sonobase_table


def test_sides_move_by_a_tenth_at_most_twenty_pixels():
    rng = np.random.default_rng(0)
    for box, shape, most in (
        ([100.0, 100, 200, 150], (1024, 1024), (10, 5)),
        ([100.0, 100, 800, 900], (1024, 1024), (20, 20)),
        ([100.0, 100, 400, 300], (512, 512), (10, 10)),
    ):
        moved = np.array([noised_box(np.array(box), shape, rng) for _ in range(400)]) - box
        for axis in range(2):
            sides = np.abs(moved[:, axis::2])
            assert sides.max() <= most[axis] and sides.max() > 0.95 * most[axis]
            assert abs(moved[:, axis::2].mean()) < 0.1 * most[axis]
    edge = noised_box(np.array([0.0, 0, 3, 3]), (4, 4), rng)
    assert (edge >= 0).all() and (edge <= 4).all() and (edge[2:] >= edge[:2] + 1).all()


def test_three_seeds_with_up_to_seven_clicks(tiny_weights, tmp_path):
    data = make_data(tmp_path, 4)
    samples, notes = read_samples({data / "annotations/all.json": data / "images"}, limit=1)
    protocol = Protocol(("box", "point"), baselines=False, sonobase=True)
    subject = Subject(str(tiny_weights), {"device": "cpu"})
    records, card = examine_all(subject, samples, protocol, tmp_path / "out")
    asked = {c for c in records[0].answers if c.disturbance == SONOBASE}
    assert len(asked) == 2 * len(SONOBASE_SEEDS) * len(SONOBASE_CLICKS)
    first = [records[0].answers[Condition("point", SONOBASE, seed)] for seed in SONOBASE_SEEDS]
    masks = [coco.decode(a.masks[0], records[0].size, "") for a in first]
    assert not np.array_equal(masks[0], masks[1]) or not np.array_equal(masks[0], masks[2])
    again, _ = examine_all(subject, samples, protocol, tmp_path / "again")
    for condition in asked:
        assert np.array_equal(records[0].answers[condition].iou, again[0].answers[condition].iou)
    results = summarize(records, protocol, subject=card, title="tiny", data=notes)
    table = sonobase_table(results)
    assert [row[0] for row in table.rows[-2:]] == ["macro", "micro"]
    dice = [
        np.mean(
            [2 * iou / (1 + iou) for r in records for iou in r.answers[Condition("box", SONOBASE, s)].iou]
        )
        for s in SONOBASE_SEEDS
    ]
    micro = next(row for row in table.rows if row[:2] == ["micro", "box"])
    assert micro[2] == f"{np.mean(dice):.3f} ({max(dice) - min(dice):.3f})"
