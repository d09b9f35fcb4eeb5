"""What requests and answers hold; the OpenAPI description is made from these."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

import numpy as np
from pycocotools import mask as coco_mask
from pydantic import BaseModel, ConfigDict, Field

from ultrasam.data import coco, images
from ultrasam.errors import PromptError
from ultrasam.predict.automatic import Everything
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.serve.uploads import Picture

Number = Annotated[float, Field(allow_inf_nan=False)]
Format = Literal["rle", "png"]
_DEFAULTS = Everything()


class _Request(BaseModel):
    # A field that is not known is a mistake, and would be left out in silence.
    model_config = ConfigDict(extra="forbid")


class Rle(_Request):
    """COCO's compressed run-length code."""

    size: tuple[int, int] = Field(description="height and width")
    counts: str = Field(max_length=2**22)


class Prompt(_Request):
    """What is known of one object, in continuous pixels: (0.5, 0.5) is the center of the first pixel."""

    points: list[tuple[Number, Number]] | None = Field(None, max_length=1000, description="x, y of each")
    labels: list[Literal[0, 1]] | None = Field(None, description="1 inside the object, 0 outside; else all 1")
    box: tuple[Number, Number, Number, Number] | None = Field(None, description="x1, y1, x2, y2")

    def for_model(self) -> ObjectPrompt:
        """As the predictor takes it."""
        return ObjectPrompt(self.points, self.labels, self.box)


class Start(Prompt):
    """An object of the first image: a prompt, or its mask."""

    mask: Rle | None = None

    def start(self, number: int, size: tuple[int, int]) -> ObjectPrompt | np.ndarray:
        """A prompt, or a mask (H, W) bool.

        Raises:
            DataError: the mask is damaged or of another size.
        """
        if self.mask is None:
            return self.for_model()
        if self.points is not None or self.box is not None:
            raise PromptError(f"object {number} has a mask and prompts: give one of them")
        return coco.decode(self.mask.model_dump(mode="json"), size, f"object {number}")


class PromptRequest(_Request):
    """Objects to segment."""

    objects: list[Prompt] = Field(min_length=1, max_length=64)
    multimask: bool = Field(False, description="three candidates of each; better for a single click")
    format: Format = Field("rle", description="of masks: COCO's run-length code, or a PNG as a data: address")


class AutomaticRequest(_Request):
    """What counts as found."""

    grid: bool = Field(False, description="click on a grid, also where the model can propose boxes")
    min_score: Number = Field(_DEFAULTS.min_score, description="lowest score of a proposed box")
    points_per_side: int = Field(
        _DEFAULTS.points_per_side, description="of a grid: clicks along the longer side, 1 to 64"
    )
    min_iou: Number | None = Field(
        None, description="lowest predicted IoU (0.8 with a grid, none with proposed boxes)"
    )
    min_stability: Number = _DEFAULTS.min_stability
    min_area: Number = Field(_DEFAULTS.min_area, description="share of the image")
    max_area: Number = _DEFAULTS.max_area
    overlap: Number = Field(_DEFAULTS.overlap, description="of two with a higher IoU the surer one is kept")
    most: int = Field(_DEFAULTS.most, le=1000, description="so many are looked at again")
    format: Format = "rle"

    def wanted(self) -> Everything:
        """As the predictor takes it."""
        return Everything(**self.model_dump(exclude={"format"}))


class PropagateRequest(_Request):
    """Objects of the first image, to be carried through the others."""

    images: list[str] = Field(min_length=2, max_length=5000, description="ids, in the order of the frames")
    objects: list[Start] = Field(min_length=1, max_length=64)
    format: Format = "rle"


class Image(BaseModel):
    """An image that is kept."""

    image: str = Field(description="its id: the digest of its pixels")
    width: int
    height: int
    frame: int | None = Field(description="its number in the clip")
    spacing: tuple[float, float] | None = Field(description="x, y, millimeters a pixel")

    @classmethod
    def of(cls, picture: Picture) -> Image:
        """What is told of a picture."""
        height, width = picture.pixels.shape[:2]
        return cls(image=picture.id, width=width, height=height, frame=picture.frame, spacing=picture.spacing)


class Images(BaseModel):
    """Images that are kept."""

    images: list[Image]


class Candidate(BaseModel):
    """A mask and how sure it is."""

    mask: Rle | str
    score: float = Field(description="predicted IoU")


class Found(Candidate):
    """An object; its mask is the surest candidate."""

    box: tuple[float, float, float, float] = Field(description="round the mask, x1, y1, x2, y2")
    area: int = Field(description="pixels")
    candidates: list[Candidate] = []


class Objects(BaseModel):
    """Objects of an image."""

    objects: list[Found]


class Tracked(Found):
    """An object in a later frame."""

    drift: bool = Field(
        description="whether it should be looked at: model and motion disagree, or it is not sure"
    )


class FrameObjects(BaseModel):
    """The objects of a later frame, null for those that were lost."""

    image: str
    objects: list[Tracked | None]


class Frames(BaseModel):
    """The frames after the first."""

    frames: list[FrameObjects]


class Health(BaseModel):
    """That it runs."""

    status: str
    version: str


def found(codes: list[dict[str, Any]], scores: np.ndarray, format: Format) -> Found:
    """An object of M candidates; they are listed where there are several."""
    best = int(scores.argmax())
    code = codes[best]
    x, y, width, height = (float(v) for v in coco_mask.toBbox(code))
    candidates = [
        Candidate(mask=as_format(c, format), score=float(s)) for c, s in zip(codes, scores, strict=True)
    ]
    return Found(
        mask=candidates[best].mask,
        score=candidates[best].score,
        box=(x, y, x + width, y + height),
        area=int(coco_mask.area(code)),
        candidates=candidates if len(codes) > 1 else [],
    )


def as_format(code: dict[str, Any], format: Format) -> Rle | str:
    """A run-length code as answers have it."""
    if format == "rle":
        counts = code["counts"]
        return Rle(size=tuple(code["size"]), counts=counts if isinstance(counts, str) else counts.decode())
    png = images.encode_mask(coco_mask.decode(code).astype(bool))
    return "data:image/png;base64," + base64.b64encode(png).decode()
