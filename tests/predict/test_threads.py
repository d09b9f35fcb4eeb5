"""One predictor, many threads: the answers are those of one thread, or there is an error."""

from __future__ import annotations

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import pytest

from tests.kit.pictures import noise, waves
from ultrasam.errors import UltraSamError
from ultrasam.predict.encoded import Encoded
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.segmentation import Segmentation
from ultrasam.prompts.refine import Refinement

THREADS = 8
#: Pictures of two sizes: a mask of the wrong picture may have the right shape.
PICTURES = [waves(120, 200, seed=0), waves(120, 200, seed=1), noise(90, 140), waves(90, 140, seed=2)]


def asked(number: int) -> list[ObjectPrompt]:
    """A box and a click, others for each number."""
    x, y = 20 + number % 60, 15 + number % 40
    return [ObjectPrompt(box=[x, y, x + 50.0, y + 40]), ObjectPrompt([[x + 25.5, y + 20.5]], [1])]


def same(first: Segmentation, second: Segmentation) -> bool:
    return (
        np.array_equal(first.masks, second.masks)
        and np.array_equal(first.scores, second.scores)
        and np.array_equal(first.logits, second.logits)
    )


@pytest.mark.parametrize(
    "options", [{"closer": False}, {"closer": True}, {"refinement": Refinement(passes=1)}], ids=str
)
def test_threads_share_a_predictor_and_encoded_images(tiny_model, options):
    predictor = Predictor(tiny_model, **options)
    shared = [predictor.encode(picture) for picture in PICTURES]

    def ask(number: int) -> tuple[Segmentation, Segmentation]:
        # Its own encoding, while others encode other pictures, and one that all threads use.
        own = predictor.encode(PICTURES[number % len(PICTURES)])
        return own.segment(asked(number)), shared[number % len(PICTURES)].segment(
            asked(number), multimask=True
        )

    alone = [ask(number) for number in range(12)]
    with ThreadPoolExecutor(THREADS) as threads:
        together = list(threads.map(ask, range(12)))
    for expected, found in zip(alone, together, strict=True):
        assert same(expected[0], found[0]) and same(expected[1], found[1])
    assert any(expected[0].masks.any() for expected in alone)


def test_threads_that_set_images_for_each_other_are_told(tiny_model):
    predictor = Predictor(tiny_model)
    expected = [predictor.encode(picture).segment(asked(3)) for picture in PICTURES]
    barrier = threading.Barrier(THREADS)

    def ask(thread: int) -> list[str]:
        said = []
        for turn in range(4):
            number = (thread + turn) % len(PICTURES)
            predictor.set_image(PICTURES[number])
            barrier.wait()
            try:
                said.append("same" if same(predictor.segment(asked(3)), expected[number]) else "another")
            except UltraSamError as error:
                assert "predictor.encode" in str(error)
                said.append("told")
            barrier.wait()
        return said

    with ThreadPoolExecutor(THREADS) as threads:
        said = list(chain.from_iterable(threads.map(ask, range(THREADS))))
    # In each of the four turns, the last one to set an image is right and all others are told.
    assert sorted(said) == ["same"] * 4 + ["told"] * 4 * (THREADS - 1)


def in_a_thread(work: object) -> object:
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(work).result()  # type: ignore[arg-type]


def test_an_image_set_by_one_thread_may_be_used_by_others(tiny_model):
    predictor = Predictor(tiny_model)
    predictor.set_image(PICTURES[0])
    expected = predictor.segment(asked(1))
    assert same(in_a_thread(lambda: predictor.segment(asked(1))), expected)
    in_a_thread(lambda: predictor.set_image(PICTURES[1]))
    for call in (
        lambda: predictor.segment(asked(1)),
        lambda: predictor.predict(box=[20, 15, 70, 55]),
        lambda: predictor.features,
        lambda: predictor.original_size,
        predictor.get_image_embedding,
    ):
        with pytest.raises(UltraSamError, match="another thread"):
            call()
    predictor.set_image(PICTURES[0])
    assert same(predictor.segment(asked(1)), expected)
    # Forgetting an image for another thread is told too.
    in_a_thread(predictor.reset_image)
    with pytest.raises(UltraSamError, match="another thread"):
        predictor.segment(asked(1))


def test_an_encoded_image_does_not_change_with_the_predictor(tiny_model):
    predictor = Predictor(tiny_model)
    encoded = predictor.encode(PICTURES[0])
    expected = encoded.segment(asked(1))
    assert not predictor.is_image_set, "encode leaves the predictor as it was"
    predictor.set_image(PICTURES[1])
    predictor.postprocessing, predictor.closer = "official", True
    assert isinstance(encoded, Encoded) and same(encoded.segment(asked(1)), expected)
    with pytest.raises(AttributeError):
        encoded.features = None  # type: ignore[misc]
    assert len(predictor.encode_batch(PICTURES[:2]).segment_batch(asked(1))[1]) == 0


def test_a_predictor_with_an_image_can_be_copied(tiny_model):
    predictor = Predictor(tiny_model)
    predictor.set_image(PICTURES[0])
    for again in (copy.deepcopy(predictor), pickle.loads(pickle.dumps(predictor))):
        assert same(again.segment(asked(1)), predictor.segment(asked(1)))
        again.reset_image()
        assert predictor.is_image_set
