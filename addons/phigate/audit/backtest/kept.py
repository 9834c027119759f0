"""What is kept of the bodies of exchanges, put together from their records while these go by; and originals.

Pure: records in (each with the `file` that holds it), values out. Parts stand before the record that they belong to.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from phigate.audit import bodies
from phigate.audit.sealed import unseal
from phigate.dialect import kserve_grpc, protobuf

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

LIVE: Final = 4096
"""Exchanges whose parts wait for the record that they belong to."""


class Taken(NamedTuple):
    """A body as it was masked for the record, and its original's bytes, where it could be opened."""

    body: Any = None
    original: bytes | None = None
    route: str | None = None

    @property
    def tree(self) -> Any:
        """The original, where it is a JSON object or a gRPC message, of which only the texts are told."""
        if self.original is None:
            return None
        if self.route is not None and self.route.startswith(kserve_grpc.DIALECT):
            return _called(self.original)
        try:
            found = orjson.loads(self.original)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


def _called(message: bytes) -> dict[str, Any] | None:
    """The texts of a gRPC request, in the form in which they are kept."""
    try:
        asked = kserve_grpc.infer(protobuf.read(message, kserve_grpc.REQUEST))
        return {"inputs": [{"data": [text for _, text in kserve_grpc.plain_texts(asked)]}]}
    except protobuf.WireError:
        return None


class Kept:
    """Remembers parts until their record comes; `private` is the auditor's key, if there is one.

    `closed` counts what stays sealed to it, by the reason.
    """

    def __init__(self, private: X25519PrivateKey | None = None) -> None:
        self.closed: Counter[str] = Counter()
        self._private = private
        self._parts: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()

    @property
    def opens(self) -> bool:
        """Whether originals can be had."""
        return self._private is not None

    def part(self, record: dict[str, Any]) -> None:
        """Remember a part: those of answers only for their originals."""
        if record.get("side") != "caller" and not self.opens:
            return
        exchange = str(record.get("exchange"))
        self._parts.setdefault(exchange, []).append(record)
        if len(self._parts) > LIVE:
            self._parts.popitem(last=False)

    def take(self, record: dict[str, Any]) -> Taken:
        """What is kept of the body of a record that tells something."""
        parts = self._parts.pop(str(record.get("exchange")), [])
        if not parts and not self.opens:
            return Taken(record.get("body"))
        one = next(bodies.told([*parts, record]), None)
        if one is None:
            return Taken()
        body = bodies.body_of(one)
        route = record.get("route")
        return Taken(body.value if body.whole else None, self._opened(one), route if isinstance(route, str) else None)

    def _opened(self, one: bodies.Told[dict[str, Any]]) -> bytes | None:
        if self._private is None:
            return None
        found = next(unseal.unsealed([*one.parts, one.record], self._private), None)
        if found is None:
            return None
        for fault in found.faults:
            self.closed[fault.rpartition(": ")[2]] += 1
        return None if found.faults else found.data
