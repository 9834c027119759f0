"""When mitmproxy's own layers crash, the connection ends: they would leave its client waiting for ever.

`ConnectionHandler.server_event` logs such a crash and goes on without the layer. Its `log` is the one seam that
sees it.
"""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

from mitmproxy.proxy.server import ConnectionHandler

if TYPE_CHECKING:
    from collections.abc import Callable

_CRASHED = ("mitmproxy has crashed", "connection handler has crashed")


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


def install() -> None:
    ConnectionHandler.log = cutting(ConnectionHandler.log)  # type: ignore[method-assign]  # the only seam there is
