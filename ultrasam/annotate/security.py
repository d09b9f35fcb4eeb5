"""Who may ask: token and cookie, the Host and Origin of requests, the size of bodies; headers of answers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.requests import cookie_parser

from ultrasam.web import asgi
from ultrasam.web.asgi import App, Names, Scope, Send, answer, equal, refuse, same_origin

#: Bytes of the largest body: a long brush stroke has a tenth of them.
MAX_BODY = 2**20
_LOCKED = """<!doctype html><html lang="en"><meta charset="utf-8"><title>UltraSam</title>
<h1>This page needs its address with the token</h1>
<p>Open the address that <code>ultrasam annotate</code> printed when it was started; it ends in
<code>?token=...</code>. After a restart there is a new one.</p></html>"""


class Guard(asgi.Guard):
    """Lets in who has the token's cookie, under the machine's own names.

    Args:
        app: what it guards.
        token: the secret of this session.
        port: that the server listens on.
        host: that it listens on, besides which the machine's own names are accepted.
    """

    def __init__(self, app: App, token: str, port: int, host: str = "127.0.0.1") -> None:
        super().__init__(app)
        self._token, self._names = token, Names(port, host)
        # Cookies do not tell ports apart, and there may be several servers.
        self.cookie = f"ultrasam_{port}"

    async def admit(self, scope: Scope, headers: Mapping[str, str], send: Send) -> int | None:
        """See `asgi.Guard.admit`."""
        if not self._names.hold(headers.get("host", "")):
            await refuse(send, 421, "this address is not the one that 'ultrasam annotate' printed")
            return None
        if not same_origin(headers):
            await refuse(send, 403, "requests of other pages are not answered")
            return None
        token = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and scope["method"] == "GET" and equal(token, self._token):
            cookie = f"{self.cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
            await answer(send, 303, b"", {"location": "/", "set-cookie": cookie, "cache-control": "no-store"})
            return None
        # Of all servers on this machine a browser sends the cookies, and not all of them are well formed.
        if not equal(cookie_parser(headers.get("cookie", "")).get(self.cookie, ""), self._token):
            if scope["path"].startswith("/api/"):
                await refuse(send, 403, "open the address that 'ultrasam annotate' printed, with its token")
            else:
                await answer(send, 403, _LOCKED.encode(), {"content-type": "text/html; charset=utf-8"})
            return None
        return MAX_BODY
