"""Functions of CVAT's SDK: ``--function-module ultrasam.serve.cvat_functions`` of ``cvat-cli``.

``create`` makes one of three: detection (masks of everything), interaction (clicks and boxes), tracking (a
mask, polygon or rectangle carried through frames). They run where the command does; only shapes go to CVAT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from ultrasam.data.boxes import tight_box
from ultrasam.data.polygons import polygons
from ultrasam.errors import PromptError, UltraSamError
from ultrasam.predict import masks
from ultrasam.predict.automatic import Everything, find_everything
from ultrasam.predict.encoded import Encoded
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.track import Follower

try:
    import cvat_sdk.auto_annotation as cvat
    from cvat_sdk import models
    from cvat_sdk.masks import decode_mask, encode_mask
except ImportError as error:
    raise UltraSamError("functions of CVAT need its SDK: pip install 'cvat-sdk>=2.80'") from error


def create(
    kind: str = "detection", model: str = "small", label: str = "object", device: str | None = None
) -> Any:
    """A function for ``cvat-cli``; its options are given as ``-p kind=str:tracking``.

    Args:
        kind: ``detection``, ``interaction`` or ``tracking``.
        model: a weight file or a name that `ultrasam.load` knows.
        label: what detected objects are called; CVAT's task has a label of this name.
        device: where to run; the best at hand where None.

    Raises:
        UltraSamError: there is no such kind, or the model can't be loaded.
    """
    kinds: Mapping[str, Callable[[Predictor], Any]] = {
        "detection": lambda predictor: Detection(predictor, label),
        "interaction": Interaction,
        "tracking": Tracking,
    }
    if kind not in kinds:
        raise UltraSamError(f"there is no function '{kind}': {', '.join(kinds)}")
    return kinds[kind](Predictor(model, device=device))


_EVERYTHING = Everything()


class Detection:
    """Finds everything; one label for all of it, since the model knows no classes."""

    def __init__(self, predictor: Predictor, label: str = "object", wanted: Everything = _EVERYTHING) -> None:
        self._predictor, self._wanted = predictor, wanted
        self._spec = cvat.DetectionFunctionSpec(labels=[cvat.label_spec(label, 0)])

    @property
    def spec(self) -> Any:
        """What CVAT is told of the function."""
        return self._spec

    def detect(self, context: Any, image: Any) -> list[Any]:
        """Masks, or polygons where those are wanted, of predicted IoU above the context's threshold."""
        threshold = context.conf_threshold
        wanted = self._wanted if threshold is None else replace(self._wanted, min_iou=float(threshold))
        found = find_everything(self._predictor.encode(_pixels(image)), wanted)
        if not context.conv_mask_to_poly:
            return [cvat.mask(0, encode_mask(mask)) for mask in found.masks]
        outlines = [max(parts, key=_area) for parts in found.polygons() if parts]
        return [cvat.polygon(0, outline) for outline in outlines]


class Interaction:
    """A mask for clicks inside and outside, and a box."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._spec = cvat.InteractionFunctionSpec(min_pos_points=0, min_neg_points=0, min_bounding_boxes=0)

    @property
    def spec(self) -> Any:
        """What CVAT is told of the function."""
        return self._spec

    def preprocess_image(self, context: Any, image: Any) -> Encoded:
        """The encoded image, which CVAT's agent keeps."""
        return self._predictor.encode(_pixels(image))

    def detect(self, context: Any, pp_image: Encoded, prompts: Any) -> list[Any]:
        """The surest mask with its predicted IoU; nothing where it is empty."""
        points = [*prompts.pos_points, *prompts.neg_points]
        labels = [1] * len(prompts.pos_points) + [0] * len(prompts.neg_points)
        box = None if prompts.bounding_box is None else np.ravel(prompts.bounding_box)
        if box is None and not prompts.pos_points:
            raise PromptError("there is neither a point inside nor a box: click into the object first")
        prompt = ObjectPrompt(points or None, labels or None, box)
        answer = pp_image.candidates([prompt], multimask=box is None and len(points) == 1, best=True)
        (mask,) = masks.draw(answer.masks[0], pp_image.geometries[0].original)
        if not mask.any():
            return []
        sure = models.AttributeValRequest(
            spec_id=int(cvat.InteractionResultAttributes.CONFIDENCE),
            value=f"{min(max(float(answer.iou[0, 0]), 0.0), 1.0):.4f}",
        )
        return [cvat.InteractionResultShape(type="mask", points=encode_mask(mask), attributes=[sure])]


@dataclass
class _Tracked:
    """A shape on its way: what follows it, and the frame's size (H, W)."""

    work: Follower
    size: tuple[int, int]


class Tracking:
    """Carries a shape through the frames of a clip, with optical flow and the model."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._spec = cvat.TrackingFunctionSpec(supported_shape_types={"mask", "polygon", "rectangle"})

    @property
    def spec(self) -> Any:
        """What CVAT is told of the function."""
        return self._spec

    def preprocess_image(self, context: Any, image: Any) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        return _pixels(image)

    def init_tracking_state(self, context: Any, pp_image: np.ndarray, shape: Any) -> _Tracked:
        """Begin with a shape; of a rectangle it is the object within that is carried."""
        mask = self._mask(pp_image, shape)
        return _Tracked(Follower(self._predictor, pp_image, {0: mask}), mask.shape)

    def track(self, context: Any, pp_image: np.ndarray, state: _Tracked) -> Any:
        """The shape in the next frame, of its own type; None where it is lost."""
        carried = state.work.step(pp_image)[0]
        if carried is None:
            return None
        kind = context.original_shape_type
        return cvat.TrackableShape(type=kind, points=_points(carried.mask, kind))

    def _mask(self, image: np.ndarray, shape: Any) -> np.ndarray:
        """A shape as a mask (H, W) bool."""
        height, width = image.shape[:2]
        if shape.type == "mask":
            return decode_mask(shape.points, image_width=width, image_height=height)
        if shape.type == "rectangle":
            return self._predictor.segment_once(image, [ObjectPrompt(box=shape.points)]).masks[0]
        outline = np.array(shape.points, dtype=np.float64).reshape(-1, 2)
        # cv2 fills from pixel center to pixel center; outlines run in continuous pixels.
        drawn = cv2.fillPoly(
            np.zeros((height, width), np.uint8), [np.rint(outline - 0.5).astype(np.int32)], 1
        )
        return drawn.astype(bool)


def _points(mask: np.ndarray, kind: str) -> list[float]:
    """A mask (H, W) bool, not empty, as the points of a shape."""
    if kind == "mask":
        return encode_mask(mask)
    if kind == "polygon":
        return max(polygons(mask), key=_area)
    return [float(v) for v in tight_box(mask)]


def _area(outline: list[float]) -> float:
    return cv2.contourArea(np.array(outline, dtype=np.float32).reshape(-1, 2))


def _pixels(image: Any) -> np.ndarray:
    return np.asarray(image.convert("RGB"))
