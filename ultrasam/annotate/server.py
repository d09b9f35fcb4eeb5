"""The session over HTTP: routes, and nothing that is not a session's."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from anyio import CancelScope
from fastapi import Body, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool

from ultrasam.annotate import export
from ultrasam.annotate.jobs import Jobs
from ultrasam.annotate.journal import NotKeptError
from ultrasam.annotate.label_file import ChangedError
from ultrasam.annotate.security import Guard
from ultrasam.annotate.session import Session, StaleError
from ultrasam.data import images
from ultrasam.errors import PromptError, UltraSamError
from ultrasam.web.errors_told import add_errors
from ultrasam.web.listening import serve

_STATIC = Path(__file__).parent / "static"
#: Pixels beyond which a picture is sent as JPEG.
_PNG_PIXELS = 4_000_000
_JSON = Body(default_factory=dict)


def make_app(session: Session) -> FastAPI:
    """The routes of a session; without `Guard` in front of them they answer anybody."""
    app = FastAPI(title="UltraSam annotate", docs_url=None, redoc_url=None, openapi_url=None)
    add_errors(app, _STATUS, _more)
    _add_frames(app, session)
    _add_streams(app, Jobs(session))
    _add_session(app, session)
    app.mount("/static", StaticFiles(directory=_STATIC, check_dir=False))
    app.mount("/", StaticFiles(directory=_STATIC, html=True, check_dir=False))
    return app


def guarded(session: Session, token: str, port: int, host: str = "127.0.0.1") -> Guard:
    """The whole application."""
    return Guard(make_app(session), token, port, host)


def run(session: Session, token: str, listener: socket.socket, host: str) -> None:
    """Serve until the process is told to end; the session is closed by who made it."""
    serve(guarded(session, token, listener.getsockname()[1], host), listener)


#: Error -> status; what is wrong with a request is said in its message. The first that fits counts.
_STATUS = {
    StaleError: 409,
    ChangedError: 409,
    PromptError: 422,
    NotKeptError: 507,
    UltraSamError: 400,
    LookupError: 404,
}


def _more(error: Exception) -> dict[str, Any]:
    return {"frame": error.frame} if isinstance(error, StaleError) else {}


def _add_frames(app: FastAPI, session: Session) -> None:
    at = "/api/items/{item}/frames/{frame}"

    @app.get(at + "/image")
    def image(
        request: Request, item: int, frame: int, width: int | None = None, part: str | None = None
    ) -> Response:
        tag = _tag(session, item, frame, width, part)
        headers = {"etag": tag, "cache-control": "private, no-cache"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        data, kind = _picture(session.image(item, frame), width, part)
        return Response(data, headers=headers, media_type=kind)

    @app.get(at)
    def show(item: int, frame: int) -> dict[str, Any]:
        return session.frame(item, frame)

    @app.post(at + "/prepare", status_code=204)
    def prepare(item: int, frame: int) -> None:
        session.prepare(item, frame)

    @app.post(at + "/hover")
    def hover(item: int, frame: int, x: float = Body(), y: float = Body()) -> dict[str, Any]:
        return session.hover(item, frame, x, y)

    @app.post(at + "/edits")
    def edit(item: int, frame: int, base: int = Body(), edit: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008
        return {"frame": session.edit(item, frame, base, edit)}


def _add_streams(app: FastAPI, jobs: Jobs) -> None:
    @app.post("/api/items/{item}/frames/{frame}/automatic")
    async def automatic(request: Request, item: int, frame: int, options: dict[str, Any] = _JSON) -> Response:
        return await _events(request, jobs.automatic(item, frame, options))

    @app.post("/api/items/{item}/propagate")
    async def propagate(request: Request, item: int, options: dict[str, Any] = _JSON) -> Response:
        return await _events(request, jobs.propagate(item, options))

    @app.post("/api/items/{item}/stop", status_code=204)
    def stop(item: int) -> None:
        jobs.stop(item)


def _add_session(app: FastAPI, session: Session) -> None:
    @app.get("/api/session")
    def describe() -> dict[str, Any]:
        return session.describe()

    @app.get("/api/items/{item}")
    def describe_item(item: int) -> dict[str, Any]:
        return {"item": session.describe_item(item)}

    @app.post("/api/items/{item}/state")
    def state(item: int, state: str | None = Body(None), flagged: bool | None = Body(None)) -> dict[str, Any]:
        return {"item": session.set_state(item, state, flagged)}

    @app.post("/api/classes")
    def classes(classes: list[Any] = Body(embed=True)) -> dict[str, Any]:  # noqa: B008
        return {"classes": session.set_classes(classes)}

    @app.post("/api/save")
    def save() -> dict[str, Any]:
        session.save()
        return {"saved": True, "left_out": session.saver.left_out}

    @app.post("/api/conflict")
    def conflict(keep: str = Body(embed=True)) -> dict[str, Any]:
        return {"beside": session.resolve(keep).name}

    @app.get("/api/export")
    def download(format: str = "coco") -> Response:
        made = export.export(session, format)
        # Headers are ASCII: what is told travels as in an address.
        headers = {"content-disposition": f'attachment; filename="{made.name}"', "x-told": quote(made.told)}
        return StreamingResponse(made.parts, media_type=made.kind, headers=headers)


def _tag(session: Session, *what: Any) -> str:
    stamp = session.items.stamp(session.items[what[0]])
    return '"' + hashlib.blake2b(repr((*what, stamp)).encode(), digest_size=12).hexdigest() + '"'


def _picture(pixels: np.ndarray, width: int | None, part: str | None) -> tuple[bytes, str]:
    """A frame, or a part "x,y,w,h" of it, as a file; at most so wide."""
    if part is not None:
        pixels = _part(pixels, part)
    if width is not None:
        if not 1 <= width <= 16384:
            raise PromptError(f"a picture can't be {width} pixels wide")
        if width < pixels.shape[1]:
            height = max(round(pixels.shape[0] * width / pixels.shape[1]), 1)
            pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        return images.encode_image(pixels, ".jpg"), "image/jpeg"
    if pixels.shape[0] * pixels.shape[1] > _PNG_PIXELS:
        return images.encode_image(pixels, ".jpg"), "image/jpeg"
    return images.encode_image(pixels), "image/png"


def _part(pixels: np.ndarray, part: str) -> np.ndarray:
    numbers = part.split(",")
    if len(numbers) != 4 or not all(number.isdecimal() and len(number) < 7 for number in numbers):
        raise PromptError(f"a part of a picture is x,y,w,h in whole pixels, not {part!r:.40}")
    x, y, w, h = map(int, numbers)
    found = pixels[y : y + h, x : x + w]
    if not found.size:
        raise PromptError(
            f"the part {part} of the picture has no pixels: it has {pixels.shape[1]} x {pixels.shape[0]}"
        )
    return found


async def _events(request: Request, steps: Iterator[dict[str, Any]]) -> Response:
    """A session's work as server-sent events; what is wrong with the request is answered before the first."""
    first = await run_in_threadpool(next, steps, None)

    async def stream() -> Any:
        try:
            if first is not None:
                yield _event(first)
            async for step in iterate_in_threadpool(steps):
                yield _event(step)
                if await request.is_disconnected():
                    return
        except UltraSamError as error:
            # The answer has begun: what went wrong can be told as an event alone.
            yield _event({"error": str(error)})
        finally:
            # A page that has gone cancels this; the work has to be told all the same.
            with CancelScope(shield=True):
                await run_in_threadpool(_close(steps))

    return StreamingResponse(stream(), media_type="text/event-stream")


def _close(steps: Iterator[dict[str, Any]]) -> Callable[[], None]:
    return getattr(steps, "close", lambda: None)


def _event(content: dict[str, Any]) -> str:
    return f"data: {json.dumps(content)}\n\n"
