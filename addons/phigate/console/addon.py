"""The people's side, on its own port: glue between the house and the console's HTTP application.

uvicorn runs in mitmproxy's own event loop. Its socket is bound before any port of the proxy is, so that a console
that cannot be had stops the start. What it may take of the loop is bounded (`wire.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from mitmproxy import ctx
from mitmproxy.log import ALERT

from phigate import metrics
from phigate.console import deployments, slack, tickets
from phigate.console.app import build
from phigate.console.commands import Commands, policy_in_force
from phigate.console.desk import Desk
from phigate.console.page import routes as page
from phigate.console.provider import Provider
from phigate.console.tokens import routes
from phigate.console.wire import HEAD, Share, Wire
from phigate.starting import StartFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mitmproxy.addonmanager import Loader

    from phigate.house import House

logger = logging.getLogger(__name__)

ACCEPTED: Final = 16
"""Connections that are taken in one turn of the loop."""
QUEUE: Final = 1024
"""Connections that the system keeps until they are taken; where it has no room a probe tries again after a second."""
KEEP_ALIVE: Final = 5
"""Seconds."""
CLOSED: Final = "the gateway is not open"


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets or ():
            each.listen(QUEUE)  # asyncio has one number for both

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to mitmproxy."""
        yield


class Console:
    def __init__(self, house: House) -> None:
        self.house = house
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._commands: Commands | None = None
        house.openers.append(self.bind)

    def bind(self) -> None:
        """Take the console's port; raises StartFault where it cannot be had."""
        here = self.house.addresses
        desk = Desk(self.house, here.url or "", here.console or "", self.house.count_refused)
        self._commands = Commands(desk, partial(logger.log, ALERT))  # which mitmproxy shows wherever one looks
        if not ctx.options.phi_console:
            return
        host, _, port = ctx.options.phi_console.rpartition(":")
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host.strip("[]"), _number(port)), family=family)
        except (OSError, ValueError):
            raise StartFault(f"option `phi_console`: cannot listen on `{ctx.options.phi_console}`") from None
        app = build(self.checks, self.remarks)
        if here.url and here.console:
            app.include_router(routes(desk))
            app.include_router(tickets.routes(desk))
            app.include_router(deployments.routes(desk))
            app.include_router(slack.routes(desk))
            provider = Provider()
            self.house.partings.append(provider.close)
            app.include_router(page.routes(desk, provider))
        wire: Any = partial(Wire, Share())  # uvicorn calls it as it would the class
        config = uvicorn.Config(
            app,
            http=wire,
            backlog=ACCEPTED,
            timeout_keep_alive=KEEP_ALIVE,
            h11_max_incomplete_event_size=HEAD,
            log_config=None,
            log_level="error",  # else whoever sends something malformed writes a line for it
            access_log=False,
            lifespan="off",
            server_header=False,
            ws="none",
            proxy_headers=False,  # else whoever is on this machine writes what they like into the records as an address
        )
        self._server = _Server(config)

    async def running(self) -> None:
        if self._server is not None:
            self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))

    def checks(self) -> dict[str, bool]:
        house, agreement = self.house, self.house.agreement
        metrics.UNDER_WAY.set(len(house.under_way))
        metrics.CLOCK_AHEAD.set(math.nan if agreement.clock.apart is None else agreement.clock.apart)
        if hasattr(house, "journal"):
            metrics.JOURNAL_FREE.set(house.journal.free or 0)
            metrics.JOURNAL_FAULTS.set(house.journal.faults)
        return {
            "gateway": house.ready and not (house.announced or house.leaving),
            "policy": hasattr(house, "policy"),
            "journal": hasattr(house, "journal") and house.journal.healthy and house.journal.space != "scarce",
            "ledger": agreement.ledger is not None and agreement.follow.current,
            "keys": hasattr(house, "verifier") and house.verifier.ready,
            "clock": not agreement.clock.astray,
        }

    def remarks(self) -> dict[str, str]:
        return {name: text for each in self.house.remarks for name, text in each().items()}

    # -- for people in mitmproxy and mitmweb ------------------------------------------------------------------------

    def load(self, loader: Loader) -> None:
        for name, function in (
            ("phi.tickets", self.phi_tickets),
            ("phi.approve", self.phi_approve),
            ("phi.reject", self.phi_reject),
            ("phi.policy", self.phi_policy),
        ):
            loader.add_command(name, function)

    def phi_tickets(self) -> str:
        """List the tickets that wait for an answer in the event log."""
        return self._commands.tickets() if self._commands else CLOSED

    def phi_approve(self, ticket: str, code: str) -> str:
        """Say yes to a ticket with the one-time code that the console gave you for it."""
        return self._commands.answer(ticket, code, "approve") if self._commands else CLOSED

    def phi_reject(self, ticket: str, code: str) -> str:
        """Say no to a ticket with the one-time code that the console gave you for it."""
        return self._commands.answer(ticket, code, "reject") if self._commands else CLOSED

    def phi_policy(self) -> str:
        """Say which policy decides, and since when."""
        house = self.house
        if not hasattr(house, "policy"):
            return CLOSED
        return policy_in_force(house.policy, ctx.options.phi_policy, house.policy_since)

    def done(self) -> None:
        if self._server is not None:
            self._server.should_exit = True


def _number(port: str) -> int:
    """A port's number; raises ValueError for any other, which the socket module would do only after opening one."""
    number = int(port)
    if not 0 <= number <= 65535:
        raise ValueError("no port")
    return number
