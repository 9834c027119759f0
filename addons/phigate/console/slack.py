"""Yes and no from Slack: buttons that were pressed there, over HTTP at the console's port.

- Slack's signature proves that Slack says so, now and once; who pressed, and what groups they have, the policy says.
  Its secret is the workspace's own, and what is said must be of that workspace.
- What comes of it is `phigate.answering`, as anywhere. Whose bearers were taken back answers nothing.
- Slack is answered at once, and told later, through the ledger, what to show: an answer to a button has no other place.
- Nothing that came is in any answer.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import parse_qsl, urlsplit

import orjson
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from phigate import answering
from phigate.answering import Answering, Caller
from phigate.approval import blocks
from phigate.approval.refusals import No
from phigate.console.said import PATIENCE, SAID, fault, ip_of
from phigate.exchange import Subject
from phigate.journal.chain import Unrecordable
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown
from phigate.ledger.outbox import Notice, id_of
from phigate.telling.signatures import TOLERANCE, from_slack
from phigate.webhooks import answers_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from phigate.answering import Verdict
    from phigate.ledger.tickets import Ticket
    from phigate.policy.notify import SlackTeam

MOST: Final = 128 * 1024
"""Bytes: Slack sends back the message whose button was pressed."""
LASTS: Final = 60.0
"""Seconds that whoever pressed is who they are."""
REPLIES: frozenset[str] = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
"""Where Slack takes what is said back."""
_FORM: Final = re.compile(r"application/x-www-form-urlencoded(?: *; *charset=(?:utf-8|\"utf-8\"))?", re.IGNORECASE)
_VERDICTS: Final[Mapping[str, Verdict]] = {blocks.APPROVE: "approve", blocks.REJECT: "reject"}
_NOBODY: Final = "You are not among those who may answer from here; the policy of the gateway names them."


class Desk(answering.Desk, Protocol):
    """What this asks of the house beside that; `spend`, `out` and `put` raise LedgerDown."""

    async def spend(self, kind: str, key: str, expires: float, now: float) -> bool: ...
    def out(self, subject: Subject) -> bool: ...
    def signing(self, team: str) -> str | None: ...
    async def put(self, notices: Iterable[Notice]) -> None: ...
    def refused(self, client_ip: str, reason: str) -> None: ...


def routes(desk: Desk) -> APIRouter:
    """The one endpoint, which Slack calls."""
    router, here = APIRouter(), _Endpoint(desk)
    router.add_api_route("/slack/actions", here.pressed, methods=["POST"], include_in_schema=False, response_model=None)
    return router


@dataclass(frozen=True, slots=True)
class _Pressed:
    """Who pressed which button of which ticket, as Slack says it."""

    member: str = field(repr=False)
    action: str
    ticket: str
    reply: str | None = field(repr=False)
    """Where to say what came of it."""


class _Endpoint:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._answering = Answering(desk)

    async def pressed(self, request: Request) -> Response:
        """Take what was pressed; 200 without a body where it is Slack's own, whatever comes of it."""
        desk, now = self._desk, self._desk.now()
        try:
            raw = await _read(request)
            team, signature = await self._signed(request, raw, now)
            pressed = _pressed(raw, team.slack)
            if pressed is not None:
                said = await self._came(request, team, pressed, now)
                await desk.put(_reply(team, pressed, signature, said, now))
        except No as no:
            if no.reason == "signature-refused":
                desk.refused(ip_of(request), no.reason)
            return fault(no.reason)
        except (LedgerDown, JournalDown, Unrecordable):
            return fault("unavailable")
        return Response(status_code=200, headers={"cache-control": "no-store"})

    async def _signed(self, request: Request, raw: bytes, now: float) -> tuple[SlackTeam, str]:
        """The workspace that says so, and its signature, which is good for once; raises No."""
        stamps, signatures = (request.headers.getlist(f"x-slack-{name}") for name in ("request-timestamp", "signature"))
        if len(stamps) == len(signatures) == 1:
            for team in self._desk.policy.approvers_from:
                secret = self._desk.signing(team.slack)
                if secret and from_slack(secret, stamps[0], signatures[0], raw, now):
                    if await self._desk.spend("slack", signatures[0], now + 2 * TOLERANCE, now):
                        return team, signatures[0]
                    break
        raise No("signature-refused")

    async def _came(self, request: Request, team: SlackTeam, pressed: _Pressed, now: float) -> dict[str, Any]:
        """Answer the ticket; what is shown of that."""
        person = team.people.get(pressed.member)
        if person is None:
            self._desk.refused(ip_of(request), "slack-member-unknown")
            return blocks.reply(_NOBODY)
        roles = self._desk.policy.roles_of(person.groups)
        # Nothing was issued: whatever was taken back of this person counts, whenever that was.
        subject = Subject(person.issuer, person.id, person.groups, roles, now + LASTS, issued=0.0)
        if self._desk.out(subject):
            self._desk.refused(ip_of(request), "revoked")
            return blocks.reply(_NOBODY)
        try:
            caller = Caller(subject, ip_of(request), "slack")
            ticket = await self._answering.answer(pressed.ticket, caller, _VERDICTS[pressed.action], "")
        except No as no:
            return blocks.reply(SAID[no.reason][1])
        return _shown(ticket, person.id, now)


