"""Tickets and reviews for a terminal: the console's documents in, text out.

Whatever they hold was written by strangers, masked: it only ever becomes text made by `plain`. No line of it begins
where those begin that say what a yes gives: a prompt stands behind bars, and what is longer than a line is set in.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from phigate.audit.questions.show import plain
from phigate.audit.questions.turns import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.console import Console

    type Document = Mapping[str, Any]

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_STATES: Final = {"pending": "yellow", "approved": "green", "rejected": "red", "revoked": "red"}
_LABEL: Final = 11
_IN: Final = _LABEL + 2
_BAR: Final = "| "
_NARROW: Final = 20
"""Characters of a line at least."""
_WHY: Final = {"justification", "unmask", "reason"}
_ELSEWHERE: Final = {"model", "call", "prompt", "prompt_left_out"}


def folded(text: Text, where: Console) -> Iterator[Text]:
    """A line as it is printed: in a terminal in as many as it takes, those after the first set in."""
    if not where.is_terminal:
        yield text
        return
    first, *rest = text.wrap(where, max(where.width - _IN, _NARROW), overflow="fold") or [text]
    yield first
    yield from (Text.assemble(_BAR if text.plain.startswith(_BAR) else " " * _IN, each) for each in rest)


def tickets_table(tickets: Iterable[Document], now: float) -> Table:
    """One row a ticket, for people; narrow enough for 80 columns, the ids in one piece."""
    table = Table(show_lines=True)
    for name in ("ticket", "who wants what", "yes said, still open"):
        table.add_column(name, overflow="fold")
    table.columns[0].min_width = 18
    for each in tickets:
        who = (person(each.get("asked_by")), wanted(each), f"rule {each.get('rule')}")
        open_for = f"{each.get('state')}, {left(each, now)}"
        table.add_row(plain(each.get("ticket")), _stacked(who), _stacked((given(each), open_for)))
    return table


def tickets_lines(tickets: Iterable[Document]) -> Iterator[str]:
    """One line a ticket, for programs: id, state, end (UTC), yes, rule, actions, model, who; tabs between them."""
    for each in tickets:
        said = (each.get("ticket"), each.get("state"), moment(each.get("until")), given(each), each.get("rule"))
        fields = (*said, ",".join(_listed(each.get("actions"))), each.get("model") or "", person(each.get("asked_by")))
        yield "\t".join(_flat(field) for field in fields)


def ticket_view(ticket: Document, now: float) -> Iterator[Text]:
    """All of a ticket: who wants what, why, what a yes gives, who said what, and the prompt as it is masked."""
    shown = ticket.get("shown")
    held: Document = shown if isinstance(shown, dict) else {}
    state = str(ticket.get("state"))
    yield _row("ticket", f"{ticket.get('ticket')}, {state} {left(ticket, now)}", _STATES.get(state, ""))
    yield _row("asked by", person(ticket.get("asked_by")))
    yield _row("wants", wanted(ticket))
    yield from _asked(held)
    yield _row("rule", ticket.get("rule"))
    yield _row("answered by", ", ".join(_listed(ticket.get("approvers"))))
    yield _row("yes", given(ticket))
    yield _row("a yes gives", gives(ticket.get("grant")))
    yield _row("exchange", ticket.get("exchange"))
    for said in ticket.get("said") or ():
        by = f"{said.get('verdict')} by {person(said.get('by'))}, {moment(said.get('at'))}"
        yield _row("said", f"{by}: {said['comment']}" if said.get("comment") else by)
    yield from _prompt(held)


def review_view(review: Document) -> Iterator[Text]:
    """A use of break-glass: who, when, why, and the prompt as it is masked."""
    shown = review.get("shown")
    held: Document = shown if isinstance(shown, dict) else {}
    yield _row("exchange", review.get("exchange"), "bold")
    yield _row("used by", person(review.get("asked_by")))
    yield _row("on", moment(review.get("opened")))
    yield from _asked(held)
    yield _row("rule", review.get("rule"))
    yield _row("signed by", ", ".join(_listed(review.get("review_by"))))
    yield from _prompt(held)


def wanted(ticket: Document) -> str:
    """What somebody wants to do with which model."""
    actions = ", ".join(_listed(ticket.get("actions")))
    return f"{actions} of {ticket['model']}" if ticket.get("model") else actions


def given(ticket: Document) -> str:
    """How many said yes, and how many it takes."""
    counts = ticket.get("approvals")
    counted: Document = counts if isinstance(counts, dict) else {}
    return f"{counted.get('given')} of {counted.get('needed')}"


def gives(grant: object) -> str:
    """What the last yes gives."""
    terms: Document = grant if isinstance(grant, dict) else {}
    uses = terms.get("uses")
    times = "any number of requests" if uses is None else "one request" if uses == 1 else f"{uses} requests"
    what = "this very request only" if terms.get("bound") else "what was asked for, with whatever text"
    only = f", at these hours: {terms['hours']}" if terms.get("hours") else ""
    return f"{times} within {duration(terms.get('seconds'))}, {what}{only}"


def person(who: object) -> str:
    """A person is an id and whose id it is."""
    named: Document = who if isinstance(who, dict) else {}
    return f"{named.get('id')} ({named.get('issuer')})"


def left(ticket: Document, now: float) -> str:
    until = ticket.get("until")
    if ticket.get("state") not in {"pending", "approved"} or not isinstance(until, int | float) or until <= now:
        return f"until {moment(until)}"
    return f"until {moment(until)}, {duration(until - now)} from now"


def duration(seconds: object) -> str:
    """A span in its two largest units."""
    if not isinstance(seconds, int | float):
        return "?"
    rest = int(seconds)
    told: list[str] = []
    for length, unit in _UNITS:
        if (count := rest // length) and len(told) < 2:
            told.append(f"{count} {unit}")
            rest -= count * length
    return " ".join(told) or "0 s"


def moment(seconds: object) -> str:
    """UTC, to the second."""
    try:
        return datetime.fromtimestamp(float(str(seconds)), UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "?"


def _asked(held: Document) -> Iterator[Text]:
    called = held.get("call")
    call: Document = called if isinstance(called, dict) else {}
    if call:
        yield _row("call", f"{call.get('method')} {call.get('target')} ({call.get('route')})")
    for name, value in held.items():
        if name in _WHY:
            yield _row("because", value)
        elif name not in _ELSEWHERE:
            yield _row(name, _told(value))


def _prompt(held: Document) -> Iterator[Text]:
    if held.get("prompt_left_out"):
        yield plain("")
        yield plain("The prompt is too long to be shown.", "bold")
    for who, text in whole(held.get("prompt")):
        yield plain("")
        yield Text.assemble(_BAR, plain(_flat(who), "bold cyan"))
        yield from (Text.assemble(_BAR, plain(line)) for line in plain(text).plain.split("\n"))


def _row(label: str, value: object, style: str = "") -> Text:
    return Text.assemble(plain(f"{label:<{_LABEL}}  ", "bold"), plain(_flat(value), style))


def _stacked(values: Iterable[str]) -> Text:
    return plain("\n".join(_flat(value) for value in values))


def _flat(value: object) -> str:
    """On one line, so that no value looks like two."""
    return plain(" ".join(str("" if value is None else value).split())).plain


def _told(value: object) -> str:
    """A value, or members with their values."""
    return ", ".join(f"{name} {each}" for name, each in value.items()) if isinstance(value, dict) else str(value)


def _listed(values: object) -> list[str]:
    return [str(each) for each in values] if isinstance(values, list) else []
