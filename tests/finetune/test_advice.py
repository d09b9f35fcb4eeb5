"""What is said of fine-tuning follows from the objects and the change, and never names the mode in use."""

import pytest

from ultrasam.finetune.advice import ENOUGH, MARGIN, advice, keeps_tuned, kept


def scores(box, point, count=100.0):
    return {"box": {"Dice": box, "num_objects": count}, "point": {"Dice": point, "num_objects": count}}


@pytest.mark.parametrize("count", [1, 4, ENOUGH - 1])
def test_few_objects_say_nothing(count):
    said = advice(scores(0.9, 0.9, count), scores(0.2, 0.99, count), "full")
    assert f"{count} held-out objects are too few" in said and "--steps" not in said
    assert "with a box" not in said and "with a point" not in said


@pytest.mark.parametrize("change", [0.0, 0.0005, -0.0005, 0.9 * MARGIN, -0.9 * MARGIN])
def test_a_small_change_is_none(change):
    said = advice(scores(0.9, 0.8), scores(0.9 + change, 0.8 + change), "full")
    assert said == "Dice of 100 held-out objects: with a box as before, with a point as before."


def test_both_prompts_are_spoken_of():
    said = advice(scores(0.90, 0.80), scores(0.93, 0.71), "lora")
    assert "with a box better by 3.0 points, with a point worse by 9.0 points" in said
    assert "fewer --steps, or a lower --lr, or --mode decoder" in said
    assert "--steps" not in advice(scores(0.90, 0.80), scores(0.93, 0.82), "lora")


def test_the_mode_in_use_is_not_advised():
    said = advice(scores(0.90, 0.80), scores(0.85, 0.80), "decoder")
    assert "with a box worse by 5.0 points" in said and "--mode" not in said and "--lr" in said


@pytest.mark.parametrize(
    ("box", "point", "tuned"),
    [(0.95, 0.85, True), (0.896, 0.796, True), (0.95, 0.79, False), (0.89, 0.9, False)],
)
def test_what_got_worse_is_not_kept(box, point, tuned):
    """By more than half a point, with boxes or with points."""
    assert keeps_tuned(scores(0.90, 0.80), scores(box, point)) is tuned
    assert ("started from" in kept(tuned)) is not tuned
