"""Connections on which nobody says anything long, as on a WebSocket: the system asks whether somebody is there."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

ASKS: Final = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""When it does (seconds, seconds, times): whoever went without a word is known to be gone after two minutes."""


def ask(writer: asyncio.StreamWriter | None) -> None:
    """Have it asked of a connection."""
    raw = writer.get_extra_info("socket") if writer is not None else None
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ASKS:
            raw.setsockopt(socket.IPPROTO_TCP, option, value)
