"""CVAT's functions, by its SDK's own classes."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

auto = pytest.importorskip("cvat_sdk.auto_annotation", reason="cvat-sdk is not installed")

import attrs  # noqa: E402
from cvat_sdk.masks import decode_mask, encode_mask  # noqa: E402

from ultrasam.errors import PromptError, UltraSamError  # noqa: E402
from ultrasam.predict.automatic import Everything, find_everything  # noqa: E402
from ultrasam.predict.object_prompt import ObjectPrompt  # noqa: E402
from ultrasam.predict.predictor import Predictor  # noqa: E402
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
    return decode(shape.points)


def decode(points):
    return decode_mask(list(points), image_width=SIZE[1], image_height=SIZE[0])


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


@pytest.fixture
def worker():
    """Starts what a worker of ``cvat-cli function run-agent`` runs, with a function loaded as there."""
    agent = pytest.importorskip("cvat_cli._internal.agent", reason="cvat-cli is not installed")
    from cvat_cli._internal.common import FunctionLoader

    def start(kind):
        loader = FunctionLoader("ultrasam.serve.cvat_functions", None, {"kind": kind, "device": "cpu"})
        agent._worker_init(loader, iter("abcdef").__next__)
        return agent._worker_job_get_function_spec()

    return start


def test_the_agents_worker_interacts_and_keeps_the_encoded_image(worker, picture, image):
    from cvat_cli._internal import agent_driver_interaction as driver

    spec = worker("interaction")
    fields = driver.AgentInteractionFunctionDriver.get_remote_function_fields(spec)
    assert fields == {"min_pos_points": 0, "min_neg_points": 0, "startswith_box_optional": True}
    asked = driver._InteractionPromptsImpl(
        pos_points=((90.5, 60.5),), neg_points=((20.5, 20.5),), bounding_box=None
    )
    assert driver._worker_job_interact_from_cache("task", asked) is None
    shapes = driver._worker_job_interact("task", image, asked)
    (sent,) = [attrs.asdict(shape) for shape in shapes]
    wanted = Predictor("small", device="cpu").encode(picture)
    wanted = wanted.segment([ObjectPrompt([[90.5, 60.5], [20.5, 20.5]], [1, 0])]).masks[0]
    assert sent["type"] == "mask" and np.array_equal(decode(sent["points"]), wanted)
    assert driver._worker_job_interact_from_cache("task", asked) == shapes


def test_the_agents_worker_tracks(worker, picture, image):
    from cvat_cli._internal import agent_driver_tracking as driver

    assert worker("tracking").supported_shape_types == {"mask", "polygon", "rectangle"}
    start = np.zeros(SIZE, bool)
    start[30:90, 60:120] = True
    given = [
        auto.TrackableShape(type="mask", points=encode_mask(start)),
        auto.TrackableShape(type="rectangle", points=BOX),
    ]
    states = driver._worker_job_init_tracking(7, image, given)
    moved = np.ascontiguousarray(np.roll(picture, 2, axis=1))
    mask, rectangle = driver._worker_job_track(7, Image.fromarray(moved), states)
    wanted = Follower(Predictor("small", device="cpu"), picture, {0: start}).step(moved)[0]
    assert np.array_equal(decode(attrs.asdict(mask)["points"]), wanted.mask)
    assert attrs.asdict(rectangle)["type"] == "rectangle"
    assert np.allclose(rectangle.points, np.add(BOX, [2, 0, 2, 0]), atol=4)


@pytest.mark.parametrize("polygons", [False, True])
def test_what_is_detected_passes_the_drivers_checks(predictor, image, polygons):
    """What ``cvat-cli task auto-annotate`` does to each image between download and upload."""
    from cvat_sdk import models
    from cvat_sdk.auto_annotation import driver

    function = cvat.Detection(predictor, "lesion", Everything(points_per_side=4, min_iou=0.0, most=3))
    label = models.Label(id=31, name="lesion", type="any", attributes=[], sublabels=[])
    mapper = driver._AnnotationMapper(
        logging.getLogger(),
        function.spec.labels,
        [label],
        allow_unmatched_labels=False,
        conv_mask_to_poly=polygons,
    )
    told = driver._DetectionFunctionContextImpl(frame_name="a.png", conv_mask_to_poly=polygons)
    found = function.detect(told, image)
    tags, shapes = mapper.validate_and_remap(found, 5)
    assert tags == [] and len(shapes) == len(found) > 0
    assert {(shape.label_id, shape.frame, str(shape.source)) for shape in shapes} == {(31, 5, "auto")}
