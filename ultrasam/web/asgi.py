"""What guards of local servers share: secrets, names of this machine, sizes of bodies, headers of answers."""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def equal(given: str, secret: str) -> bool:
    """Whether a secret was given, in a time that tells nothing of it."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def headers_of(scope: Scope) -> dict[str, str]:
    """A request's headers."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def same_origin(headers: Mapping[str, str]) -> bool:
    """Whether a request comes from a program or a page of this server, and not from another one's page."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc == headers.get("host")
    except ValueError:
        return False


class Names:
    """The names that a server has: a page of another name that points here is another site's (DNS rebinding).

    Args:
        port: that the server listens on.
        host: that it listens on, besides which the machine's own names are accepted.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._port = port
        self._hosts = {"127.0.0.1", "localhost", "::1", host.lower()}
        #: Open to the network: by any address, but by no name, which could be another site's.
        self._open = host in ("0.0.0.0", "::", "")

    def hold(self, host: str) -> bool:
        """Whether a Host header names this server."""
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port or 80
        except ValueError:
            return False
        if name in self._hosts:
            return port == self._port
        return self._open and _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def read_body(headers: Mapping[str, str], receive: Receive, limit: int) -> bytes | None:
    """The whole body; None where it is larger than ``limit`` bytes, however long it says it is."""
    stated = headers.get("content-length", "0")
    if not stated.isdigit() or int(stated) > limit:
        return None
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def replayed(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, and then what comes after it: that the client has gone."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def with_headers(send: Send) -> Send:
    """Answers with `HEADERS`, and kept by nobody, unless they say otherwise."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name for name, _ in message["headers"]}
            more = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            more.append((b"cache-control", b"no-store"))
            message["headers"] = [*message["headers"], *(pair for pair in more if pair[0] not in given)]
        await send(message)

    return sending


class Guard:
    """ASGI middleware in front of everything: who may ask is said by `admit`, and bodies are bounded.

    Args:
        app: what it guards.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = headers_of(scope)
        limit = await self.admit(scope, headers, send)
        if limit is None:
            return
        body = await read_body(headers, receive, limit)
        if body is None:
            await refuse(send, 413, f"the request is larger than {limit} bytes")
            return
        await self._app(scope, replayed(body, receive), with_headers(send))

    async def admit(self, scope: Scope, headers: Mapping[str, str], send: Send) -> int | None:
        """How many bytes the body may have; None for a request that has been answered here."""
        raise NotImplementedError


async def refuse(send: Send, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
    """Answer with an error for people."""
    kind = {"content-type": "application/json", **(headers or {})}
    await answer(send, status, json.dumps({"error": text}).encode(), kind)


async def answer(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    """Answer without the application."""
    all_headers = {**HEADERS, **headers, "content-length": str(len(body))}
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in all_headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
