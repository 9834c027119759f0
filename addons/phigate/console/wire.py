"""[I/O] The console's connections: uvicorn's HTTP/1.1, bounded in number, in time and in what it takes of the loop.

- Whatever arrives waits for its turn (`fair.Turns`), pipelined requests too; work on it is measured, step by step.
- A connection counts until its work is over, also where its client is gone before that.
- A head, a body and an answer each have their SECONDS; whoever is silent, or reads nothing, is cut off, and makes room
  before that for others of its address.
- Lines end in CR LF and are not folded (RFC 9112, 2.2 and 5.2 permit that), and a path is written in one way: what a
  proxy in front lets by, or keeps out, is what is asked.
- A body has a length: chunks of one byte each would keep the loop for a second at a time (RFC 9112, 6.3 permits it).
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
import types
from typing import TYPE_CHECKING, Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from phigate.console.fair import Places, Turns, group_of
from phigate.identity.strict import MAX_BEARER

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

HEAD: Final = MAX_BEARER + 16 * 1024
"""Bytes."""
SECONDS: Final = {h11.IDLE: 10.0, h11.SEND_BODY: 15.0}
"""By what the client still has to send; the endpoints themselves wait less long for a body, and say so."""
ANSWER: Final = 30.0
"""Seconds for the answer to be made and read."""
HURRY: Final = 1.0
"""Seconds after which a client that sends a little and again a little keeps the console waiting, too."""

_VERSIONS: Final = {b"1.0", b"1.1"}
_TARGET: Final = re.compile(rb"/[\w.~/-]*(?:\?.*)?")
"""A path without escapes: the routes would be found by what they stand for, with a line's end behind it, too."""
_LINES: Final = re.compile(rb"(?<!\r)\n|\n[ \t]")


class Share:
    """What the connections of one console have in common; used in one event loop."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self.places: Places[Wire] = Places(lambda each: each.late(self.now()))
        self.turns = Turns(clock)
        self._timer: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """Seconds that only grow."""
        return self._clock()

    def ask(self, address: str, go: Callable[[], None]) -> None:
        """Let something be done in its turn, which may be now."""
        self.turns.ask(address, go)
        if self._timer is None:
            self._give()

    def _give(self) -> None:
        self._timer = None
        go, start = self.turns.next(), self._clock()
        try:
            if go is not None:
                go()
        finally:
            if go is not None:
                self.turns.charge(self._clock() - start)
            if self.turns and self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(self.turns.rest(), self._give)

    @types.coroutine
    def measured(self, work: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
        """Do some work, charged for the time that it keeps the loop, not for the time that it waits."""
        thrown: BaseException | None = None
        while True:
            start = self._clock()
            try:
                awaited = work.send(None) if thrown is None else work.throw(thrown)
            except StopIteration:
                return
            finally:
                self.turns.charge(self._clock() - start)
            thrown = None
            try:
                yield awaited
            except BaseException as error:  # noqa: BLE001 -- the work's own: it is thrown where it waits
                thrown = error


class _Strict(h11.Connection):
    """h11, but for what another server on the way may read otherwise."""

    def next_event(self) -> Any:
        before = self.trailing_data[0] if self.their_state is h11.IDLE else b""
        event = super().next_event()
        if isinstance(event, h11.Request):
            head = before[: len(before) - len(self.trailing_data[0])]
            fault = _fault(event, head)
            if fault is not None:
                raise h11.RemoteProtocolError(fault)
        return event


def _fault(request: h11.Request, head: bytes) -> str | None:
    if request.http_version not in _VERSIONS:
        return "another version"
    if not _TARGET.fullmatch(request.target):
        return "an address of nothing here"
    if _LINES.search(head):
        return "lines that do not end as lines do"
    if any(name == b"transfer-encoding" for name, _ in request.headers):
        return "a body without a length"
    return None


class Wire(H11Protocol):
    """One connection."""

    def __init__(self, share: Share, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self.conn = _Strict(h11.SERVER, HEAD)
        self._share, self._answer = share, self.app
        self.app = self._measured
        self._address = ""
        self._held = bytearray()
        self._working = self._gone = False
        self._state: object = None
        self._since = 0.0
        self._deadline: asyncio.TimerHandle | None = None

    # -- one connection among others --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        wire = transport.get_extra_info("socket")
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio does not for a socket that it is given
        self._address = group_of(self.client[0] if self.client else "")
        leaves = self._share.places.enter(self._address, self)
        if leaves is not None:
            leaves.transport.abort()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._gone = True
        if self._deadline is not None:
            self._deadline.cancel()
        self._leave()

    async def _measured(self, scope: Any, receive: Any, send: Any) -> None:
        self._working = True
        try:
            await self._share.measured(self._answer(scope, receive, send))
        finally:
            self._working = False
            self._leave()

    def _leave(self) -> None:
        if self._gone and not self._working:
            self._share.places.leave(self._address, self)

    # -- its turns --------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()  # it is no longer idle, though nobody has looked yet
        self.flow.pause_reading()
        waits = bool(self._held)
        self._held += data
        if not waits:
            self._share.ask(self._address, self._take)

    def _take(self) -> None:
        data, self._held = bytes(self._held), bytearray()
        if not self.transport.is_closing():
            self.flow.resume_reading()
            super().data_received(data)
            self._watch()

    def on_response_complete(self) -> None:
        if self.conn.trailing_data[0]:  # pipelined
            self._share.ask(self._address, self._go_on)
        else:
            self._go_on()

    def _go_on(self) -> None:
        super().on_response_complete()
        self._watch()

    # -- its time ---------------------------------------------------------------------------------------------------

    def late(self, now: float) -> float | None:
        """Seconds that the client has kept the console waiting; None where it has not."""
        waited = now - self._since
        return None if self._state not in SECONDS or (self._held and waited < HURRY) else waited

    def _watch(self) -> None:
        """Start the time for what is waited for now, where that is something else than before."""
        state = self.conn.their_state
        if state is self._state or self._gone:
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._state, self._since = state, self._share.now()
        self._deadline = self.loop.call_later(SECONDS.get(state, ANSWER), self.transport.abort)