def _shown(ticket: Ticket, who: str, now: float) -> dict[str, Any]:
    """In place of the message once it is over; while others are needed the buttons stay for them."""
    state = ticket.stands(now)
    if state == "pending":
        given = len(ticket.agreed)
        return blocks.reply(f"Your yes to {ticket.id} counts: {given} of {max(ticket.approvals, given + 1)}.")
    return blocks.reply(f"{ticket.id} was {state} by {who}.", everybody=True)


def _reply(team: SlackTeam, pressed: _Pressed, signature: str, said: Mapping[str, Any], now: float) -> list[Notice]:
    if pressed.reply is None:
        return []
    id_ = id_of("slack.reply", signature)
    body = json.dumps(said, separators=(",", ":"))
    return [Notice(id_, answers_to(team.slack), "slack.reply", body, now, to=pressed.reply)]


def _pressed(raw: bytes, team: str) -> _Pressed | None:
    """What was pressed; None where it is nothing of ours, such as a link. Raises No."""
    try:
        fields = parse_qsl(raw.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=8)
        (text,) = (value for name, value in fields if name == "payload")
        said = orjson.loads(text)
        if said["type"] != "block_actions":
            return None
        (action,) = said["actions"]
        if said["team"]["id"] != team or said["user"].get("team_id", team) != team:
            raise No("signature-refused")
        if action["action_id"] not in _VERDICTS:
            return None
        words = said["user"]["id"], action["action_id"], action["value"]
        reply = said.get("response_url")
    except (ValueError, KeyError, TypeError, AttributeError):  # whatever shape it has instead
        raise No("malformed") from None
    if not all(isinstance(word, str) for word in words):
        raise No("malformed")
    return _Pressed(*words, reply if isinstance(reply, str) and _slacks(reply) else None)


def _slacks(url: str) -> bool:
    """Whether an address is one of Slack's own: nobody else is told anything there."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and parts.netloc in REPLIES and url.isascii() and url.isprintable()
    except ValueError:
        return False


async def _read(request: Request) -> bytes:
    """A form, as it came: it is signed byte for byte. Raises No."""
    raw = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for piece in request.stream():
                raw += piece
                if len(raw) > MOST:
                    raise No("malformed")
    except (TimeoutError, ClientDisconnect):
        raise No("malformed") from None
    types = request.headers.getlist("content-type")
    plain = len(types) == 1 and _FORM.fullmatch(types[0]) and "content-encoding" not in request.headers
    if request.url.query or not plain:
        raise No("malformed")
    return bytes(raw)
