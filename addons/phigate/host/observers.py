"""Who looks on, and what they get: masked shadows in place of flows, at every moment of an exchange.

mitmproxy shows flows to its view (mitmweb, the console), its dumper, `-w` and `hardump` by hooks. All of them leave
the live chain before the first connection; what they show from then on is what `show` hands them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from mitmproxy import http
from mitmproxy.websocket import WebSocketData, WebSocketMessage
from wsproto.frame_protocol import Opcode

from phigate.dialect.known import dialect_of
from phigate.host import kernel
from phigate.host.recordings import drawn
from phigate.host.recordings.recorded import KEY, metadata
from phigate.policy.decide import Hold

if TYPE_CHECKING:
    from mitmproxy.connection import Client
    from mitmproxy.master import Master

    from phigate.flows import Message, Passage

STAY = frozenset(
    {"core", "block", "proxyserver", "scriptloader", "nextlayer", "tlsconfig", "errorcheck", "termlog", "keepserving"}
    | {"webaddon", "webauth", "eventstore", "keymapconfig", "command_history", "dns_resolver"}
)
"""The built-in addons that a reverse proxy needs, or that see no flow. Whatever else is there leaves."""


class Observers:
    """The addons that people look through, out of the chain and fed with shadows."""

    def __init__(self, master: Master) -> None:
        self._master = master
        addons = master.addons
        self._view = addons.get("view")
        self._save = addons.get("save")
        self._savehar = addons.get("savehar")
        self._dumper = addons.get("dumper")
        self._console = addons.get("consoleaddon")
        if self._save is not None and self._save.stream is not None:
            kernel.own(self._save.stream.fo)  # opened before anything of ours was loaded

    def take_out(self) -> None:
        """Remove from the live chain every built-in addon that is not on the list of those that stay.

        They stay registered, so that their commands (over shadows) and options work, but no hook reaches them.
        """
        chain = self._master.addons.chain
        self._master.addons.chain = [addon for addon in chain if _name(addon) in STAY or not _built_in(addon)]

    @property
    def watching(self) -> bool:
        """Whether anybody would see a shadow: making one costs, and most gateways run unwatched."""
        options = self._master.options
        return bool(
            self._view is not None
            or (self._save is not None and self._save.stream)
            or options.hardump
            or (self._dumper is not None and options.flow_detail > 0)
        )

    def show(self, passage: Passage, flow: http.HTTPFlow, *, over: bool = False) -> None:
        """Show the exchange as it stands: new to the view at first, updated afterwards, to files once it is over."""
        if not self.watching:
            return
        first = passage.shadow is None
        shadow = passage.shadow = paint(passage, flow)
        if self._view is not None:
            (self._view.add if first else self._view.update)([shadow])
        if self._console is not None:
            self._console.update([shadow])
        if over:
            self._finish(shadow)

    def hear(self, passage: Passage, message: Message) -> None:
        """Show one message of a WebSocket, masked."""
        shadow = passage.shadow
        if shadow is None or not self.watching or (not message.shown and not message.from_client):
            return
        shadow.websocket = shadow.websocket or WebSocketData()
        said = WebSocketMessage(Opcode.TEXT, message.from_client, drawn.content(message.shown), time.time())
        shadow.websocket.messages.append(said)
        if KEY in shadow.metadata:
            shadow.metadata[KEY]["messages"] += metadata(None, None, [_record(message)], made="live", time=0)[
                "messages"
            ]
        if self._view is not None:
            self._view.update([shadow])

    def _finish(self, shadow: http.HTTPFlow) -> None:
        if self._save is not None:
            self._save.save_flow(shadow)
        if self._savehar is not None:
            self._savehar.response(shadow)
        if self._dumper is not None and self._master.options.flow_detail > 0:
            self._dumper.response(shadow)

    def close(self) -> None:
        """Let them write what they keep until the end: no `done` reaches them in the chain any more."""
        for observer in (self._save, self._savehar):
            if observer is not None:
                observer.done()


def _name(addon: Any) -> str:
    return str(getattr(addon, "name", addon.__class__.__name__.lower()))


def _built_in(addon: Any) -> bool:
    return type(addon).__module__.startswith("mitmproxy.")


def _record(message: Message) -> dict[str, Any]:
    refusal = message.refusal
    return {
        "from": "caller" if message.from_client else "model",
        "refused": (refusal.detail or refusal.reason) if refusal else None,
        "findings": dict(message.found),
        "revealed": sorted(message.revealed) if refusal is None else [],
    }


def paint(passage: Passage, flow: http.HTTPFlow) -> http.HTTPFlow:
    """The masked copy of a flow, painted from masked parts alone: no byte of the original is ever in it."""
    shadow = passage.shadow or http.HTTPFlow(_caller(flow.client_conn), flow.server_conn.copy())
    exchange = passage.exchange
    if passage.shadow is None:
        shadow.request = _request(passage, flow)
        shadow.metadata = {"phi_exchange": exchange.id}
    asked = passage.records.get("request")
    if asked is not None or exchange.subject is None:
        kept = metadata(asked, passage.records.get("response"), made="live", time=flow.request.timestamp_start)
        kept["messages"] = shadow.metadata.get(KEY, kept)["messages"]
        shadow.metadata[KEY] = kept
    refusal = exchange.refusal if passage.talking is None else None  # an open connection has its 101
    if refusal is not None or exchange.finished:
        status = refusal.status if refusal else passage.status
        error = dialect_of(exchange.dialect).error
        content = (
            error(status, refusal.reason, refusal.message, None) if refusal else drawn.content(passage.answer_shown)
        )
        kind = "text/plain" if isinstance(passage.answer_shown, str) and not refusal else "application/json"
        shadow.response = http.Response.make(status, content, {"content-type": kind, "phi-exchange": exchange.id})
    if flow.error is not None:
        shadow.error = type(flow.error)("the exchange was broken off")
    shadow.comment = caption(passage)
    shadow.marked = ":no_entry:" if exchange.refusal else ":white_check_mark:" if exchange.finished else ":hourglass:"
    return shadow


def _caller(client: Client) -> Client:
    """A caller's connection without what its TLS greeting said, which may be any words, and without certificates."""
    shown: Client = client.copy()
    shown.sni, shown.alpn_offers, shown.cipher_list = None, (), ()
    shown.certificate_list, shown.mitmcert, shown.error = (), None, None
    return shown


