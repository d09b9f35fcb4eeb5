"""The engine over HTTP: routes, and nothing that is not the engine's."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool

import ultrasam
from ultrasam.data import coco
from ultrasam.errors import DataError, PromptError, UltraSamError
from ultrasam.predict import masks
from ultrasam.predict.pixels import Window
from ultrasam.predict.track import Tracked as TrackedMask
from ultrasam.serve import label_studio_backend
from ultrasam.serve.image_service import ImageService, TooLargeError, UnknownImageError
from ultrasam.serve.label_studio_backend import LabelStudio
from ultrasam.serve.messages import (
    AutomaticRequest,
    Format,
    FrameObjects,
    Frames,
    Health,
    Image,
    Images,
    Objects,
    PromptRequest,
    PropagateRequest,
    Tracked,
    found,
)
from ultrasam.serve.reference_page import reference
from ultrasam.serve.token_guard import MAX_UPLOAD, TokenGuard
from ultrasam.web.errors_told import add_errors

#: Error -> status; the first that fits counts.
_STATUS: dict[type[Exception], int] = {
    UnknownImageError: 404,
    TooLargeError: 413,
    PromptError: 422,
    DataError: 422,
    UltraSamError: 400,
}
_FILE = {
    "requestBody": {
        "required": True,
        "description": "the file itself: PNG, JPEG, BMP, TIFF, GIF, WebP, DICOM, or what numpy.save writes",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_DESCRIPTION = (
    "Promptable segmentation of ultrasound images. Send an image, then ask for objects on it as often as "
    "you like. Coordinates are continuous pixels: (0.5, 0.5) is the center of the first pixel. All but this "
    "page and /health takes the header 'Authorization: Bearer TOKEN'. What is wrong with a request is "
    'answered with {"error": text}.'
)


def make_app(engine: ImageService, tasks: LabelStudio | None = None) -> FastAPI:
    """The routes of an engine; without `TokenGuard` in front of them they answer anybody."""
    app = FastAPI(
        title="UltraSam",
        version=ultrasam.__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
    )
    add_errors(app, _STATUS)
    _add_pages(app)
    _add_images(app, engine)
    _add_work(app, engine)
    label_studio_backend.add_routes(app, tasks or LabelStudio(engine))
    return app


def guarded(
    engine: ImageService, token: str, tasks: LabelStudio | None = None, max_upload: int = MAX_UPLOAD
) -> TokenGuard:
    """The whole application."""
    uploads = ("/v1/images", label_studio_backend.PREDICT)
    return TokenGuard(make_app(engine, tasks), token, uploads, max_upload)


def _add_pages(app: FastAPI) -> None:
    @app.get("/health")
    async def health() -> Health:
        """Whether the server is up; open to all."""
        return Health(status="UP", version=ultrasam.__version__)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(reference(app.openapi()))


def _add_images(app: FastAPI, engine: ImageService) -> None:
    token = [Depends(HTTPBearer(auto_error=False))]

    @app.post("/v1/images", openapi_extra=_FILE, dependencies=token)
    async def add_image(
        request: Request,
        low: float | None = None,
        high: float | None = None,
        minmax: bool = False,
        first: int = 0,
        last: int | None = None,
    ) -> Images:
        """Keep an image, or the frames first to last of a clip; the oldest leave when the memory is full.

        low and high are the gray values shown as black and white, which images of more than 8 bits need;
        minmax takes the darkest and brightest of the image. DICOM has its own window.
        """
        data, window = await request.body(), _window(low, high, minmax)
        if first < 0:
            raise PromptError(f"frames are counted from 0: there is no first={first}")
        if last is not None and last < first:
            raise PromptError(f"last={last} comes before first={first}")
        pictures = await run_in_threadpool(engine.add, data, window, first, last)
        return Images(images=[Image.of(picture) for picture in pictures])

    @app.get("/v1/images/{image}", dependencies=token)
    async def describe_image(image: str) -> Image:
        """Whether an image is still here, and its size."""
        return Image.of(engine.picture(image))

    @app.delete("/v1/images/{image}", status_code=204, dependencies=token)
    async def forget_image(image: str) -> None:
        """Forget an image."""
        engine.forget(image)

    @app.get("/v1/status", dependencies=token)
    async def status() -> dict[str, Any]:
        """How many images are kept, their bytes and the most that are kept, and the device."""
        held = engine.held
        return {
            "images": held.images,
            "bytes": held.bytes,
            "limit": held.limit,
            "device": str(engine.predictor.device),
        }


def _add_work(app: FastAPI, engine: ImageService) -> None:
    token = [Depends(HTTPBearer(auto_error=False))]

    @app.post("/v1/images/{image}/prompt", dependencies=token)
    def prompt(image: str, wanted: PromptRequest) -> Objects:
        """Segment objects by points and boxes."""
        picture = engine.picture(image)
        answer = engine.prompt(picture, [entry.for_model() for entry in wanted.objects], wanted.multimask)
        size = picture.pixels.shape[:2]
        rows = zip(answer.masks, answer.iou, strict=True)
        return Objects(objects=[found(masks.encode(row, size), iou, wanted.format) for row, iou in rows])

    @app.post("/v1/images/{image}/automatic", dependencies=token)
    def automatic(image: str, wanted: AutomaticRequest) -> Objects:
        """Find everything; the surest first."""
        result = engine.everything(engine.picture(image), wanted.wanted())
        rows = zip(result.rles(), result.scores, strict=True)
        return Objects(objects=[found([code], score.reshape(1), wanted.format) for code, score in rows])

    @app.post("/v1/propagate", dependencies=token)
    def propagate(wanted: PropagateRequest) -> Frames:
        """Carry objects of the first image through the others, frame by frame."""
        pictures = [engine.picture(image) for image in wanted.images]
        size = pictures[0].pixels.shape[:2]
        starts = [entry.start(number, size) for number, entry in enumerate(wanted.objects, start=1)]
        frames = [
            FrameObjects(image=picture.id, objects=[_tracked(entry, wanted.format) for entry in carried])
            for picture, carried in zip(pictures[1:], engine.propagate(pictures, starts), strict=True)
        ]
        return Frames(frames=frames)


def _window(low: float | None, high: float | None, minmax: bool) -> Window | None:
    if minmax:
        return "minmax"
    if (low is None) != (high is None):
        raise PromptError("a window has both, low and high")
    return None if low is None or high is None else (low, high)


def _tracked(carried: TrackedMask | None, format: Format) -> Tracked | None:
    if carried is None:
        return None
    one = found([coco.encode(carried.mask)], np.array([carried.iou]), format)
    return Tracked(**one.model_dump(), drift=carried.drift)
