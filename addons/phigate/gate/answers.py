"""How an upstream's answer may be read, from its status and headers alone; None is an answer nobody can check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phigate.dialect import encodings

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def plan(
    status: int,
    headers: Mapping[str, str],
    *,
    answers: Collection[str],
    stream: str | None,
    done: Collection[int] = (),
) -> str | None:
    """`whole` (one of `answers`), `stream` (events of this media type), `error` (a 4xx or 5xx), or None.

    Of a status in `done` nothing is read but that there is no body: it is `whole`, too.

    Everything else would need knowledge that no dialect has: informational and partial answers, redirects,
    encodings that nobody decodes, types that are no text (RFC 9110, 15).
    """
    if not encodings.known(headers.get("content-encoding", "")):
        return None
    if headers.get("transfer-encoding", "chunked").strip().lower() != "chunked":  # mitmproxy decodes no other coding
        return None
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if 400 <= status <= 599:
        return "error"
    if status in done:
        return "whole"
    if status != 200:
        return None
    if stream is not None and media == stream:
        return "stream"
    return "whole" if media in answers else None
