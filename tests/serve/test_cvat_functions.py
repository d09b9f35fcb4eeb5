"""CVAT's functions, by its SDK's own classes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

auto = pytest.importorskip("cvat_sdk.auto_annotation", reason="cvat-sdk is not installed")

from cvat_sdk.masks import decode_mask, encode_mask  # noqa: E402

from ultrasam.errors import PromptError, UltraSamError  # noqa: E402
from ultrasam.predict.automatic import Everything, find_everything  # noqa: E402
from ultrasam.predict.object_prompt import ObjectPrompt  # noqa: E402
from ultrasam.predict.track import Follower  # noqa: E402
from ultrasam.serve import cvat_functions as cvat  # noqa: E402

SIZE = (120, 200)
BOX = [60.0, 30.0, 120.0, 90.0]


def prompts(pos=(), neg=(), box=None):
    return SimpleNamespace(pos_points=pos, neg_points=neg, bounding_box=box)


def context(**values):
    return SimpleNamespace(**values)


def decoded(shape):
    assert str(shape.type) == "mask"
    return decode_mask(list(shape.points), image_width=SIZE[1], image_height=SIZE[0])


@pytest.fixture
def image(picture):
    return Image.fromarray(picture)


@pytest.mark.parametrize(
    ("given", "prompt", "multimask"),
    [
        (prompts(pos=[(90.0, 60.0)]), ObjectPrompt([[90, 60]]), True),
        (prompts([(90.0, 60.0)], [(20.0, 20.0)]), ObjectPrompt([[90, 60], [20, 20]], [1, 0]), False),
        (prompts(box=((60.0, 30.0), (120.0, 90.0))), ObjectPrompt(box=BOX), False),
        (
            prompts((), [(70.0, 40.0)], ((60.0, 30.0), (120.0, 90.0))),
            ObjectPrompt([[70, 40]], [0], BOX),
            False,
        ),
    ],
)
def test_interaction(predictor, picture, image, given, prompt, multimask):
    function = cvat.Interaction(predictor)
    assert isinstance(function.spec, auto.InteractionFunctionSpec)
    (shape,) = function.detect(context(), function.preprocess_image(context(), image), given)
    assert isinstance(shape, auto.InteractionResultShape)
    wanted = predictor.encode(picture).segment([prompt], multimask=multimask)
    assert np.array_equal(decoded(shape), wanted.masks[0])
    assert float(shape.attributes[0].value) == pytest.approx(np.clip(wanted.scores[0], 0, 1), abs=1e-4)


def test_interaction_needs_something_inside(predictor, image):
    function = cvat.Interaction(predictor)
    with pytest.raises(PromptError, match="click into the object"):
        function.detect(context(), function.preprocess_image(context(), image), prompts(neg=[(5.0, 5.0)]))


def test_detection(predictor, picture, image):
    options = Everything(points_per_side=4, min_iou=0.0, most=3)
    function = cvat.Detection(predictor, "lesion", options)
    assert isinstance(function.spec, auto.DetectionFunctionSpec)
    assert [(label.name, label.id) for label in function.spec.labels] == [("lesion", 0)]
    wanted = find_everything(predictor.encode(picture), options)
    assert len(wanted) > 0
    shapes = function.detect(context(conf_threshold=None, conv_mask_to_poly=False), image)
    assert all(np.array_equal(decoded(s), mask) for s, mask in zip(shapes, wanted.masks, strict=True))
    outlines = function.detect(context(conf_threshold=0.0, conv_mask_to_poly=True), image)
    assert len(outlines) == len(shapes)
    for shape in (*shapes, *outlines):
        assert shape.label_id == 0 and shape.frame == 0 and not hasattr(shape, "source")
    assert {shape.type.value if hasattr(shape.type, "value") else shape.type for shape in outlines} == {
        "polygon"
    }
    assert function.detect(context(conf_threshold=1.0, conv_mask_to_poly=False), image) == []


@pytest.mark.parametrize("kind", ["mask", "polygon", "rectangle"])
def test_tracking(predictor, picture, image, kind):
    function = cvat.Tracking(predictor)
    assert (
        isinstance(function.spec, auto.TrackingFunctionSpec) and kind in function.spec.supported_shape_types
    )
    start = np.zeros(SIZE, bool)
    start[30:90, 60:120] = True
    points = {"mask": encode_mask(start), "polygon": [60, 30, 120, 30, 120, 90, 60, 90], "rectangle": BOX}[
        kind
    ]
    shape, of_shape = auto.TrackableShape(type=kind, points=points), context(original_shape_type=kind)
    state = function.init_tracking_state(of_shape, function.preprocess_image(context(), image), shape)
    if kind == "rectangle":
        start = predictor.segment_once(picture, [ObjectPrompt(box=BOX)]).masks[0]
    frame = np.ascontiguousarray(np.roll(picture, 2, axis=1))
    found = function.track(of_shape, function.preprocess_image(context(), Image.fromarray(frame)), state)
    assert isinstance(found, auto.TrackableShape) and found.type == kind
    wanted = Follower(predictor, picture, {0: start}).step(frame)[0]
    if kind == "mask":
        assert np.array_equal(decoded(found), wanted.mask)
    elif kind == "rectangle":
        y, x = np.nonzero(wanted.mask)
        assert found.points == [x.min(), y.min(), x.max() + 1, y.max() + 1]
    else:
        assert len(found.points) >= 6 and max(found.points[::2]) <= SIZE[1]
    empty = auto.TrackableShape(type="mask", points=encode_mask(np.zeros(SIZE, bool)))
    state = function.init_tracking_state(of_shape, function.preprocess_image(context(), image), empty)
    assert function.track(of_shape, picture, state) is None


def test_create_makes_each_kind_and_no_other():
    for kind, spec in (
        ("detection", auto.DetectionFunctionSpec),
        ("interaction", auto.InteractionFunctionSpec),
        ("tracking", auto.TrackingFunctionSpec),
    ):
        assert isinstance(cvat.create(kind).spec, spec)
    with pytest.raises(UltraSamError, match="detection, interaction, tracking"):
        cvat.create("cooking")
