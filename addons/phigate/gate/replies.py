"""The gateway's own answers, and the headers of every answer: built from nothing, so they can echo nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phigate.exchange import Refusal

if TYPE_CHECKING:
    from phigate.exchange import Exchange

Fields = list[tuple[bytes, bytes]]

NOT_DECIDED = ("not-decided", "The gateway could not decide this request.")
BUSY = Refusal(503, "busy", "The gateway has no room for a request as large as this one now.", retry_after=1)


def mark_headers(exchange: Exchange) -> Fields:
    """The headers by which a caller, a proxy log and a support desk find this exchange again."""
    refusal, decision = exchange.refusal, exchange.decision
    verb = refusal.decision if refusal else getattr(decision, "verb", "permit")
    rule = refusal.rule if refusal else getattr(decision, "rule", None)
    fields = [
        (b"phi-exchange", exchange.id.encode()),
        (b"x-request-id", exchange.id.encode()),
        (b"phi-decision", verb.encode()),
        (b"cache-control", b"no-store"),
    ]
    if refusal:
        fields.append((b"phi-reason", refusal.reason.encode()))
    if rule:
        fields.append((b"phi-rule", _ascii(rule)))
    return fields


def refusal_headers(exchange: Exchange, refusal: Refusal) -> Fields:
    """`mark_headers` and what the refusal adds: challenge, retry advice (SDKs repeat a 503 unless told not to)."""
    fields = [*mark_headers(exchange), (b"content-type", b"application/json")]
    if refusal.retry_after is not None:
        fields.append((b"retry-after", str(refusal.retry_after).encode()))
    if exchange.contacted:
        fields.append((b"x-should-retry", b"false"))
    fields += [(name.encode(), _ascii(value)) for name, value in refusal.headers.items()]
    return fields


GRPC = {400: 3, 401: 16, 403: 7, 404: 12, 405: 12, 413: 8, 415: 3, 429: 8, 431: 8, 502: 13, 503: 14, 504: 4}
"""HTTP status to gRPC status code (grpc/doc/statuscodes.md)."""


def grpc_headers(exchange: Exchange, refusal: Refusal) -> Fields:
    """A trailers-only answer: gRPC clients read the status from these headers and show the message."""
    code = GRPC.get(refusal.status, 2)
    fields = [field for field in mark_headers(exchange) if field[0] != b"cache-control"]
    message = f"{refusal.reason}: {refusal.message}"
    return [
        *fields,
        (b"content-type", b"application/grpc"),
        (b"grpc-status", str(code).encode()),
        (b"grpc-message", _ascii(message)),
    ]


def _ascii(text: str) -> bytes:
    return text.encode("ascii", "replace")
