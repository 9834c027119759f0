"""What people ask in mitmproxy and mitmweb: `phi.tickets`, `phi.approve`, `phi.reject`, `phi.policy`.

mitmproxy's commands return at once and may wait for nothing, since they run between the traffic's turns. So what needs
ledger or journal is begun, and what comes of it is said in the event log: tickets by their ids, never a person, a
prompt or a code.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from phigate.answering import Answering
from phigate.approval.refusals import No
from phigate.console.codes import Codes
from phigate.console.said import SAID
from phigate.journal.chain import Unrecordable
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from phigate.answering import Verdict
    from phigate.console.codes import Desk
    from phigate.ledger.tickets import Ticket
    from phigate.policy.schema import Policy

    type Work = Callable[[], Awaitable[Iterable[str]]]

AT_ONCE: Final = 8
"""Commands whose outcome is not known yet."""
ASKED: Final = "asked: what comes of it is said in the event log"
WORDS: Final = {
    "malformed": "that is no ticket's id with a code",
    "code-refused": "this code is not good for this ticket, and is used up",
    "too-many-guesses": "too many codes were tried: ask again in five minutes",
    "unavailable": "this cannot be settled at the moment",
}
"""Why nothing came of it, beside the reasons of the console."""


class Commands:
    """`say` writes a line into the event log."""

    def __init__(self, desk: Desk, say: Callable[[str], None]) -> None:
        self._desk, self._say = desk, say
        self._codes = Codes(desk, Answering(desk))
        self._asked: set[asyncio.Task[None]] = set()

    def tickets(self) -> str:
        """List what waits for anybody's answer."""
        return self._begin("phi.tickets", self._listed)

    def answer(self, ticket: str, code: str, verdict: Verdict) -> str:
        """Say yes or no with a one-time code."""
        return self._begin(f"phi.{verdict}", partial(self._answered, ticket, code, verdict))

    async def _listed(self) -> Iterable[str]:
        now = self._desk.now()
        found = await self._desk.approvals.pending(now)
        return [f"{len(found) or 'no'} ticket{'' if len(found) == 1 else 's'} waiting", *(_line(one) for one in found)]

    async def _answered(self, ticket: str, code: str, verdict: Verdict) -> Iterable[str]:
        after = await self._codes.answer(ticket, code, verdict)
        given = f", {_given(after)} said yes" if after.state == "pending" else ""
        return [f"{after.id}: {after.stands(self._desk.now())}{given}"]

    def _begin(self, name: str, work: Work) -> str:
        if len(self._asked) >= AT_ONCE:
            return "too much is asked at once: ask again"
        task = asyncio.get_running_loop().create_task(self._tell(name, work))
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
        return ASKED

    async def _tell(self, name: str, work: Work) -> None:
        try:
            lines = await work()
        except No as no:
            lines = [WORDS.get(no.reason) or SAID.get(no.reason, (0, no.reason))[1]]
        except (LedgerDown, JournalDown, Unrecordable):
            lines = [WORDS["unavailable"]]
        for line in lines:
            self._say(f"{name}: {line}")


def policy_in_force(policy: Policy, path: str, since: datetime) -> str:
    """Which policy decides: its SHA-256 as it stands in every record, its file, since when, and its rules."""
    rules = [f"{rule.name} ({rule.verb})" for rule in policy.rules]
    return f"policy {policy.sha256}\n{path}, in force since {_time(since)}\nrules: {', '.join(rules)}"


def _line(ticket: Ticket) -> str:
    """What the policy calls it; who asks, and for what exactly, is for approvers to see."""
    until = _time(datetime.fromtimestamp(ticket.until, UTC))
    wanted = f"{', '.join(sorted(ticket.actions))} by rule {ticket.rule}"
    return f"{ticket.id}: {wanted}, {_given(ticket)} said yes, until {until}, exchange {ticket.exchange}"


def _given(ticket: Ticket) -> str:
    return f"{sum(said.verdict == 'approve' for said in ticket.said)} of {ticket.approvals}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
