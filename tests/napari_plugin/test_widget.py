"""napari's widget in a real viewer: what it writes is what the predictor finds."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari", reason="napari (extra 'napari') is not installed")

import npe2
from qtpy.QtWidgets import QApplication

from tests.kit.pictures import waves
from ultrasam.napari_plugin import widget as plugin
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor

BOX = [60, 30, 120, 90]
FRAMES = [np.ascontiguousarray(np.roll(waves(), shift, axis=1)) for shift in range(0, 8, 2)]


@pytest.fixture
def predictor(tiny_model):
    return Predictor(tiny_model, closer=True)


@pytest.fixture
def opened(viewer, predictor):
    """Opens data in the viewer, beside the plugin's widget; with the tiny model."""

    def open_image(data, **options):
        layer = viewer.add_image(data, **options)
        found = plugin.SegmentWidget(viewer)
        assert found.image.value is layer
        viewer.dims.set_current_step(0, 0)
        found._predictor = ("small", predictor)
        return found

    return open_image


def layers(viewer):
    return [viewer.layers[name] for name in (plugin.POINTS, plugin.BOXES, plugin.LABELS)]


def rectangle(box, frame=None):
    """A box as napari's rectangle tool leaves it: pixels' centers are whole numbers."""
    x1, y1, x2, y2 = np.array(box) - 0.5
    corners = np.array([[y1, x1], [y1, x2], [y2, x2], [y2, x1]])
    return corners if frame is None else np.insert(corners, 0, frame, axis=1)


def wait(widget, change=lambda: None):
    """Run Qt until the propagation has ended."""
    until = time.monotonic() + 60
    while widget.worker is not None:
        QApplication.processEvents()
        change()
        assert time.monotonic() < until
    QApplication.processEvents()


def test_the_manifest_leads_to_the_widget(viewer):
    manifest = npe2.PluginManifest.from_file(Path(plugin.__file__).parent / "napari.yaml")
    manager = npe2.PluginManager.instance()
    if "ultrasam" not in manager:
        manager.register(manifest)
    dock, widget = viewer.window.add_plugin_dock_widget("ultrasam", "UltraSam")
    assert isinstance(widget, plugin.SegmentWidget) and dock.isVisibleTo(viewer.window._qt_window)


@pytest.mark.parametrize("scale", [(1, 1), (0.2, 0.4)])
def test_points_make_one_object_and_what_is_outside_corrects(opened, viewer, predictor, scale):
    widget = opened(FRAMES[0], rgb=True, scale=scale)
    points, _, labels = layers(viewer)
    points.add([60, 90])
    widget.segment_button.native.click()
    encoded = predictor.encode(FRAMES[0])
    wanted = encoded.segment([ObjectPrompt([[90.5, 60.5]])], multimask=True)
    assert np.array_equal(labels.data, wanted.masks[0]) and f"{wanted.scores[0]:.2f}" in widget.told.value
    widget.click.value = "outside"
    points.add([40, 70])
    assert points.features["where"].tolist() == ["inside", "outside"]
    assert np.allclose(points.face_color[:, :2], [[0, 1], [1, 0]])
    widget.segment_button.native.click()
    corrected = encoded.segment([ObjectPrompt([[90.5, 60.5], [70.5, 40.5]], [1, 0])]).masks[0]
    assert np.array_equal(labels.data, corrected) and not np.array_equal(corrected, wanted.masks[0])
    labels.undo()
    assert np.array_equal(labels.data, wanted.masks[0])
    labels.undo()
    assert not labels.data.any()
    labels.redo()
    labels.redo()
    assert np.array_equal(labels.data, corrected)


