"""Between mitmproxy's flow and our Exchange: what is withheld, what is released, and how that is told apart.

Only what carries a mark passes: a request that Release let go, an answer that Release put back, a refusal built
here. A mark names the very object and bytes it was given for and is spent when it is read, so that nothing that was
changed, replaced or repeated afterwards can borrow it. The Sentinel reads the marks; nobody else needs to.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from mitmproxy import http
from mitmproxy.net.http import status_codes

from phigate.dialect import openai
from phigate.dialect.codecs import JSON
from phigate.dialect.known import dialect_of
from phigate.exchange import Exchange, Refusal
from phigate.gate import headers, replies

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from phigate.capture.record import Fields, Outcome
    from phigate.dialect.codecs import Codec
    from phigate.dialect.routes import Match, Route


type Broke = Literal["unresolved", "unreachable", "slow-connect", "tls", "silent", "broke-off", "late", "unreadable"]
"""How a model server failed an exchange; a label of metrics."""


@dataclass(slots=True)
class Message:
    """One message of a WebSocket on its way through the rooms."""

    from_client: bool
    is_text: bool
    raw: bytes
    """As it came, withheld."""
    said: Any = None
    """access.messages: what of it was read, where the caller said it."""
    onward: list[bytes] | None = None
    """The messages that may go on in its place, once Masking made them."""
    shown: Any = None
    """What of it bystanders see."""
    found: Counter[str] = field(default_factory=Counter)
    identifiers: set[str] = field(default_factory=set)
    """Keyed HMACs of what was found in what the caller says."""
    revealed: set[str] = field(default_factory=set)
    """Those of them that the model gets as they were."""
    recorded: bool = False
    refusal: Refusal | None = None
    """Why it does not go on, and the connection ends."""
    outcome: Outcome = "denied"
    """How an exchange ended that such a refusal ends."""


@dataclass(frozen=True, slots=True)
class Going:
    """What goes out instead of a message: to the other side, to the caller, and whether it is the last."""

    onward: tuple[bytes, ...] = ()
    caller: tuple[bytes, ...] = ()
    code: int | None = None
    """The code that the connection is closed with (RFC 6455, 7.4)."""
    reason: str = ""


@dataclass(slots=True)
class Passage:
    """What the gate knows of one flow beside its Exchange."""

    exchange: Exchange
    fields: dict[bytes, bytes]
    """The request's header fields as received, by lower-case name (two are refused where two matter)."""
    match: Match | None = None
    """The routes that the request's path may mean."""
    route: Route | None = None
    head_fault: tuple[int, str] | None = None
    """What is wrong with the request's head, told only to those who showed a bearer that is believed."""
    closing: bool = False
    """The caller wants no further exchange on its connection (RFC 9112, 9.6)."""
    plan: str | None = None
    """How the upstream's answer is read: `whole`, `stream`, `error`; None until `responseheaders` settled it."""
    upstream_status: int = 0
    target: Any = None
    """policy.targets: the model that the request means."""
    believed_by: Any = None
    """The policy by which the bearer was believed last."""
    decided_by: Any = None
    """The policy that was asked last."""
    target_url: tuple[bytes, str, int] | None = None
    """(scheme, host, port) of the policy's model; None is mitmproxy's reverse target."""
    credential: str | None = None
    onward_body: bytes = b""
    """The request's body as it goes on: the checked tree, serialised anew."""
    onward_head: list[tuple[bytes, bytes]] = field(default_factory=list)
    """The fields that tell of that body."""
    answer_codec: Codec = JSON
    """How the upstream's whole answer is read."""
    answer_fields: dict[bytes, bytes] = field(default_factory=dict)
    """The upstream's header fields, by lower-case name; none of them goes out but those that a dialect passes."""
    raw: bytes = b""
    """The upstream's body, withheld."""
    original: bytes = field(default=b"", repr=False)
    """What the upstream answered, or the end of it, decoded: for whoever seals it, and nobody else."""
    status: int = 200
    answer_head: list[tuple[bytes, bytes]] = field(default_factory=lambda: [(b"content-type", b"application/json")])
    answer: bytes | None = None
    """What may be released in its place, once Masking made it."""
    reasons: Any = None
    """What the caller stated with the request: policy.decide's PromptFacts."""
    content: tuple[bool, bool] = (False, True)
    """Whether all of the request can be read, and whether it decides what the model writes."""
    model_shown: str | None = None
    prompt_shown: Any = None
    """The request body masked for bystanders (records, shadows)."""
    answer_shown: Any = None
    parts: int = 0
    """Records that hold pieces of the answer already."""
    stream: Any = None
    """The guarded stream callable, where the answer is streamed."""
    contacted_at: float = 0.0
    first_at: float = 0.0
    answered_at: float = 0.0
    outcome: Outcome = "complete"
    broke: Broke | None = None
    protocols: list[str] = field(default_factory=list)
    """The subprotocols that the caller of a WebSocket names (RFC 6455, 1.9)."""
    upgrade_key: bytes = b""
    """What the upstream of a WebSocket has to answer to."""
    talking: Any = None
    """masking.conversation: both sides of a WebSocket, once it is open."""
    told: Any = None
    """access.messages: what the caller said on it so far."""
    message: Message | None = None
    """The message that is on its way."""
    going: tuple[object, Going] | None = None
    handed: Going | None = None
    opened: bool = False
    """Messages go to and fro."""
    ending: bool = False
    """The record of the answer is being written."""
    records: dict[str, Fields] = field(default_factory=dict)
    """The fields of the records `request` and `response`, once they are written."""
    shadow: http.HTTPFlow | None = None
    onward: tuple[object, ...] | None = None
    released: tuple[object, ...] | None = None