def _request(passage: Passage, flow: http.HTTPFlow) -> http.Request:
    exchange, data = passage.exchange, flow.request.data
    headers = http.Headers(content_type="application/json", phi_exchange=exchange.id)
    path = (passage.route.path if passage.route else "/(unknown)").encode()
    content = drawn.content(passage.prompt_shown)
    headers["host"] = f"{data.host}:{data.port}"
    return http.Request(
        data.host,
        data.port,
        exchange.method.encode(),  # never a word that nobody knows
        data.scheme,
        b"",
        path,
        b"HTTP/1.1",
        headers,
        content,
        None,
        data.timestamp_start,
        time.time(),
    )


def caption(passage: Passage) -> str:
    """Who, which rule, which decision, what was found: the comment mitmweb shows beside the flow."""
    exchange = passage.exchange
    who = (
        f"{exchange.subject.id} ({', '.join(sorted(exchange.subject.roles)) or 'no role'})"
        if exchange.subject
        else "nobody"
    )
    refusal = exchange.refusal
    decision = exchange.decision
    verb = "hold" if isinstance(decision, Hold) else "permit"  # while it waits
    said = f"{refusal.decision} {refusal.reason}" if refusal else f"{verb} {getattr(decision, 'rule', '')}"
    found = exchange.found_in + exchange.found_out
    counts = ", ".join(f"{entity} {count}" for entity, count in sorted(found.items())) or "nothing found"
    return f"{who} | {said} | {counts}"
