"""The images of Label Studio's tasks: from the one server that was configured, and from nowhere else."""

from __future__ import annotations

import base64
import binascii
import http.client
import json
from urllib.parse import quote, unquote, urlsplit

from ultrasam.errors import DataError, UltraSamError

#: Where Label Studio keeps files: its own folders, and what was uploaded.
PLACES = ("/data/local-files/", "/data/upload/")
_TIMEOUT = 20.0
_PORTS = {"http": 80, "https": 443}


class TaskImages:
    """Reads what a task's data names.

    A task may name any address, so that a server which fetched them all would reach for its caller what that
    one can't (request forgery). Redirects are not followed for the same reason, and the address is put
    together anew from the server's own.

    Args:
        server: Label Studio's address, ``http://localhost:8080``; None where tasks hold ``data:``
            addresses alone.
        token: of Label Studio's account page: a personal access token, or a legacy one.
        max_bytes: of one image.

    Raises:
        UltraSamError: the server's address is none.
    """

    def __init__(self, server: str | None = None, token: str = "", max_bytes: int = 2**28) -> None:
        self._token, self._max = token, max_bytes
        #: What a personal access token was last exchanged for; it is good for some minutes.
        self._access = ""
        self._server: tuple[str, str, int] | None = None
        self._path = ""
        if server is not None:
            self._server = _server_of(server)
            self._path = urlsplit(server).path.rstrip("/")
            if self._server is None:
                raise UltraSamError(f"Label Studio's address is like http://localhost:8080, not {server!r}")

    def read(self, address: object) -> bytes:
        """The bytes of an image.

        Raises:
            DataError: the address is not one of the configured server's files, or can't be read.
        """
        if not isinstance(address, str):
            raise DataError("the task's image must be an address")
        if address.startswith("data:"):
            return self._inline(address)
        try:
            parts = urlsplit(address)
            named = self._server if address.startswith("/") and not parts.netloc else _server_of(address)
        except ValueError:
            named, parts = None, urlsplit("")
        # An address without this server's path before it is one, too: Label Studio gives both.
        path = parts.path.removeprefix(self._path)
        if not address.isprintable() or self._server is None or named != self._server or not _is_file(path):
            raise DataError(
                f"the task's image {address!r:.120} is not fetched: it is no data: address, and no file "
                f"under {' or '.join(PLACES)} of the server that 'ultrasam serve --label-studio' names"
            )
        target = quote(self._path + path, safe="/%:@!$&'()*+,;=~")
        if parts.query:
            target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?")
        return self._fetch(target)

    def _inline(self, address: str) -> bytes:
        head, found, content = address.partition(",")
        if not found or not head.endswith(";base64"):
            raise DataError("the task's image is a data: address that is not base64")
        if len(content) * 3 // 4 > self._max:
            raise DataError(f"the task's image is larger than {self._max:,} bytes")
        try:
            return base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError) as error:
            raise DataError("the task's image is a damaged data: address") from error

    def _fetch(self, target: str) -> bytes:
        status, data = self._ask("GET", target, self._authorization())
        if status == 401 and self._access:
            self._access = ""
            status, data = self._ask("GET", target, self._authorization())
        if status != 200:
            hint = "; is its token right (LABEL_STUDIO_API_KEY)?" if status in (401, 403) else ""
            raise DataError(f"Label Studio answers {status} for the task's image{hint}")
        return data

    def _authorization(self) -> str:
        """The header of a request. Personal access tokens are JSON web tokens, three parts between dots."""
        if self._token.count(".") != 2:
            return f"Token {self._token}" if self._token else ""
        if not self._access:
            status, data = self._ask(
                "POST", f"{self._path}/api/token/refresh/", "", json.dumps({"refresh": self._token}).encode()
            )
            try:
                self._access = str(json.loads(data)["access"]) if status == 200 else ""
            except (ValueError, KeyError, TypeError):
                self._access = ""
            if not (self._access.isascii() and self._access.isprintable() and self._access):
                self._access = ""
                raise DataError(
                    f"Label Studio answers {status} for the personal access token of LABEL_STUDIO_API_KEY: "
                    "make a new one on its account page"
                )
        return f"Bearer {self._access}"

    def _ask(
        self, method: str, target: str, authorization: str, body: bytes | None = None
    ) -> tuple[int, bytes]:
        """Status and body of an answer of the server."""
        assert self._server is not None
        scheme, host, port = self._server
        kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
        connection = kind(host, port, timeout=_TIMEOUT)
        headers = {"Authorization": authorization} if authorization else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            data = answer.read(self._max + 1)
        except (OSError, http.client.HTTPException) as error:
            raise DataError(f"the task's image can't be fetched from {host}:{port}: {error}") from error
        finally:
            connection.close()
        if len(data) > self._max:
            raise DataError(f"the task's image is larger than {self._max:,} bytes")
        return answer.status, data


def _server_of(address: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None where they are not those of a server, or somebody's name stands before."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or "\\" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]


def _is_file(path: str) -> bool:
    """Whether a path leads to one of the places, and not out of it again."""
    plain = unquote(path)
    if "\\" in plain or any(part in ("..", ".") for part in plain.split("/")):
        return False
    return plain.isprintable() and any(plain.startswith(place) for place in PLACES)
