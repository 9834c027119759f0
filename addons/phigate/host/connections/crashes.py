"""When mitmproxy's own layers crash, or a connection ends at a bad moment, it ends: its client would wait for ever.

`ConnectionHandler.server_event` logs a crash and goes on without the layer. Its `log` is the one seam that sees it.
A connection that is closed while what it read waits for its turn, or that breaks elsewhere, is forgotten with its
socket open: nobody is told. One to a model server that takes nothing more would stay, with what it did not take.
"""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import events
from mitmproxy.proxy.server import ConnectionHandler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mitmproxy.connection import Connection

_CRASHED = ("mitmproxy has crashed", "connection handler has crashed")
"""How `server_event` and `handle_client` begin what they log of it."""


def cutting(log: Callable[..., None]) -> Callable[..., None]:
    """`ConnectionHandler.log`, ending the connection that it reports as crashed."""

    @functools.wraps(log)
    def logged(handler: ConnectionHandler, message: str, level: int = logging.INFO, exc_info: Any = None) -> None:
        log(handler, message, level, exc_info)
        if message.startswith(_CRASHED):
            for transport in list(handler.transports.values()):
                if transport.handler is not None:
                    transport.handler.cancel("crashed")

    return logged


def closing(handle: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """`ConnectionHandler.handle_connection`, closing what it leaves open."""

    @functools.wraps(handle)
    async def handled(handler: ConnectionHandler, connection: Connection) -> None:
        own: Any = handler.transports[connection]
        try:
            await handle(handler, connection)
        except BaseException:  # whatever it is, somebody waits for this connection
            if connection in handler.transports:
                connection.state = ConnectionState.CLOSED
                try:
                    await handler.server_event(events.ConnectionClosed(connection))
                finally:
                    handler.transports.pop(connection, None)
                    own.writer.close()
            raise
        finally:
            if connection is not handler.client and own.writer.transport.get_write_buffer_size():
                own.writer.transport.abort()

    return handled


def _says(function: Any, words: str) -> bool:
    return any(isinstance(each, str) and each.startswith(words) for each in function.__code__.co_consts)


def install() -> None:
    """Stand in mitmproxy's way; what it says of a crash must be what we wait for."""
    if not all(map(_says, (ConnectionHandler.server_event, ConnectionHandler.handle_client), _CRASHED)):
        raise RuntimeError("mitmproxy tells of a crash in other words")
    ConnectionHandler.log = cutting(ConnectionHandler.log)  # type: ignore[method-assign]  # the only seam there is
    handle = closing(ConnectionHandler.handle_connection)
    ConnectionHandler.handle_connection = handle  # type: ignore[method-assign,assignment]  # as above
