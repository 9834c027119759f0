"""Who asks at the console, by the bearer that they show, and what whoever asks in vain is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fastapi import Request, Response  # noqa: TC002 -- FastAPI reads the signatures here

from phigate.approval.refusals import No
from phigate.console.said import fault, ip_of, read
from phigate.identity.outcome import Refused, Unavailable
from phigate.identity.proof import Presented
from phigate.journal.chain import Unrecordable
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from phigate.exchange import Subject


class Desk(Protocol):
    """What this asks of the house."""

    @property
    def console(self) -> str: ...
    def now(self) -> float: ...
    async def verify(
        self, fields: Iterable[tuple[bytes, bytes]], presented: Presented, now: float
    ) -> Subject | Refused | Unavailable: ...
    def refused(self, client_ip: str, reason: str) -> None: ...


async def believed(desk: Desk, request: Request) -> Subject:
    """Who asks, by a bearer that is for more than one exchange; raises No."""
    proofs = tuple(request.headers.getlist("dpop"))
    presented = Presented(
        method=request.method,
        url=desk.console + request.scope["path"],
        proof=proofs,
        certificate=None,
        scheme="dpop" if proofs else "bearer",
    )
    found = await desk.verify(request.headers.raw, presented, desk.now())
    if isinstance(found, Unavailable):
        raise No("unavailable")
    if isinstance(found, Refused):
        desk.refused(ip_of(request), found.reason)
        raise No("bearer-missing" if found.public == "bearer-missing" else "bearer-refused")
    if found.uses is not None:
        raise No("not-an-approver")
    return found


async def heard(desk: Desk, request: Request) -> tuple[Subject, bytes]:
    """Who says something, and what, both as they are once all of it is there; raises No.

    A body may take its time: whose bearer ends, or is taken back, meanwhile has said nothing.
    """
    raw, wrong = b"", None
    try:
        raw = await read(request)
    except No as no:
        wrong = no
    subject = await believed(desk, request)  # what is wrong with a body is told to nobody who is not
    if wrong is not None:
        raise wrong
    return subject, raw


def guarded(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint whose refusals are answered in the console's words."""

    async def asked(request: Request) -> Response:
        try:
            return await endpoint(request)
        except No as no:
            return fault(no.reason)
        except (LedgerDown, JournalDown, Unrecordable):
            return fault("unavailable")

    return asked
