"""What the bodies of an exchange's records say, put together again: records in, values out.

A record that says `parts: n` and holds no body has it in the last n `part` records of its side before it. The parts of
a streamed answer are pieces of its text, all others pieces of a body's JSON. What the model says on an open connection,
or in the messages of a stream, stands in `message` records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

type Record = Mapping[str, Any]

OF_CALLER = frozenset({"request", "hold"})
OF_MODEL = frozenset({"response"})


class Body(NamedTuple):
    """A body as it was recorded; `whole` is False where parts of it are missing, and `value` what there is of it."""

    value: Any
    whole: bool = True


class Told[R](NamedTuple):
    """A record that tells something, and the parts that belong to it, in order."""

    side: str
    record: R
    parts: tuple[R, ...]


def told[R: Record](records: Iterable[R]) -> Iterator[Told[R]]:
    """The records of one exchange that tell something (in the order in which they were written), with their parts.

    Parts that no record claims come last, as if an answer had claimed them: the gateway ended before it did.
    """
    waiting: dict[str, list[R]] = {"caller": [], "model": []}
    for record in records:
        kind = record.get("kind")
        if kind == "part":
            waiting.setdefault(str(record.get("side")), []).append(record)
            continue
        side = _side(kind, record)
        if side is None:
            continue
        own, count = waiting[side], record.get("parts")
        taken = own[-count:] if isinstance(count, int) and count > 0 else []
        waiting[side] = []
        yield Told(side, record, tuple(taken))
    for side, own in waiting.items():
        if own:
            yield Told(side, own[-1], tuple(own))


def joined(records: Iterable[Record], side: str) -> Body:
    """The body of an exchange's request (`caller`) or answer (`model`); a list where it came in messages."""
    said = [one for one in told(records) if one.side == side]
    messages = [body_of(one) for one in said if one.record.get("kind") == "message"]
    own = [body_of(one) for one in said if one.record.get("kind") != "message"]
    whole = bool(own) and all(body.whole for body in (*messages, *own))
    if not messages:
        return own[-1]._replace(whole=whole) if own else Body(None, whole=False)
    return Body([body.value for body in (*messages, *own) if body.value is not None], whole)


def assembled(records: Iterable[Record]) -> list[dict[str, Any]]:
    """An exchange's records as if each held its whole body: without parts, and without what is sealed in them."""
    found = list(records)
    bodies = {id(one.record): body_of(one).value for one in told(found)}
    return [
        {name: value for name, value in record.items() if name != "sealed"}
        | ({"body": bodies[id(record)]} if id(record) in bodies else {})
        for record in found
        if record.get("kind") != "part" or id(record) in bodies
    ]


def body_of(one: Told[Any]) -> Body:
    """The body of one record that tells something."""
    record, parts = one.record, one.parts
    if record.get("kind") == "part":
        return Body("".join(map(_text, parts)), whole=False)
    text = "".join(map(_text, parts))
    if record.get("body") is not None or not text:
        return Body(record.get("body"), whole=len(parts) >= _count(record))
    complete = len(parts) == _count(record)
    if record.get("streamed") and record.get("kind") == "response":
        return Body(text, complete)
    try:
        return Body(orjson.loads(text), complete)
    except ValueError:
        return Body(text, whole=False)


def _side(kind: object, record: Record) -> str | None:
    if kind == "message":
        return "caller" if record.get("from") == "caller" else "model"
    return "caller" if kind in OF_CALLER else "model" if kind in OF_MODEL else None


def _count(record: Record) -> int:
    count = record.get("parts")
    return count if isinstance(count, int) else 0


def _text(part: Record) -> str:
    text = part.get("body")
    return text if isinstance(text, str) else ""
