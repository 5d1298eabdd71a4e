"""The server: its address, and its start and end."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from contextlib import suppress

import uvicorn

from spinn.serve.app import create_app
from spinn.serve.served import ServedModel
from spinn.support.errors import SpinnError

logger = logging.getLogger(__name__)

_LOCAL = ("127.0.0.1", "localhost", "::1")
MAX_PORT = 65_535
_PATIENCE = 5  # seconds that requests in progress get when the server is stopped


def serve(models: Mapping[str, ServedModel], host: str, port: int) -> None:
    """Serve models until the process is interrupted or terminated.

    Parameters
    ----------
    models
        The models by name.
    host
        The address of a network interface, or its name.
    port
        The port; 0 for a free one.

    Raises
    ------
    SpinnError
        If the address cannot be used.

    """
    local = host in _LOCAL
    with bind(host, port) as listener:
        address = f"http://{_in_address(host)}:{listener.getsockname()[1]}"
        hosts = [*_LOCAL, "[::1]"] if local else ["*"]
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(models, hosts),
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=_PATIENCE,
            )
        )
        count = f"{len(models)} model" + ("s" if len(models) > 1 else "")
        logger.info(f"Serving {count} at {address} - stop with Ctrl-C.")
        if not local:
            logger.warning(f"Anyone who can reach {host} can use the page.")
        with suppress(KeyboardInterrupt):  # uvicorn raises it again after the end
            server.run(sockets=[listener])


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address.

    Raises
    ------
    SpinnError
        If the address cannot be used.

    """
    if port > MAX_PORT:  # the system would use the remainder
        raise SpinnError(f"--port {port} is no port: the last is {MAX_PORT}.")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # Connections wait from now on, until the server accepts them.
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SpinnError(
            f"{host}, port {port}: the server cannot listen there ({reason}). Give another --port "
            "(0 for any free one) or --host."
        ) from error


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
