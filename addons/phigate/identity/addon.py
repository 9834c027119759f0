"""Who is asking? Glue: the request's credential to a Subject, or a 401 that tells nothing about it (RFC 6750, 3).

Also follows the ledger while the gateway runs: what was taken back ends here, streams under way with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Literal

from mitmproxy import ctx

from phigate import flows
from phigate.dialect.known import dialect_of
from phigate.exchange import Subject
from phigate.gate import handshake
from phigate.host import lockdown, logs
from phigate.host.connections import sockets
from phigate.identity.bearer import extract_from
from phigate.identity.outcome import Refused
from phigate.identity.proof import Presented
from phigate.identity.replies import REVOKED, UNKNOWN, outlived, over, refusal_of, session_of
from phigate.identity.verify import Known
from phigate.ledger import LedgerDown, LedgerFault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mitmproxy.http import HTTPFlow

    from phigate.house import House
    from phigate.identity.outcome import Unavailable
    from phigate.ledger import Ledger

logger = logging.getLogger(__name__)

LOOK: float = 1.0
"""Seconds between two looks at the ledger."""


class Identity:
    def __init__(self, house: House) -> None:
        self.house = house
        self._told: str | None = None
        house.ticks.append(self._end)
        house.again.append(self.again)

    def running(self) -> None:
        self.house.agreement.following = asyncio.create_task(self._follow())

    def done(self) -> None:
        self.house.agreement.going.set()

    # -- requests ---------------------------------------------------------------------------------------------------

    async def request(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None or passage.exchange.refusal is not None:
            return
        fields, own = _shown(flow.request.data.headers.fields, passage), own_field(passage.exchange.dialect)
        passage.believed_by = self.house.policy
        outcome = await self.house.verifier.verify(fields, self._presented(flow, passage), time.time(), own)
        self._settle(passage, outcome)
        if passage.exchange.subject is not None:
            self.house.doors.believe(flow.client_conn)

    async def again(self, flow: HTTPFlow) -> None:
        """Whether the bearer of a request that waited is still believed; what proved it was used up at first."""
        passage = flows.passage_of(flow)
        if passage is None or passage.exchange.refusal is not None:
            return
        passage.believed_by = self.house.policy
        known = await self._still(flow.request.data.headers.fields, passage)
        if not isinstance(known, Known):
            self._settle(passage, known)
            return
        self._settle(passage, known.subject)
        outcome = over(known.subject, self.house.agreement.follow)
        if outcome is not None:
            passage.exchange.refusal = REVOKED if outcome == "revoked" else UNKNOWN

    async def _still(
        self, fields: tuple[tuple[bytes, bytes], ...], passage: flows.Passage
    ) -> Known | Refused | Unavailable:
        found = extract_from(_shown(fields, passage), own_field(passage.exchange.dialect))
        return found if isinstance(found, Refused) else await self.house.verifier.still(found.bearer, time.time())

    def _settle(self, passage: flows.Passage, outcome: Subject | Refused | Unavailable) -> None:
        exchange, house = passage.exchange, self.house
        if isinstance(outcome, Subject):
            exchange.subject = outcome
            exchange.session = session_of(outcome, passage.fields.get(b"phi-session", b""))
        else:
            proven = any(rule.proof == "dpop" for rule in house.policy.issuers)
            exchange.refusal = refusal_of(outcome, house.addresses.metadata, dpop=proven)

    def _presented(self, flow: HTTPFlow, passage: flows.Passage) -> Presented:
        """What came with the bearer: the request as the caller sees it, and what proves that a key is held."""
        base = self.house.addresses.url
        proofs = (
            tuple(
                value.decode("latin-1")
                for name, value in flow.request.data.headers.fields
                if len(name) == 4 and name.lower() == b"dpop"
            )
            if b"dpop" in passage.fields
            else ()
        )
        certificates = flow.client_conn.certificate_list
        return Presented(
            method=passage.exchange.method,
            url=base + passage.exchange.path.partition("?")[0] if base else None,
            proof=proofs,
            certificate=lockdown.der(certificates[0]) if certificates else None,
            scheme="bearer",
        )

    def response(self, flow: HTTPFlow) -> None:
        """A bearer that was, or may have been, taken back while the model answered sees nothing of the answer."""
        passage = flows.passage_of(flow)
        if passage is None or not passage.exchange.contacted or passage.exchange.refusal is not None:
            return
        outcome = over(passage.exchange.subject, self.house.agreement.follow)
        if outcome is not None:
            passage.outcome, passage.exchange.refusal = outcome, REVOKED if outcome == "revoked" else UNKNOWN

    async def websocket_message(self, flow: HTTPFlow) -> None:
        """Whoever is out, or whose bearer is over, neither says nor hears anything more on an open connection.

        Under a new policy the bearer is believed anew: it may believe others, and give them other roles.
        """
        passage = flows.passage_of(flow)
        if passage is None or passage.message is None:
            return
        message, outcome = passage.message, self._ended(passage)
        if outcome is not None:
            message.outcome = outcome
            message.refusal = UNKNOWN if outcome == "interrupted" else REVOKED
        elif passage.believed_by is not (policy := self.house.policy):
            known = await self._still(tuple(passage.fields.items()), passage)
            if isinstance(known, Known):
                passage.exchange.subject, passage.believed_by = known.subject, policy
            else:
                message.refusal = message.refusal or refusal_of(known)

    # -- the ledger -------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Look again and again, from the first answer on in a thread's own loop.

        A look takes some dozen turns of a loop, and with hundreds of streams under way a turn of this one takes
        seconds: the ledger would seem to be down, and nobody would be let in.
        """
        agreement = self.house.agreement
        while not agreement.going.is_set() and not await self._looked(agreement.look):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(agreement.going.wait(), LOOK)
        loop = asyncio.get_running_loop()
        over = loop.create_future()

        def tell() -> None:
            if not over.done():
                over.set_result(None)

        def work() -> None:
            try:
                asyncio.run(self._follow_beside())
            finally:
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                    loop.call_soon_threadsafe(tell)

        threading.Thread(target=work, name="ledger", daemon=True).start()
        await over

    async def _follow_beside(self) -> None:
        agreement = self.house.agreement
        ledger: Ledger | None = None

        async def look() -> None:
            nonlocal ledger
            ledger = await agreement.look_beside(ledger)

        try:
            while not agreement.going.is_set():  # an event of the other loop: it can be looked at, not waited for
                await self._looked(look)
                await self._pause()
        finally:
            if ledger is not None:
                await ledger.close()

    async def _pause(self) -> None:
        going, end = self.house.agreement.going, time.monotonic() + LOOK
        while time.monotonic() < end and not going.is_set():  # noqa: ASYNC110 -- see `_follow_beside`
            await asyncio.sleep(min(0.05, LOOK))

    async def _looked(self, look: Callable[[], Awaitable[object]]) -> bool:
        try:
            await look()
        except (LedgerDown, LedgerFault) as fault:
            self._say_once("the ledger does not answer", type(fault).__name__)
        except Exception as error:  # noqa: BLE001 -- who looks no more never lets anybody in again
            self._say_once("looking at the ledger broke", logs.chain(error))
        else:
            self._told = None
            return True
        return False

    def _say_once(self, what: str, fault: str) -> None:
        said = f"{what} ({fault})"
        if said != self._told:
            self._told = said
            logger.error("%s; no bearer is believed until that is over", said)

    def _end(self) -> None:
        """End what is under way for those who are out, or may be: for a stream that is all its rest.

        Done each second: whoever was let in just before the word came is under way only after it, and where no
        word comes any more nobody asks for it.
        """
        for flow in list(self.house.contacted.values()):
            passage = flows.passage_of(flow)
            outcome = self._ended(passage) if passage else None
            if passage and outcome is not None:
                passage.outcome = outcome
                if flows.is_open(flow):
                    sockets.close(ctx.master, flow, sockets.VIOLATION)
                else:
                    lockdown.cut_upstream(ctx.master, flow)

    def _ended(self, passage: flows.Passage) -> Literal["revoked", "interrupted", "expired"] | None:
        """Why an exchange does not go on; a connection that stays open ends with its bearer (`exp`)."""
        subject, now = passage.exchange.subject, time.time()
        if passage.opened and subject is not None and subject.expires <= now:
            return "expired"
        outcome = over(subject, self.house.agreement.follow)
        if outcome is None and subject and passage.route and not passage.opened:
            late = outlived(subject, now, endless=not passage.route.has_body)
            return "interrupted" if late else None
        return outcome


def _shown(fields: tuple[tuple[bytes, bytes], ...], passage: flows.Passage) -> tuple[tuple[bytes, bytes], ...]:
    """The header fields in which a bearer may be, those of a WebSocket's subprotocols among them."""
    if passage.route is None or not passage.route.talk:
        return fields
    shown = handshake.bearers_among(passage.protocols)
    return (*fields, *((b"authorization", b"Bearer " + each.encode()) for each in shown))


def own_field(dialect: str | None) -> str | None:
    """The field in which this protocol's clients may show a bearer, beside Authorization."""
    field = dialect_of(dialect).credential
    return None if field == b"authorization" else field.decode()
