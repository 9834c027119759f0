"""Telling approvers: notices from the ledger to the policy's webhooks, by whichever gateway comes first. Glue.

- Nothing here is waited for by anything else: each receiver has a task of its own, and few messages at once.
- What is sent was kept in the ledger with what it tells; it goes from there once it was taken, or is given up.
- Of addresses and secrets nothing is ever said, but the variable that should hold them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pydantic_core import PydanticCustomError

from phigate import metrics
from phigate.approval import notices
from phigate.capture.approvals import notice_record
from phigate.journal.chain import Unrecordable
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown
from phigate.policy.load import PolicyFaults
from phigate.policy.urls import trusted_webhook
from phigate.telling import pace
from phigate.telling.post import new_client, post
from phigate.telling.signatures import headers, keys_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import httpx

    from phigate.house import House
    from phigate.ledger.outbox import Notice, Outbox
    from phigate.ledger.tickets import Review, Ticket
    from phigate.policy.notify import Webhook
    from phigate.policy.schema import Policy
    from phigate.telling.post import Outcome

AT_ONCE: Final = 4
"""Messages to one receiver."""
COUNTED: Final = 10
"""Seconds between two times that it is counted what waits."""
WHILE: float = 60.0
"""Seconds after which readiness says that a receiver takes nothing."""
PARTING: Final = 2.0
"""Seconds that messages have at the end which are under way."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A webhook with what its policy only names."""

    name: str
    url: str = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)
    """What its messages are signed with; none for Slack's."""
    signing: str | None = field(default=None, repr=False)
    """What a Slack workspace signs with. It is told nothing but answers, each at an address of its own."""


def receivers_of(policy: Policy, path: Path, environ: Mapping[str, str] = os.environ) -> dict[str, Receiver]:
    """The policy's webhooks by name; raises PolicyFaults where what it names is not there or cannot be used."""
    found, faults = _resolved(policy, environ)
    if faults:
        raise PolicyFaults(tuple(f"{path}: {fault}" for fault in faults))
    return found


def lacking(policy: Policy, environ: Mapping[str, str] = os.environ) -> list[str]:
    """What of the environment a gateway with this policy does not start without, in sentences."""
    return _resolved(policy, environ)[1]


def _resolved(policy: Policy, environ: Mapping[str, str]) -> tuple[dict[str, Receiver], list[str]]:
    found, faults = dict[str, Receiver](), list[str]()
    for hook in policy.webhooks:
        try:
            found[hook.name] = Receiver(hook.name, _url(hook, environ), _keys(hook, environ))
        except _Lacking as fault:
            faults.append(f"webhooks[{hook.name}].{fault}")
    for team in policy.approvers_from:
        try:
            signing = _variable("secret", team.secret, environ)
            found[answers_to(team.slack)] = Receiver(answers_to(team.slack), "", (), signing)
        except _Lacking as fault:
            faults.append(f"approvers_from[{team.slack}].{fault}")
    return found, faults


class _Lacking(Exception):  # noqa: N818 -- the operator's fault, told in the operator's words
    """What is wrong with a variable."""


def answers_to(team: str) -> str:
    """As what the people of a Slack workspace receive answers; no webhook is called so."""
    return f"slack:{team}"


def _variable(key: str, named: str, environ: Mapping[str, str]) -> str:
    name = named.removeprefix("env:")
    if not (value := environ.get(name, "").strip()):
        raise _Lacking(f"{key}: the environment variable `{name}` is not set")
    return value


def _url(hook: Webhook, environ: Mapping[str, str]) -> str:
    if not hook.url.startswith("env:"):
        return hook.url
    url = _variable("url", hook.url, environ)
    try:
        trusted_webhook(url)
    except PydanticCustomError as fault:
        raise _Lacking(f"url: what `{hook.url.removeprefix('env:')}` holds {fault.message()}") from None
    return url


def _keys(hook: Webhook, environ: Mapping[str, str]) -> tuple[bytes, ...]:
    if hook.secret is None:
        return ()
    text = _variable("secret", hook.secret, environ)
    try:
        return keys_of(text)
    except ValueError as fault:
        raise _Lacking(f"secret: what `{hook.secret.removeprefix('env:')}` holds {fault}") from None


