"""Requests that wait for their yes with the connection open: how many may, and whom what is said concerns. Pure.

- A wait is told once how it ended. What it is told of a yes is that it is worth asking again, never that it passes.
- What a wait was told of before (a ticket's state, a grant) is no news to it, so that nobody asks again and again.
- Waits are bounded in number, of one subject and in all, and in the bytes that their requests hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from phigate.ledger.tickets import Person, State
    from phigate.policy.grants import Grant

type Ended = Literal["again", "rejected", "revoked", "late", "gone", "leaving"]
"""Ask again; the ticket got a no, or was taken back; the time is over, the caller went, the gateway goes."""

MOST: Final = 50
"""Requests of one subject that may wait at once at one gateway."""
MOST_IN_ALL: Final = 1000
MOST_BYTES: Final = 64 * 1024 * 1024
"""Bytes of the bodies of all that wait."""

_ENDS: Final[Mapping[State, Ended]] = {
    # of one that is pending there is nothing to say
    "approved": "again",
    "used": "again",
    "rejected": "rejected",
    "revoked": "revoked",
    "expired": "late",
}


_PREFERRED: Final = re.compile(rb"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?:[,;]|$)", re.IGNORECASE)


def preferred(field: bytes) -> float | None:
    """The seconds that a caller wants to wait at most, by its `Prefer: wait=N` (RFC 7240, 4.3); None says nothing."""
    found = _PREFERRED.search(field)
    return float(found[1]) if found else None


@dataclass(eq=False, slots=True)
class Wait:
    """One request; `tell` is called once with how its wait ended.

    `gone` says whether its caller is there no more, `out` whether their bearer was taken back.
    """

    ticket: str
    subject: Person = field(repr=False)
    rule: str
    bound: bool
    """Whether only a yes to this very request is of use."""
    size: int
    gone: Callable[[], bool] = field(repr=False)
    out: Callable[[], bool] = field(repr=False)
    tell: Callable[[Ended], None] = field(repr=False)
    known: set[str]
    """Grants, and tickets with their states, that it was told of."""


class Waiting:
    """Those that wait at this gateway."""

    def __init__(self) -> None:
        self._every: dict[Wait, None] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._every)

    def begin(self, wait: Wait) -> bool:
        """Let a request wait; False where too many do."""
        own = sum(each.subject == wait.subject for each in self._every)
        if own >= MOST or len(self._every) >= MOST_IN_ALL or self._size + wait.size > MOST_BYTES:
            return False
        self._every[wait] = None
        self._size += wait.size
        return True

    def end(self, wait: Wait) -> None:
        """It waits no more, for whatever reason; may be called twice."""
        if wait in self._every:
            del self._every[wait]
            self._size -= wait.size

    @property
    def tickets(self) -> set[str]:
        return {each.ticket for each in self._every}

    @property
    def subjects(self) -> set[Person]:
        """Whose grants may be of use to one of them that has another ticket."""
        return {each.subject for each in self._every if not each.bound}

    def look(self, *, leaving: bool) -> None:
        """End the waits of which nothing can come any more; whose bearer was taken back is told so when asked again."""
        for wait in list(self._every):
            if wait.gone():
                self._tell(wait, "gone")
            elif leaving:
                self._tell(wait, "leaving")
            elif wait.out():
                self._tell(wait, "again")

    def hear(self, asked: Collection[str], states: Mapping[str, State], grants: Iterable[Grant]) -> None:
        """What the ledger says of the tickets that it was asked for: one that it does not know is over."""
        given: dict[tuple[Person, str], set[str]] = {}
        for grant in grants:
            given.setdefault((grant.subject, grant.rule), set()).add(grant.id)
        for wait in list(self._every):
            if wait.ticket in asked:
                useful = set[str]() if wait.bound else given.get((wait.subject, wait.rule), set())
                self._hear(wait, states.get(wait.ticket, "expired"), useful)

    def _hear(self, wait: Wait, state: State, useful: set[str]) -> None:
        new = useful - wait.known
        at = f"{wait.ticket} {state}"
        ended = "again" if new else _ENDS.get(state) if at not in wait.known else None
        wait.known |= {*new, at}
        if ended is not None:
            self._tell(wait, ended)

    def _tell(self, wait: Wait, ended: Ended) -> None:
        self.end(wait)
        wait.tell(ended)