def test_boxes_are_objects_of_their_own_and_take_nothing_from_others(opened, viewer, predictor):
    widget = opened(FRAMES[0][..., 0])
    points, boxes, labels = layers(viewer)
    labels.data_setitem((np.array([0]), np.array([0])), 2)
    other = [130, 20, 180, 80]
    boxes.add_rectangles([rectangle(BOX), rectangle(other)])
    points.add([60, 90])
    for _ in range(2):
        widget.segment_button.native.click()
        gray = np.repeat(FRAMES[0][..., :1], 3, axis=2)
        prompts = [ObjectPrompt([[90.5, 60.5]], [1], BOX), ObjectPrompt(box=other)]
        first, second = predictor.encode(gray).segment(prompts).masks
        assert first.any() and second.any() and labels.data[0, 0] == 2
        assert np.array_equal(labels.data == 1, first) and np.array_equal(labels.data == 3, second & ~first)
    points.add([110, 10])
    widget.segment_button.native.click()
    assert "none of the boxes" in widget.told.value
    widget.next_button.native.click()
    assert len(points.data) == len(boxes.data) == 0 and labels.selected_label == 4


@pytest.mark.parametrize("colors", [True, False])
def test_labels_are_carried_through_a_clip_both_ways(opened, viewer, predictor, colors):
    clip = np.stack(FRAMES) if colors else np.stack(FRAMES)[..., 0]
    widget = opened(clip, rgb=colors)
    viewer.dims.set_current_step(0, 1)
    _, boxes, labels = layers(viewer)
    boxes.add_rectangles([rectangle(BOX, 1), rectangle(BOX, 3)])
    widget.segment_button.native.click()
    frames = [frame if colors else np.repeat(frame[..., :1], 3, axis=2) for frame in FRAMES]
    start = predictor.encode(frames[1]).segment([ObjectPrompt(box=BOX)]).masks[0]
    assert np.array_equal(labels.data[1], start) and not labels.data[[0, 2, 3]].any()
    for direction, order in (("forward", [1, 2, 3]), ("backward", [1, 0])):
        widget.direction.value = direction
        widget.propagate_button.native.click()
        wait(widget)
        found = plugin.carried(predictor, iter([frames[number] for number in order]), [start])
        for number, (mask,) in zip(order[1:], found, strict=True):
            assert mask is not None and np.array_equal(labels.data[number], mask)
    assert np.array_equal(labels.data[1], start)
    labels.undo()
    assert not labels.data[0].any() and labels.data[3].any()


def test_propagation_stops_when_asked_and_keeps_what_it_has(opened, viewer):
    widget = opened(np.stack(FRAMES * 10), rgb=True)
    labels = layers(viewer)[2]
    labels.data[0, 30:90, 60:120] = 5
    widget.propagate_button.native.click()
    assert widget.propagate_button.text == "Stop"

    def stop():
        if labels.data[2].any() and widget.worker is not None:
            widget.propagate_button.native.click()

    wait(widget, stop)
    assert labels.data[2].any() and not labels.data[-1].any() and widget.propagate_button.text == "Propagate"


def test_what_is_shown_of_deep_images_is_segmented(opened, viewer, predictor):
    deep = FRAMES[0][..., 0].astype(np.float32) * 10
    widget = opened(deep, contrast_limits=(100, 2000))
    layers(viewer)[1].add_rectangles(rectangle(BOX))
    widget.segment_button.native.click()
    wanted = Predictor(predictor.model, closer=True, window=(100, 2000))
    wanted.set_image(deep)
    assert np.array_equal(layers(viewer)[2].data, wanted.segment([ObjectPrompt(box=BOX)]).masks[0])


def test_what_is_wrong_is_said_in_the_widget(opened, viewer):
    widget = opened(np.stack(FRAMES), rgb=True)
    for button, text in (
        (widget.segment_button, "neither a point inside nor a box"),
        (widget.propagate_button, "nothing to carry"),
    ):
        button.native.click()
        assert text in widget.told.value
    layers(viewer)[1].add_rectangles(rectangle(BOX, 0))
    widget.model.value = "no-such-model"
    widget.segment_button.native.click()
    assert "no-such-model" in widget.told.value and not layers(viewer)[2].data.any()
    volume = viewer.add_image(np.zeros((2, 3, 40, 40), np.uint8))
    widget.image.value = volume
    widget.segment_button.native.click()
    assert "4 axes" in widget.told.value