_passages: MutableMapping[http.HTTPFlow, Passage] = WeakKeyDictionary()


def enter(flow: http.HTTPFlow) -> Passage:
    """Start an Exchange for a flow whose request headers were just read."""
    peer = flow.client_conn.peername
    fields = {name.lower(): value for name, value in flow.request.data.headers.fields}
    exchange = Exchange(
        id=f"ex-{secrets.token_hex(12)}",
        started=time.monotonic(),
        client_ip=peer[0] if peer else "",
        agent=fields.get(b"user-agent", b"")[:200].decode("utf-8", "replace"),
        method=headers.shown(flow.request.data.method),
        path=flow.request.data.path.decode("ascii", "replace"),
    )
    passage = Passage(exchange, fields, closing=b"close" in fields.get(b"connection", b"").lower())
    _passages[flow] = passage
    return passage


def enter_again(flow: http.HTTPFlow, passage: Passage) -> Passage:
    """Begin anew with a request that nobody answered, as if it had just been read; who asked stays known."""
    was = passage.exchange
    kept = {name: getattr(was, name) for name in ("id", "started", "client_ip", "agent", "method", "path", "session")}
    fields = {name.lower(): value for name, value in flow.request.data.headers.fields}
    exchange = Exchange(**kept, subject=was.subject, ticket=was.ticket)
    fresh = _passages[flow] = Passage(exchange, fields, closing=passage.closing, shadow=passage.shadow)
    withhold(flow, fresh)
    return fresh


def passage_of(flow: http.HTTPFlow) -> Passage | None:
    return _passages.get(flow)


def refuse(flow: http.HTTPFlow, passage: Passage, refusal: Refusal) -> None:
    """Put our own answer in place of whatever the flow would answer, and mark it; the first refusal stays."""
    exchange = passage.exchange
    if exchange.refusal is None:
        exchange.refusal = refusal
    flow.response = response = refusal_answer(flow, passage, exchange.refusal)
    release_answer(passage, response)
    passage.onward = None


def refusal_answer(flow: http.HTTPFlow, passage: Passage, refused: Refusal) -> http.Response:
    """A refusal in the words of the caller's protocol."""
    exchange = passage.exchange
    if passage.fields.get(b"content-type", b"").startswith(b"application/grpc"):
        response = answer(200, replies.grpc_headers(exchange, refused), None)
    else:
        content = refused.content or dialect_of(exchange.dialect).error(
            refused.status, refused.reason, refused.message, dict(refused.extra)
        )
        if flow.request.data.method == b"HEAD":  # its answer has no body (RFC 9110, 9.3.2)
            content = b""
        response = answer(refused.status, replies.refusal_headers(exchange, refused), content)
    _close_if_asked(passage, response)
    return response


def withhold(flow: http.HTTPFlow, passage: Passage) -> None:
    """Put the unmarked refusal in place: what stands there if nobody comes to say yes."""
    flow.response = NOT_YET
    passage.released = None


def answer(status: int, fields: list[tuple[bytes, bytes]], content: bytes | None) -> http.Response:
    """An answer of our own making: the given headers and nothing else."""
    now = time.time()
    if content is not None and status != 204:  # which has no length (RFC 9110, 8.6)
        fields = [*fields, (b"content-length", b"%d" % len(content))]
    reason = status_codes.RESPONSES.get(status, "").encode()
    return http.Response(b"HTTP/1.1", status, reason, http.Headers(fields), content, None, now, now)


NOT_YET = answer(503, [(b"content-type", b"application/json")], openai.error_body(503, *replies.NOT_DECIDED))
"""What stands in a flow's answer until somebody releases one. All flows share it: it carries no mark, so no client
gets it while the Sentinel stands, and nothing of a flow is ever put into it."""


