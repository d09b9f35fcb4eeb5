"""Whether fine-tuning helped, in words that the number of held-out objects allows, and what to try."""

from __future__ import annotations

from collections.abc import Mapping

from ultrasam.evaluate.protocol import BASELINES

#: Fewer held-out objects say nothing of a model.
ENOUGH = 20
#: A smaller change of Dice is none: other held-out patients would move it as much.
MARGIN = 0.01
#: By more than this no Dice may fall, with boxes or points, else the start's weights are kept.
WORST = 0.005


def keeps_tuned(before: Mapping[str, Mapping[str, float]], after: Mapping[str, Mapping[str, float]]) -> bool:
    """Whether the tuned weights are worth keeping; arguments as in `advice`."""
    return all(after[prompt]["Dice"] - before[prompt]["Dice"] >= -WORST for prompt in BASELINES)


def kept(tuned: bool) -> str:
    """Which weights ``model.pth`` holds, in a sentence."""
    if tuned:
        return "model.pth holds the tuned weights, which are nowhere worse on the held-out images."
    return "model.pth holds the weights that it started from: tuned, they were worse on the held-out images."


def advice(
    before: Mapping[str, Mapping[str, float]], after: Mapping[str, Mapping[str, float]], mode: str
) -> str:
    """What to make of the scores before and after.

    Args:
        before: prompt -> scores of `ultrasam.evaluate.coco_map.evaluate`.
        after: the same after training.
        mode: how it was trained; it is not among the things to try.
    """
    count = after["box"]["num_objects"]
    if count < ENOUGH:
        return (
            f"{count:.0f} held-out objects are too few to say whether it got better or worse; "
            f"hold out {ENOUGH} or more."
        )
    changes = {prompt: after[prompt]["Dice"] - before[prompt]["Dice"] for prompt in BASELINES}
    words = ", ".join(f"with a {prompt} {_word(change)}" for prompt, change in changes.items())
    text = f"Dice of {count:.0f} held-out objects: {words}."
    if min(changes.values()) > -MARGIN:
        return text
    ways = ["fewer --steps", "a lower --lr", *(["--mode decoder"] if mode != "decoder" else [])]
    return f"{text} Against what got worse, try {', or '.join(ways)}."


def _word(change: float) -> str:
    if abs(change) < MARGIN:
        return "as before"
    return f"{'better' if change > 0 else 'worse'} by {100 * abs(change):.1f} points"
