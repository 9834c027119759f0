"""[I/O] Waiting for what becomes of a ticket, for who asked: how it ended, and a progress display meanwhile.

A gateway that restarts, or that cannot settle anything for a while, is waited for, OUTAGE seconds at most.
"""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from phigate.remote import log
from phigate.remote.client import UNREACHABLE, Console, Fault
from phigate.terminal import err

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from phigate.remote.bearers import Bearers

OUTAGE: Final = 300.0
FIRST: Final = 1.0
LONGEST: Final = 15.0
LINES: Final = 60.0
"""Seconds between two lines of a log that say the same."""
type Ended = Literal["approved", "used", "rejected", "revoked", "expired", "late"]
ENDS: Final = frozenset({"approved", "used", "rejected", "revoked", "expired"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended, and what was said by whom."""

    ended: Ended
    said: tuple[str, ...] = ()


class Patience:
    """Pauses that grow, with jitter, until somebody gives up; `end` is of the monotonic clock."""

    def __init__(self, end: float) -> None:
        self.end = end
        self._pause = FIRST

    def left(self) -> float:
        return self.end - time.monotonic()

    def pause(self) -> None:
        spread = self._pause * random.uniform(0.8, 1.2)  # noqa: S311 -- so that pipelines do not ask in step
        time.sleep(max(0.0, min(spread, self.left())))
        self._pause = min(self._pause * 1.5, LONGEST)


class Outage:
    """How long nothing could be had; raises what was the matter once it is too long."""

    def __init__(self) -> None:
        self._since: float | None = None

    def over(self) -> None:
        self._since = None

    def on(self, fault: Fault) -> None:
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if fault.exits != UNREACHABLE or now - self._since > OUTAGE:
            raise fault


def asked[T](console: str, bearers: Bearers, what: Callable[[Console], T]) -> T:
    """Ask a console with the bearer of the moment, once more with another where it was not believed; raises Fault."""
    try:
        with Console(console, bearers.now()) as here:
            return what(here)
    except Fault as fault:
        if fault.code != "bearer-refused" or not bearers.renews:
            raise
    bearers.forget()
    with Console(console, bearers.now()) as here:
        return what(here)


def settled[T](patience: Patience, what: Callable[[], T]) -> T:
    """Ask again and again while nobody answers, or it cannot be settled; raises Fault."""
    outage = Outage()
    while True:
        try:
            return what()
        except Fault as fault:
            outage.on(fault)
            if patience.left() <= 0:
                raise
        patience.pause()


def wait(console: str, bearers: Bearers, ticket: str, patience: Patience) -> Outcome:
    """How a ticket ends, or `late` once patience has; raises Fault."""
    outage, began, told = Outage(), time.monotonic(), set[str]()

    def tell(text: str) -> None:
        if text not in told:
            told.add(text)
            err.print(log.line(text), soft_wrap=True)

    with _display() as show:
        while True:
            try:
                state = asked(console, bearers, lambda here: here.get(f"/tickets/{ticket}/state"))
                outage.over()
                if page := state.get("page"):
                    tell(f"to be approved at {page}")
                if str(state.get("state")) in ENDS:
                    return Outcome(state["state"], tuple(_said(state)))
                show(_standing(state, began, patience))
            except Fault as fault:
                outage.on(fault)
                show(f"the gateway does not answer: {fault.sentence}")
            if patience.left() <= 0:
                return Outcome("late")
            patience.pause()


def _standing(state: dict[str, Any], began: float, patience: Patience) -> str:
    counted = state.get("approvals")
    given, needed = (counted.get("given"), counted.get("needed")) if isinstance(counted, dict) else ("?", "?")
    return f"{given} of {needed} said yes; {_span(time.monotonic() - began)} waited, {_span(patience.left())} left"


def _span(seconds: float) -> str:
    whole = max(0, int(seconds))
    return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"


def _said(state: dict[str, Any]) -> Iterator[str]:
    every = state.get("said")
    for each in every if isinstance(every, list) else ():
        if isinstance(each, dict) and isinstance(by := each.get("by"), dict):
            comment = f": {each['comment']}" if each.get("comment") else ""
            yield log.line(f"{each.get('verdict')} by {by.get('id')}{comment}").plain


@contextmanager
def _display() -> Iterator[Callable[[str], None]]:
    """One line that changes on a terminal; in a log a line where something changes, and one a minute."""
    if err.is_terminal:
        with err.status("") as status:
            yield lambda text: status.update(log.line(text))
        return
    told: dict[str, float] = {}

    def line(text: str) -> None:
        what, now = text.partition(";")[0], time.monotonic()
        if what not in told or now - told[what] >= LINES:
            told.clear()
            told[what] = now
            err.print(log.line(text), soft_wrap=True)

    yield line
