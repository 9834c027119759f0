"""A session as it happened: an index in, steps in order of time out, each a piece of a turn or a word beside it.

A turn is what one side said at once: a prompt, an answer, a message. An answer that was streamed is a step for each
part on record; what is beside a turn (who, decision, mask, findings) stands with the record that says it, so an
answer's comes with its end. Exchanges that ran at once are told in the order in which their records were written.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from phigate.audit import bodies
from phigate.audit.index.exchanges import Wanted, exchanges, records
from phigate.audit.questions.show import facts
from phigate.audit.questions.times import seconds_of
from phigate.audit.questions.turns import BODY, pretty, turns

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from phigate.audit.index.database import Index

type Record = Mapping[str, Any]
type Note = tuple[str, str]
"""A text beside a turn, and its style."""

CALLER: Final = "caller"
MODEL: Final = "model"
ASIDE: Final = "aside"
"""Of what is no turn: a ticket, a grant, the end of an interrupted exchange."""
VERBS: Final = {"permit": "green", "hold": "yellow", "deny": "red", "break_glass": "bold magenta"}


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened, `at` seconds since the epoch; `said` are texts with who says them ("" goes on)."""

    at: float
    exchange: str
    side: str
    notes: tuple[Note, ...] = ()
    said: tuple[tuple[str, str], ...] = ()
    goes_on: bool = False
    """It belongs to the turn that this exchange's side has begun."""


def steps(index: Index, wanted: Wanted) -> Generator[Step]:
    """The steps of the exchanges that are wanted; memory grows with the exchanges that ran at once."""
    waiting: list[tuple[float, int, Step]] = []
    order, before = count(), list[Any]()
    for row in exchanges(index, wanted):
        while waiting and waiting[0][0] <= row["at"]:
            yield heapq.heappop(waiting)[2]
        have = records(index, row["exchange"])
        for step in of_exchange(have, before):
            heapq.heappush(waiting, (step.at, next(order), step))
        before = _messages(bodies.joined(have, CALLER).value) or before
    while waiting:
        yield heapq.heappop(waiting)[2]


def of_exchange(have: Sequence[Record], before: list[Any] | None = None) -> Iterator[Step]:
    """The steps of one exchange's records; `before` are the messages that the last prompt ended with."""
    told = list(bodies.told(have))
    whole = {id(one.record): one for one in told if one.record["kind"] != "part"}
    joined = {id(part) for one in whole.values() if not one.record.get("streamed") for part in one.parts}
    begun = False
    for record in have:
        kind, at, exchange = record["kind"], seconds_of(record["ts"]) or 0.0, str(record.get("exchange"))
        if kind == "part":
            if id(record) not in joined and record.get("side") != CALLER:
                yield Step(at, exchange, MODEL, said=(("", _text(record.get("body"))),), goes_on=begun)
                begun = True
            continue
        one = whole.get(id(record))
        body = bodies.body_of(one).value if one else record.get("body")
        if kind in bodies.OF_CALLER:
            earlier, said = _new(body, before or [])
            yield Step(at, exchange, CALLER, _asked(record, earlier), said)
        elif kind == "response":
            yield Step(at, exchange, MODEL, _answered(record), () if begun else _plain(turns(body)), goes_on=begun)
        elif kind == "message":
            side = CALLER if record.get("from") == CALLER else MODEL
            yield Step(at, exchange, side, _message(record), _plain(turns(body)))
        else:
            yield Step(at, exchange, ASIDE, _aside(record))


def _plain(said: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The side says already who speaks."""
    return tuple(("" if who in (BODY, "user", "assistant", "text", "model") else who, text) for who, text in said)


def _text(body: object) -> str:
    return body if isinstance(body, str) else "" if body is None else pretty(body)


def _messages(body: object) -> list[Any]:
    found = body.get("messages") if isinstance(body, dict) else None
    return found if isinstance(found, list) else []


def _new(body: Any, before: list[Any]) -> tuple[int, tuple[tuple[str, str], ...]]:
    """(how many messages were told before, the new ones): a chat sends all that was said again with each question."""
    messages = _messages(body)
    same = 0
    for one, other in zip(messages, before, strict=False):
        if one != other:
            break
        same += 1
    while same and same < len(messages) and _role(messages[same]) == "assistant":  # the answer, which was told
        same += 1
    same = min(same, len(messages) - 1) if same else 0
    return same, _plain(turns(body | {"messages": messages[same:]} if same else body))


def _role(message: object) -> object:
    return message.get("role") if isinstance(message, dict) else None


def _part(record: Record, name: str) -> Mapping[str, Any]:
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def _counts(record: Record) -> str:
    return ", ".join(f"{entity} {n}" for entity, n in sorted(_part(record, "findings").items()))


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else ""


def _notes(*rows: tuple[str, object, str]) -> tuple[Note, ...]:
    """(label, value, style) where there is a value."""
    return tuple((f"{label} {value}".strip(), style) for label, value, style in rows if value not in (None, "", {}))


def _asked(record: Record, earlier: int) -> tuple[Note, ...]:
    subject, decided = _part(record, "subject"), _part(record, "decision")
    verb = str(decided.get("verb", "?"))
    return _notes(
        ("", subject.get("id"), "bold cyan"),
        ("", _listed(subject.get("roles")), ""),
        ("", " ".join(filter(None, (verb, _text(decided.get("rule"))))), VERBS.get(verb, "")),
        ("because", decided.get("reason"), VERBS.get(verb, "")),
        ("ticket", decided.get("ticket"), "yellow"),
        ("grant", decided.get("grant"), "yellow"),
        ("for", record.get("purpose"), ""),
        ("", _listed(record.get("action")), ""),
        ("of", record.get("model"), ""),
        ("found", _counts(record), "magenta"),
        ("", f"{earlier} told before" if earlier else "", "dim"),
        ("", record.get("exchange"), "dim"),
    )


def _answered(record: Record) -> tuple[Note, ...]:
    outcome, total = record.get("outcome"), _part(record, "seconds").get("total")
    usage = _part(record, "usage")
    tokens = ", ".join(f"{usage[side]} {side}" for side in ("input", "output") if side in usage)
    return _notes(
        ("", f"{outcome}, status {record.get('status')}", "green" if outcome == "complete" else "red"),
        ("mask", record.get("mask"), ""),
        ("found", _counts(record), "magenta"),
        ("", f"{total:.1f} s" if isinstance(total, int | float) else "", "dim"),
        ("tokens", tokens, "dim"),
    )


def _message(record: Record) -> tuple[Note, ...]:
    return _notes(("refused:", record.get("refused"), "red"), ("found", _counts(record), "magenta"))


def _aside(record: Record) -> tuple[Note, ...]:
    kind = str(record["kind"])
    told = ", ".join(f"{label} {value}" for label, value in facts(kind, record) if label not in ("exchange", "file"))
    return ((f"{kind}: {told}" if told else kind, "yellow"),)


def session_of(index: Index, named: str) -> Wanted | None:
    """What an id means: a session, or the session's one exchange of that id; None where nobody knows it."""
    if index.one("SELECT 1 FROM exchange WHERE session = ?", (named,)):
        return Wanted(session=named)
    return Wanted(exchange=named) if index.one("SELECT 1 FROM exchange WHERE exchange = ?", (named,)) else None
