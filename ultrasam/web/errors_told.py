"""What goes wrong, as ``{"error": text for people}`` with a status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


def add_errors(
    app: FastAPI,
    statuses: Mapping[type[Exception], int],
    more: Callable[[Exception], dict[str, Any]] = lambda error: {},
) -> None:
    """Answer errors of these kinds with these statuses, the first that fits; others with 500 and no details.

    Args:
        app: gets the handlers.
        statuses: what is wrong with a request is said in the error's message.
        more: what else the answer holds.
    """

    async def told(_: Request, error: Exception) -> JSONResponse:
        status = next(status for kind, status in statuses.items() if isinstance(error, kind))
        return JSONResponse({"error": str(error), **more(error)}, status)

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        first = cast("RequestValidationError", error).errors()[0]
        where = ".".join(str(part) for part in first.get("loc", ()))
        return JSONResponse({"error": f"the request is not understood: {where}: {first.get('msg')}"}, 422)

    async def plain(_: Request, error: Exception) -> JSONResponse:
        known = cast("HTTPException", error)
        return JSONResponse({"error": str(known.detail)}, known.status_code)

    async def unexpected(*_: object) -> JSONResponse:
        # The log has the traceback; the page is for people.
        return JSONResponse({"error": "something went wrong in the server; its terminal says more"}, 500)

    for kind in statuses:
        app.add_exception_handler(kind, told)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(Exception, unexpected)
