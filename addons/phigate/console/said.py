"""What the console says of tickets and reviews, and how it reads what is said to it: small JSON, bounded in time."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

import orjson
from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from phigate.approval.refusals import No

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE: Final = 10.0
"""Seconds that a caller may take to send an answer."""
MOST: Final = 8 * 1024
"""Bytes of an answer."""
_JSON: Final = re.compile(r"application/json(?: *; *charset=(?:utf-8|\"utf-8\"))?", re.IGNORECASE)
_OWN: Final = {"cache-control": "no-store"}
SAID: Final[Mapping[str, tuple[int, str]]] = {
    "bearer-missing": (401, "A bearer is needed."),
    "bearer-refused": (401, "The bearer is not believed."),
    "malformed": (400, 'Answers are JSON: {"comment": "TEXT"}, or nothing.'),
    "unknown": (404, "There is no such thing, or it is not yours to see."),
    "ticket-over": (409, "This ticket is not waiting any more."),
    "already-said": (409, "You have answered this already."),
    "own-request": (403, "Nobody answers what they asked for themselves."),
    "not-an-approver": (403, "No rule lets you answer this."),
    "signature-refused": (403, "This is not known to be Slack's."),
    "unavailable": (503, "This cannot be settled at the moment."),
}
"""Why nothing came of it: status and sentence."""


async def read(request: Request, kind: re.Pattern[str] = _JSON, most: int = MOST) -> bytes:
    """A small body of a type, or none; never what is in the address, which others write down. Raises No."""
    raw = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for piece in request.stream():
                raw += piece
                if len(raw) > most:
                    raise No("malformed")
    except (TimeoutError, ClientDisconnect):
        raise No("malformed") from None
    types = request.headers.getlist("content-type")
    plain = len(types) == 1 and kind.fullmatch(types[0]) and "content-encoding" not in request.headers
    if request.url.query or (raw and not plain):
        raise No("malformed")
    return bytes(raw)


def ip_of(request: Request) -> str:
    """Whose address it came from."""
    return request.client.host if request.client else ""


def answer(document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] = _OWN) -> Response:
    """A document of ours, for this caller only."""
    return Response(orjson.dumps(document), status, media_type="application/json", headers=dict(headers))


def fault(reason: str) -> Response:
    """Why nothing came of it."""
    status, message = SAID[reason]
    headers = dict(_OWN)
    if status == 401:  # RFC 6750, 3: what is wrong with a bearer is not told to whoever sent it
        headers["www-authenticate"] = 'Bearer realm="phigate"' + (
            "" if reason == "bearer-missing" else ', error="invalid_token"'
        )
    if status == 503:
        headers["retry-after"] = "1"
    return answer({"error": {"code": reason, "message": message}}, status, headers)