class Webhooks:
    """What sends, once a second, whatever is due."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._client: httpx.AsyncClient | None = None
        self._looking: asyncio.Task[None] | None = None
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._failing: dict[str, tuple[float, str]] = {}
        """Since when a receiver took nothing, and why not."""
        self._counted = float("-inf")
        house.agreement.tell = self.tell
        house.ticks.append(self.tick)
        house.remarks.append(self.remarks)
        house.partings.append(self.leave)

    def tell(self, event: str, about: Ticket | Review, now: float) -> Iterable[Notice]:
        """What is to be kept with an event, by the policy in force."""
        return notices.of(self._house.policy, self._house.addresses.console, event, about, now)

    def tick(self) -> None:
        """Begin to send what is due."""
        house, ledger = self._house, self._house.agreement.ledger
        if house.receivers and ledger is not None and not house.leaving and _over(self._looking):
            self._looking = asyncio.get_running_loop().create_task(self._look(ledger.outbox))

    async def _look(self, outbox: Outbox) -> None:
        with contextlib.suppress(LedgerDown):  # it is asked again in a second
            for name in await outbox.due(time.time()):
                if name in self._house.receivers and _over(self._sending.get(name)):
                    self._sending[name] = asyncio.get_running_loop().create_task(self._send(outbox, name))
            if time.monotonic() - self._counted >= COUNTED:
                self._counted = time.monotonic()
                waiting = await outbox.waiting()
                for name in self._house.receivers:
                    metrics.WEBHOOKS_WAITING.labels(name).set(waiting.get(name, 0))

    async def _send(self, outbox: Outbox, name: str) -> None:
        """Send what is due for one receiver, until nothing is or it does not take something."""
        with contextlib.suppress(LedgerDown):
            while not self._house.leaving and (receiver := self._house.receivers.get(name)):
                claimed = await outbox.claim(name, time.time(), AT_ONCE)
                took = await asyncio.gather(*(self._one(outbox, receiver, each) for each in claimed))
                if not took or not all(took):
                    return

    async def _one(self, outbox: Outbox, receiver: Receiver, notice: Notice) -> bool:
        now, body = time.time(), notice.body.encode()
        signed = headers(receiver.keys, notice.id, int(now), body) if receiver.keys else {}
        try:
            outcome = await post(self._of(), notice.to or receiver.url, body, signed)
        except asyncio.CancelledError:
            with contextlib.suppress(LedgerDown):  # else it is sent once the claim is over
                await outbox.again(notice, now)
            raise
        await self._came(outbox, receiver.name, notice, outcome)
        return outcome.fault is None

    async def _came(self, outbox: Outbox, name: str, notice: Notice, outcome: Outcome) -> None:
        now = time.time()
        if outcome.fault is None:
            self._failing.pop(name, None)
            self._note(notice, "sent", None)
            await outbox.drop(notice)
            return
        self._failing[name] = (self._failing.get(name, (time.monotonic(), ""))[0], outcome.fault)
        within = pace.ANSWERS if notice.to else pace.GIVE_UP
        chance = random.random()  # noqa: S311 -- no secret
        due = pace.again(notice.created, notice.tries, now, chance, outcome.wait, within)
        if due is None:
            self._note(notice, "given-up", outcome.fault)
            await outbox.drop(notice)
        else:
            metrics.WEBHOOKS.labels(name, "failed").inc()
            await outbox.again(notice, due)

    def _note(self, notice: Notice, outcome: str, reason: str | None) -> None:
        """Put on record that a receiver was told, or never will be."""
        metrics.WEBHOOKS.labels(notice.hook, outcome).inc()
        with contextlib.suppress(JournalDown, Unrecordable):  # readiness says so
            self._house.journal.append("notice", notice_record(notice, outcome, reason))

    def _of(self) -> httpx.AsyncClient:
        self._client = self._client or new_client()
        return self._client

    def remarks(self) -> Mapping[str, str]:
        """Which receivers take nothing, for how long and why."""
        return dict(self._remarks(time.monotonic()))

    def _remarks(self, now: float) -> Iterator[tuple[str, str]]:
        for name, (since, why) in self._failing.items():
            if name in self._house.receivers and now - since >= WHILE:
                yield f"webhook {name}", f"has taken nothing for {int((now - since) // 60)} minutes ({why})"

    async def leave(self) -> None:
        """Let what is under way finish, for a moment; the rest is another gateway's, or of the next start."""
        tasks = [task for task in (self._looking, *self._sending.values()) if not _over(task) and task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=PARTING)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()


def _over(task: asyncio.Task[None] | None) -> bool:
    return task is None or task.done()
