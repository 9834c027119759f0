"""Exchanges of a journal as flows: the records of one exchange in, one drawing out, for mitmproxy's own tools.

A flow is drawn from the masked bodies alone, unless an auditor opens the sealed ones. Nothing is in it that the journal
does not hold: no header of the request or of the answer, no upstream, no answer where none is on record; its path is
the route's own, its host the name of the gateway. A streamed answer is the text that it said, not the events that said
it. Pure; records may have been changed by anybody, so a field of another shape than ours counts as missing.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from phigate.audit.bodies import OF_CALLER, OF_MODEL, Told, body_of
from phigate.audit.bodies import told as told_of
from phigate.audit.sealed.unseal import unsealed
from phigate.dialect import kserve_grpc
from phigate.dialect.known import ROUTES
from phigate.host.recordings.drawn import Answer, Drawing, Message
from phigate.host.recordings.recorded import metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

type Record = Mapping[str, Any]

_PATHS = {route.name: route.path for route in ROUTES} | {call.name: path for path, call in kserve_grpc.METHODS.items()}
UNKNOWN = "/(unknown)"
"""The path of a route that this version does not know: a policy's own, or none."""
UNSEALED = "Made from the journal: sealed originals, NOT MASKED; headers and upstream are not on record."
MADE = "Made from the journal: masked bodies, times and decisions as recorded; headers and upstream are not on record."


def drawing(records: Iterable[Record], *, original: bool = False) -> Drawing | None:
    """The flow of one exchange; `records` are all of its records, in order; None where nobody recorded who asked.

    `original` says that the bodies in them are not masked.
    """
    told = _Told(list(records))
    asked, answered = told.asked, told.answered
    if asked is None:
        return None
    client, started = _part(asked, "client"), _time(asked)
    said = [each.record for each in told.said]
    return Drawing(
        exchange=_text(asked, "exchange"),
        method=_text(asked, "method") or "POST",
        path=_PATHS.get(_text(asked, "route"), UNKNOWN),
        host=_text(asked, "instance") or "phigate",
        time=started,
        body=told.prompt,
        client=_text(client, "ip"),
        agent=_text(client, "agent"),
        answer=_answer(told, started),
        messages=tuple(Message(each.side == "caller", body_of(each).value, _time(each.record)) for each in told.said),
        refused=_refused(asked, answered),
        comment=f"{caption(asked, answered)}\n{UNSEALED if original else MADE}",
        metadata=metadata(asked, answered, said, made="unsealed" if original else "journal", time=started),
    )


def unmasked(records: list[dict[str, Any]], private: X25519PrivateKey) -> tuple[list[dict[str, Any]], list[str]]:
    """The records of one exchange with their sealed originals as bodies, and why any of it stays closed.

    Each record says in `file` where it stands. What is not sealed has no body any more: a flow is masked, or it is not.
    """
    found = [record for record in records if record.get("kind") == "recovered"]
    faults: list[str] = []
    for one in told_of(records):
        in_parts = one.record.get("kind") == "part"
        original = next(unsealed(one.parts if in_parts else [*one.parts, one.record], private), None)
        if original is not None:
            faults += original.faults
        found.append({**one.record, "body": _read(original.data, text=in_parts) if original else None, "parts": 0})
    return found, faults


def _read(data: bytes, *, text: bool) -> Any:
    try:
        return data.decode("utf-8", "replace") if text else orjson.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")


class _Told:
    """What the records of one exchange tell of it."""

    def __init__(self, records: list[Record]) -> None:
        self.asked: Record | None = None
        self.answered: Record | None = next((each for each in records if each.get("kind") == "recovered"), None)
        self.prompt: Any = None
        self.answer: Any = None
        self.said: list[Told[Record]] = []
        self.left: tuple[Record, ...] = ()
        """The parts of an answer that never came to its end."""
        for one in told_of(records):
            self._add(str(one.record.get("kind")), one)

    def _add(self, kind: str, one: Told[Record]) -> None:
        if kind == "message":
            self.said.append(one)
        elif kind in OF_CALLER and (self.asked is None or kind == "request"):
            self.asked, self.prompt = one.record, body_of(one).value
        elif kind in OF_MODEL:
            self.answered, self.answer = one.record, body_of(one).value
        elif kind == "part" and one.side == "model":
            self.left = one.parts


def caption(asked: Record, answered: Record | None) -> str:
    """Who, what was decided, how it ended, what was found: one line, as mitmweb shows it beside the flow."""
    subject = _part(asked, "subject")
    who = f"{_text(subject, 'id') or 'nobody'} ({', '.join(_texts(subject, 'roles')) or 'no role'})"
    decided = _part(asked, "decision")
    said = " ".join(filter(None, (_text(decided, "verb"), _text(decided, "reason"), _text(decided, "rule"))))
    found = dict(_counts(asked))
    for entity, count in _counts(answered or {}):
        found[entity] = found.get(entity, 0) + count
    counts = ", ".join(f"{entity} {count}" for entity, count in sorted(found.items())) or "nothing found"
    ended = [_text(answered, "outcome")] if answered and answered.get("outcome") != "complete" else []
    return " | ".join([who, said, *ended, counts])


def _refused(asked: Record, answered: Record | None) -> str | None:
    """Why the model did not answer, in the words of the record."""
    decided = _part(asked, "decision")
    verb = _text(decided, "verb")
    if verb not in {"permit", "break_glass"}:
        return " ".join(filter(None, (verb, _text(decided, "reason")))) or "no decision"
    if answered is not None and _status(answered) is None:
        return _text(answered, "outcome") or "no answer"
    return None


def _answer(told: _Told, started: float) -> Answer | None:
    """What was answered; a stream that never came to its end had begun, and streams begin with 200."""
    answered, left = told.answered, told.left
    status = _status(answered) if answered else None
    if answered is None or status is None:
        said = "".join(_text(piece, "body") for piece in left)
        return Answer(200, said, _time(left[0]), _time(left[-1])) if left else None
    last = _time(answered) or started
    first = _part(answered, "seconds").get("first")
    begun = started + first if isinstance(first, int | float) and 0 <= first <= last - started else last
    return Answer(status, told.answer, begun, last)


def _status(answered: Record) -> int | None:
    status = answered.get("status")
    return status if isinstance(status, int) and 100 <= status <= 599 else None


def _counts(record: Record) -> Iterator[tuple[str, int]]:
    for entity, count in _part(record, "findings").items():
        if isinstance(count, int):
            yield entity, count


def _time(record: Record) -> float:
    """Seconds since the epoch; 0 where a record tells no time."""
    try:
        return datetime.fromisoformat(_text(record, "ts")).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _part(record: Record, name: str) -> Record:
    part = record.get(name)
    return part if isinstance(part, dict) else {}


def _text(record: Record, name: str) -> str:
    text = record.get(name)
    return text if isinstance(text, str) else ""


def _texts(record: Record, name: str) -> list[str]:
    texts = record.get(name)
    return [text for text in texts if isinstance(text, str)] if isinstance(texts, list) else []
