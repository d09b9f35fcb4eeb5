"""Who may ask: token and cookie, the Host and Origin of requests, the size of bodies; headers of answers."""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Bytes of the largest body: a long brush stroke has a tenth of them.
MAX_BODY = 2**20
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
_LOCKED = """<!doctype html><html lang="en"><meta charset="utf-8"><title>UltraSam</title>
<h1>This page needs its address with the token</h1>
<p>Open the address that <code>ultrasam annotate</code> printed when it was started; it ends in
<code>?token=...</code>. After a restart there is a new one.</p></html>"""


class Guard:
    """ASGI middleware in front of everything.

    Args:
        app: what it guards.
        token: the secret of this session.
        port: that the server listens on.
        host: that it listens on, besides which the machine's own names are accepted.
    """

    def __init__(self, app: App, token: str, port: int, host: str = "127.0.0.1") -> None:
        self._app, self._token, self._port = app, token, port
        self._hosts = {"127.0.0.1", "localhost", "::1", host.lower()}
        #: Open to the network: by any address, but by no name, which could be another site's.
        self._open = host in ("0.0.0.0", "::", "")
        # Cookies do not tell ports apart, and there may be several servers.
        self.cookie = f"ultrasam_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not self._is_ours(headers.get("host", "")):
            await _refuse(send, 421, "this address is not the one that 'ultrasam annotate' printed")
            return
        if not self._same_origin(headers):
            await _refuse(send, 403, "requests of other pages are not answered")
            return
        token = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and scope["method"] == "GET" and self._equal(token):
            cookie = f"{self.cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
            await _answer(
                send, 303, b"", {"location": "/", "set-cookie": cookie, "cache-control": "no-store"}
            )
            return
        if not self._equal(self._cookie_of(headers.get("cookie", ""))):
            if scope["path"].startswith("/api/"):
                await _refuse(send, 403, "open the address that 'ultrasam annotate' printed, with its token")
            else:
                await _answer(send, 403, _LOCKED.encode(), {"content-type": "text/html; charset=utf-8"})
            return
        body = await _body(headers, receive)
        if body is None:
            await _refuse(send, 413, f"the request is larger than {MAX_BODY} bytes")
            return
        await self._app(scope, _replayed(body, receive), _with_headers(send))

    def _equal(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode())

    def _is_ours(self, host: str) -> bool:
        """Whether a Host header names this server: a page of another name that points here does not."""
        parts = urlsplit(f"//{host}")
        try:
            name, port = parts.hostname or "", parts.port or 80
        except ValueError:
            return False
        if name in self._hosts:
            return port == self._port
        return self._open and _is_address(name)

    def _same_origin(self, headers: dict[str, str]) -> bool:
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = headers.get("origin")
        return origin is None or urlsplit(origin).netloc == headers.get("host")

    def _cookie_of(self, header: str) -> str:
        try:
            morsel = SimpleCookie(header).get(self.cookie)
        except CookieError:
            return ""
        return morsel.value if morsel else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _body(headers: dict[str, str], receive: Receive) -> bytes | None:
    """The whole body; None where it is too large, however long it says it is."""
    stated = headers.get("content-length", "0")
    if not stated.isdigit() or int(stated) > MAX_BODY:
        return None
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, and then what comes after it: that the client has gone."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name for name, _ in message["headers"]}
            more = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            more.append((b"cache-control", b"no-store"))
            message["headers"] = [*message["headers"], *(pair for pair in more if pair[0] not in given)]
        await send(message)

    return sending


async def _refuse(send: Send, status: int, text: str) -> None:
    await _answer(send, status, json.dumps({"error": text}).encode(), {"content-type": "application/json"})


async def _answer(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    all_headers = {**HEADERS, **headers, "content-length": str(len(body))}
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in all_headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
