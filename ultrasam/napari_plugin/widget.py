"""The widget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import napari.layers
import numpy as np
from magicgui.widgets import ComboBox, Container, Label, LineEdit, PushButton
from napari.qt.threading import thread_worker

from ultrasam.errors import PromptError, UltraSamError
from ultrasam.napari_plugin.layer_data import (
    FEATURE,
    INSIDE,
    OUTSIDE,
    frame_masks,
    frame_pixels,
    frame_prompts,
    spatial_axes,
    write_masks,
)
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.track import Follower

if TYPE_CHECKING:
    from ultrasam.predict.encoded import Encoded

POINTS, BOXES, LABELS = "UltraSam points", "UltraSam boxes", "UltraSam labels"
FORWARD, BACKWARD = "forward", "backward"


def carried(
    predictor: Predictor, frames: Iterator[np.ndarray], masks: Sequence[np.ndarray]
) -> Iterator[list[np.ndarray | None]]:
    """Masks (H, W) bool of the first frame in each of the others; None where one is lost."""
    work = Follower(predictor, next(frames), dict(enumerate(masks)))
    for frame in frames:
        found = work.step(frame)
        yield [None if (one := found[number]) is None else one.mask for number in range(len(masks))]


class SegmentWidget(Container):
    """Segments what points and boxes ask for, and carries labels through a clip.

    Args:
        napari_viewer: whose image is segmented; napari gives it to the parameter of this name.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        self._viewer = napari_viewer
        self._predictor: tuple[str, Predictor] | None = None
        self._encoded: tuple[np.ndarray, Encoded] | None = None
        #: Frame and labels of what was segmented last.
        self._last: tuple[int, list[int]] | None = None
        #: The propagation that runs, if one does.
        self.worker: Any = None
        self.image = ComboBox(label="image", choices=self._images)
        self.model = LineEdit(label="model", value="small", tooltip="a weight file, or a name like 'small'")
        self.click = ComboBox(label="click", choices=[INSIDE, OUTSIDE], value=INSIDE)
        self.segment_button = PushButton(text="Segment")
        self.next_button = PushButton(text="Next object")
        self.direction = ComboBox(label="direction", choices=[FORWARD, BACKWARD], value=FORWARD)
        self.propagate_button = PushButton(text="Propagate")
        self.told = Label(value="")
        super().__init__(
            widgets=[
                self.image,
                self.model,
                self.click,
                self.segment_button,
                self.next_button,
                self.direction,
                self.propagate_button,
                self.told,
            ]
        )
        self.click.changed.connect(self._choose)
        for event in ("inserted", "removed"):
            getattr(napari_viewer.layers.events, event).connect(self.image.reset_choices)
        for button, act in (
            (self.segment_button, self.segment),
            (self.next_button, self.next_object),
            (self.propagate_button, self.propagate),
        ):
            button.changed.connect(lambda _=None, act=act: self._guarded(act))
        if self.image.value is not None:
            self._guarded(self.prompt_layers)

    def segment(self) -> None:
        """Segment the objects of this frame into the labels layer, the first as the selected label."""
        image, frame = self._image_and_frame()
        points, boxes, labels = self.prompt_layers()
        prompts = frame_prompts(image, points, boxes, frame)
        pixels = frame_pixels(image, frame)
        # One click alone may mean several things: the surest of three masks.
        (one, *others) = prompts
        single = not others and one.box is None and one.points is not None and len(one.points) == 1
        found = self._encode(pixels).segment(prompts, multimask=single)
        numbers = self._numbers(labels, frame, len(prompts))
        write_masks(labels, frame, list(zip(numbers, found.masks, strict=True)))
        sure = ", ".join(f"{score:.2f}" for score in found.scores)
        self.told.value = f"predicted IoU {sure}"

    def _numbers(self, labels: Any, frame: int, count: int) -> list[int]:
        """Labels of objects: the selected one and free ones; the same when the same ones come again."""
        first = int(labels.selected_label) or 1
        if self._last is None or self._last[0] != frame or self._last[1][:1] != [first]:
            self._last = frame, [first]
        numbers = self._last[1]
        free = max(int(labels.data.max()), *numbers) + 1
        numbers += range(free, free + count - len(numbers))
        return numbers[:count]

    def next_object(self) -> None:
        """Take the prompts away and go on with a label that is free."""
        points, boxes, labels = self.prompt_layers()
        points.data, boxes.data = np.zeros((0, points.ndim)), []
        labels.selected_label = int(labels.data.max()) + 1
        self.click.value = INSIDE

    def propagate(self) -> None:
        """Carry the labels of this frame to the end of the clip, or its beginning; again to stop.

        Frames are written as they are found, each one a step that napari undoes.
        """
        if self.worker is not None:
            self.worker.quit()
            return
        image, frame = self._image_and_frame()
        if spatial_axes(image) == 2:
            raise PromptError("only a layer (T, Y, X) has frames to propagate through")
        labels = self.prompt_layers()[2]
        objects = frame_masks(labels, frame)
        if not objects:
            raise PromptError("there is nothing to carry: this frame has no labels")
        count = len(image.data[0] if image.multiscale else image.data)
        order = range(frame, count) if self.direction.value == FORWARD else range(frame, -1, -1)
        predictor = self._predictor_of_model()

        @thread_worker
        def work() -> Iterator[tuple[int, list[tuple[int, np.ndarray]]]]:
            frames = (frame_pixels(image, number) for number in order)
            steps = carried(predictor, frames, [mask for _, mask in objects])
            for number, masks in zip(order[1:], steps, strict=True):
                pairs = zip(objects, masks, strict=True)
                yield number, [(name, mask) for (name, _), mask in pairs if mask is not None]

        def write(step: tuple[int, list[tuple[int, np.ndarray]]]) -> None:
            write_masks(labels, *step)
            self.told.value = f"frame {step[0]}"

        def end() -> None:
            self.worker, self.propagate_button.text = None, "Propagate"

        self.worker = work()
        self.worker.yielded.connect(write)
        self.worker.errored.connect(self._tell)
        self.worker.finished.connect(end)
        self.propagate_button.text = "Stop"
        self.worker.start()

    def prompt_layers(self) -> tuple[Any, Any, Any]:
        """The points, boxes and labels of the image; made where they are not there yet."""
        image, _ = self._image_and_frame()
        axes = spatial_axes(image)
        place = {"scale": image.scale[-axes:], "translate": image.translate[-axes:], "affine": image.affine}
        if LABELS not in self._viewer.layers:
            data = image.data[0] if image.multiscale else image.data
            self._viewer.add_labels(np.zeros(data.shape[:axes], dtype=np.int32), name=LABELS, **place)
        if BOXES not in self._viewer.layers:
            shape = {"face_color": "transparent", "edge_color": "yellow", "edge_width": 2}
            self._viewer.add_shapes(ndim=axes, name=BOXES, **shape, **place)
        if POINTS not in self._viewer.layers:
            layer = self._viewer.add_points(
                np.zeros((0, axes)),
                ndim=axes,
                name=POINTS,
                features={FEATURE: np.array([], dtype=str)},
                feature_defaults={FEATURE: INSIDE},
                face_color=FEATURE,
                face_color_cycle={INSIDE: "lime", OUTSIDE: "red"},
                size=6,
                **place,
            )
            layer.mode = "add"
        return tuple(self._viewer.layers[name] for name in (POINTS, BOXES, LABELS))

    def _images(self, _: Any) -> list[Any]:
        """The image layers that there are."""
        return [layer for layer in self._viewer.layers if isinstance(layer, napari.layers.Image)]

    def _choose(self, where: str) -> None:
        """Points that are added from now on are inside or outside."""
        if POINTS in self._viewer.layers:
            self._viewer.layers[POINTS].feature_defaults = {FEATURE: where}

    def _image_and_frame(self) -> tuple[Any, int]:
        image = self.image.value
        if image is None:
            raise PromptError("there is no image layer: open an image first")
        if spatial_axes(image) == 2:
            return image, 0
        return image, int(np.rint(image.world_to_data(self._viewer.dims.point)[0]))

    def _predictor_of_model(self) -> Predictor:
        name = self.model.value.strip()
        if self._predictor is None or self._predictor[0] != name:
            self._predictor, self._encoded = (name, Predictor(name)), None
        return self._predictor[1]

    def _encode(self, pixels: np.ndarray) -> Encoded:
        """The frame, encoded once for all its prompts."""
        predictor = self._predictor_of_model()
        if self._encoded is None or not np.array_equal(self._encoded[0], pixels):
            self._encoded = pixels.copy(), predictor.encode(pixels)
        return self._encoded[1]

    def _guarded(self, act: Any) -> None:
        """What is wrong with what was asked for is said in the widget."""
        try:
            act()
        except UltraSamError as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        self.told.value = str(error)
