"""Sockets and uvicorn."""

from __future__ import annotations

import contextlib
import socket
import zlib
from typing import Any

import uvicorn

from ultrasam.errors import UltraSamError
from ultrasam.web.asgi import App


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 for any that is free.

    Raises:
        UltraSamError: the port is in use or none, or the host is not one of this machine.
    """
    if not 0 <= port <= 65535:
        raise UltraSamError(
            f"there is no port {port}: choose a --port from 1 to 65535, or none for a free one"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        reason = error.strerror or error
        raise UltraSamError(
            f"cannot listen on {host}, port {port}: {reason}; choose another --port, or none for a free one"
        ) from error
    return listener


def listen_again(host: str, what: str) -> socket.socket:
    """A socket on the port that ``what`` had before, any that is free where that one is not.

    A browser keeps what a page could not send yet by host and port.
    """
    # Below those that systems give to connections, above those that browsers refuse.
    with contextlib.suppress(UltraSamError):
        return listen(host, 20000 + zlib.crc32(what.encode(errors="replace")) % 12000)
    return listen(host, 0)


def serve(app: App, listener: socket.socket, **options: Any) -> None:
    """Answer until the process is told to end; ``options`` are uvicorn's."""
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_level="warning",
        access_log=False,
        ws="none",
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=2,
        **options,
    )
    uvicorn.Server(config).run(sockets=[listener])


def is_local(host: str) -> bool:
    """Whether what listens on a host can be reached from this machine alone."""
    return host in ("127.0.0.1", "localhost", "::1")


def shown(host: str) -> str:
    """A host as an address has it; where it is all of this machine's, the one that works here."""
    if host in ("0.0.0.0", "::", ""):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
