"""One-time codes: whoever gets one at the console, by their bearer, answers one ticket with it where none can be shown.

- mitmweb's password is no identity: without a code nobody answers there, and a code is one person's, for one ticket,
  for LASTS seconds, once; only while that person could answer the ticket.
- Roles are worked out anew from the groups when it is used, and whoever was taken back meanwhile is out.
- A code is taken out of the ledger before anything else is asked of it: right or wrong, it is used up.
- Wrong ones are bounded in number (guesses.py). No code stands in a record or a log.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from phigate import answering
from phigate.answering import Caller
from phigate.approval.refusals import No
from phigate.capture.approvals import look_record
from phigate.console.guesses import Guesses
from phigate.exchange import ID
from phigate.ledger.codes import Code

if TYPE_CHECKING:
    from phigate.answering import Answering, Verdict
    from phigate.exchange import Subject
    from phigate.ledger.codes import Codes as Kept
    from phigate.ledger.tickets import Ticket

VIA: Final = "mitmproxy"
LASTS: Final = 300.0
"""Seconds."""
ALPHABET: Final = "34679ACDEFGHJKMNPQRTVWXY"
"""None that is taken for another one, aloud or on paper."""
LENGTH: Final = 10
"""46 bits; in 30 tries of a while against a thousand codes that are good, one in two billion."""
_CODE: Final = re.compile(rf"[{ALPHABET}]{{{LENGTH}}}", re.ASCII)


class Desk(answering.Desk, Protocol):
    """What codes ask of the house beside that; `codes` and `out` raise LedgerDown."""

    @property
    def codes(self) -> Kept: ...
    def digest(self, code: str) -> bytes: ...
    def out(self, subject: Subject) -> bool: ...
    def refused(self, client_ip: str, reason: str) -> None: ...


class Codes:
    """Getting a code and answering with it; raises as Answering does."""

    def __init__(self, desk: Desk, answers: Answering) -> None:
        self._desk, self._answering = desk, answers
        self._guesses = Guesses()

    async def give(self, ticket: str, caller: Caller) -> dict[str, Any]:
        """A code for a ticket that the caller could say yes to now; that they got it is on record first."""
        desk = self._desk
        found = await self._answering.could(ticket, caller)
        about = {"ticket": found.id, "exchange": found.exchange}
        await desk.record("look", look_record(caller.subject, caller.ip, "POST /tickets/ID/code", about, caller.via))
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        until = min(desk.now() + LASTS, caller.subject.expires)
        await desk.codes.keep(Code(desk.digest(code), found.id, caller.subject, until))
        half = LENGTH // 2
        return {"ticket": found.id, "code": f"{code[:half]}-{code[half:]}", "until": until}

    async def answer(self, ticket: str, code: str, verdict: Verdict) -> Ticket:
        """Say yes or no with a code, which is used up by it; the ticket as it is then."""
        desk, now = self._desk, self._desk.now()
        said = code.replace("-", "").upper()
        if not ID.fullmatch(ticket) or not _CODE.fullmatch(said):
            raise No("malformed")
        if not self._guesses.take(ticket, now):
            raise No("too-many-guesses")
        found = await desk.codes.take(desk.digest(said))
        if found is None:
            desk.refused(VIA, "code-unknown")
            raise No("code-refused")
        subject = replace(found.subject, roles=desk.policy.roles_of(found.subject.groups))
        why = self._why_not(found, subject, ticket, now)
        if why is not None:
            about = {"ticket": found.ticket}
            await desk.record("look", look_record(subject, "", f"phi.{verdict}", about, VIA, why=why))
            raise No("code-refused")
        self._guesses.give_back(ticket)
        return await self._answering.answer(ticket, Caller(subject, "", VIA), verdict, "")

    def _why_not(self, code: Code, subject: Subject, ticket: str, now: float) -> str | None:
        if code.ticket != ticket:
            return "code-for-another-ticket"
        if code.expires <= now:
            return "code-expired"
        return "revoked" if self._desk.out(subject) else None