def release_request(flow: http.HTTPFlow, passage: Passage) -> None:
    """Let the request go: clear the refusal that stands in its answer's place and mark these very bytes."""
    flow.response = None
    passage.onward = _request_mark(flow)


def release_answer(passage: Passage, response: http.Response) -> None:
    """Mark an answer as the one that may go out, closing the connection where the caller asked for that."""
    response.trailers = None  # an upstream's, on a stream
    _close_if_asked(passage, response)
    passage.released = (response, *_answer_mark(response))


def _close_if_asked(passage: Passage, response: http.Response) -> None:
    if passage.closing:  # the request's own header is gone: mitmproxy reads it only from here
        response.headers["connection"] = "close"


def may_go(flow: http.HTTPFlow) -> bool:
    """Whether this request carries Release's mark; reading it spends it."""
    passage = passage_of(flow)
    if passage is None or passage.onward is None:
        return False
    mark, passage.onward = passage.onward, None
    return mark == _request_mark(flow)


def may_answer(flow: http.HTTPFlow) -> bool:
    """Whether the answer that stands in the flow is the one that was marked; reading it spends it."""
    passage = passage_of(flow)
    if passage is None or passage.released is None or flow.response is None:
        return False
    mark, passage.released = passage.released, None
    return _names(mark, flow.response)


def may_open(flow: http.HTTPFlow) -> bool:
    """Whether messages may go to and fro: somebody masks them, and nobody refused."""
    passage = passage_of(flow)
    return (
        passage is not None
        and flow.websocket is not None
        and passage.plan == "upgrade"
        and passage.talking is not None
        and passage.exchange.refusal is None
    )


def open_(flow: http.HTTPFlow) -> None:
    if passage := passage_of(flow):
        passage.opened = True


def is_open(flow: http.HTTPFlow) -> bool:
    """Whether messages go to and fro."""
    passage = passage_of(flow)
    return passage is not None and passage.opened and flow.websocket is not None and not flow.websocket.timestamp_end


def release_message(flow: http.HTTPFlow, passage: Passage, going: Going) -> None:
    """Mark what goes out instead of the message that came last."""
    passage.going = (_last_message(flow), going)


def may_say(flow: http.HTTPFlow) -> Going | None:
    """What Release marked for the message that came last; reading it spends it."""
    passage = passage_of(flow)
    if passage is None or passage.going is None:
        return None
    (message, going), passage.going = passage.going, None
    return going if passage.opened and message is _last_message(flow) else None


def hand_over(flow: http.HTTPFlow, going: Going | None) -> None:
    """Give whoever holds the connection what goes out for the message at hand; None is the end of it."""
    if passage := passage_of(flow):
        passage.handed = going


def handed(flow: http.HTTPFlow) -> Going | None:
    """What was handed over; once."""
    passage = passage_of(flow)
    if passage is None:
        return None
    going, passage.handed = passage.handed, None
    return going


def _last_message(flow: http.HTTPFlow) -> object:
    messages = flow.websocket.messages if flow.websocket else []
    if not messages:
        raise ValueError("no message")
    return messages[-1]


def is_marked(flow: http.HTTPFlow) -> bool:
    """Whether the answer in the flow is marked; the mark stays."""
    passage = passage_of(flow)
    if passage is None or passage.released is None or flow.response is None:
        return False
    return _names(passage.released, flow.response)


def is_guarded(flow: http.HTTPFlow) -> bool:
    """Whether the answer streams through the callable that Masking made for this flow."""
    passage = passage_of(flow)
    guard = passage.stream if passage else None
    return guard is not None and flow.response is not None and flow.response.stream is guard


def is_our_answer(flow: http.HTTPFlow, passage: Passage) -> bool:
    """Whether what stands in the flow is our own refusal (its mark is left unspent)."""
    return (
        passage.released is not None and passage.released[0] is flow.response and passage.exchange.refusal is not None
    )


def _request_mark(flow: http.HTTPFlow) -> tuple[object, ...]:
    data = flow.request.data
    where = (data.method, data.path, data.host, data.port, data.scheme, data.authority, data.http_version)
    return (*where, data.headers.fields, data.content, data.trailers)


def _answer_mark(response: http.Response) -> tuple[object, ...]:
    data = response.data
    return (data.status_code, data.reason, data.http_version, data.headers.fields, data.trailers, data.content)


def _names(mark: tuple[object, ...], response: http.Response) -> bool:
    """Whether a mark was given for this very object, as it is."""
    return mark[0] is response and mark[1:] == _answer_mark(response)
