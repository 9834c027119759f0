"""How an upstream's answer may be read, from its status and headers alone; None is an answer nobody can check."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def plan(status: int, headers: Mapping[str, str], *, streams: bool) -> str | None:
    """`whole` (JSON), `stream` (server-sent events), `error` (a 4xx or 5xx), or None.

    Everything else would need knowledge that no dialect has: informational and partial answers, redirects,
    encodings that were not asked for, types that are no text (RFC 9110, 15).
    """
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        return None
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if 400 <= status <= 599:
        return "error"
    if status != 200:
        return None
    if media == "application/json":
        return "whole"
    return "stream" if streams and media == "text/event-stream" else None
