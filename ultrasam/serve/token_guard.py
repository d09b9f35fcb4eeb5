"""Who may ask the service: programs with its token, in a header that no browser adds by itself."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from ultrasam.web.asgi import App, Guard, Scope, Send, equal, refuse, same_origin

#: Open to all: they tell nothing that the documentation does not.
OPEN = ("/health", "/docs", "/openapi.json")
#: Bytes of the largest body: of those that hold images, of others.
MAX_UPLOAD, MAX_BODY = 256 * 2**20, 16 * 2**20


class TokenGuard(Guard):
    """Lets in who sends the token.

    Args:
        app: what it guards.
        token: the secret, as ``Authorization: Bearer``; Label Studio sends it as a password.
        uploads: paths whose bodies hold images.
        max_upload: bytes of these bodies.
    """

    def __init__(
        self, app: App, token: str, uploads: tuple[str, ...] = (), max_upload: int = MAX_UPLOAD
    ) -> None:
        super().__init__(app)
        self._token, self._uploads, self._max_upload = token, uploads, max_upload

    async def admit(self, scope: Scope, headers: Mapping[str, str], send: Send) -> int | None:
        """See `Guard.admit`."""
        # The Host is not checked: who makes a browser come here by another name has no token either.
        if not same_origin(headers):
            await refuse(send, 403, "requests of other pages are not answered")
            return None
        if scope["path"] not in OPEN and not equal(_secret(headers), self._token):
            text = "send the server's token: 'Authorization: Bearer TOKEN'; 'ultrasam serve' prints it"
            await refuse(send, 401, text, {"www-authenticate": "Bearer"})
            return None
        return self._max_upload if scope["path"] in self._uploads else MAX_BODY


def _secret(headers: Mapping[str, str]) -> str:
    """The token of a request: a bearer's, or the password of a user of any name."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
