"""Refuse stands first and closes every flow; Release stands last and opens what nobody refused and nothing broke."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import sys
import time
from typing import TYPE_CHECKING

from mitmproxy import ctx

from phigate import flows
from phigate.dialect.codecs import JSON, NOTHING, media_of
from phigate.dialect.known import spoken
from phigate.exchange import Refusal
from phigate.gate import answers, handshake, headers, replies
from phigate.gate.metadata import protected_resource
from phigate.gate.sentinel import Sentinel
from phigate.host import kernel, lockdown, logs, pages, searches, thrift
from phigate.host.addresses import METADATA, AddressFault, addresses
from phigate.host.connections import aside, behind, crashes, framing, lasting, names, remains, sockets, talk, windows
from phigate.host.connections.behind import Behind
from phigate.host.connections.doors import DoorFault, number
from phigate.host.dispatch import Dispatch
from phigate.host.drain import Drain
from phigate.host.observers import Observers
from phigate.host.recordings import offline
from phigate.host.times import TimeFault, seconds
from phigate.options import OPTIONS
from phigate.policy.decide import Permit
from phigate.serving import read_policy
from phigate.starting import StartFault

if TYPE_CHECKING:
    from mitmproxy.addonmanager import Loader
    from mitmproxy.connection import Client
    from mitmproxy.http import HTTPFlow
    from mitmproxy.proxy.server_hooks import ServerConnectionHookData

    from phigate.dialect.routes import Route
    from phigate.house import House

logger = logging.getLogger(__name__)

NOT_DECIDED = Refusal(503, *replies.NOT_DECIDED, retry_after=1)
NOT_READY = Refusal(503, "not-ready", "The gateway is starting or going away.", retry_after=1)
NOT_LIVE = Refusal(503, "not-live", "This flow did not come from a client.")
BAD_ANSWER = Refusal(502, "answer-unreadable", "The model server's answer could not be checked.")
NO_TEXT = Refusal(400, "content-unreadable", "A message holds content that this gateway cannot read.")
METADATA_PATH = METADATA.encode()
_TICK_SECONDS = 1.0
WAITS = ("phi_upstream_connect", "phi_upstream_silence")
ADDRESSED = ("mode", "listen_host", "listen_port", "phi_url", "phi_console", "phi_console_url")


class Refuse:
    """Closed until proven permitted: the first to see a flow and, with `Sentinel`, the frame around all rooms."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._furnished = False
        self._metadata: bytes | None = None
        """What anybody may know of this resource (RFC 9728)."""
        self._watches: list[asyncio.Task[None]] = []
        house.again.append(self.again)

    # -- the gateway's own life -------------------------------------------------------------------------------------

    def load(self, loader: Loader) -> None:
        for name, default, text in OPTIONS:
            loader.add_option(name, str, default, text)

    def configure(self, _updated: set[str]) -> None:
        if not self._furnished:
            self._furnished = True
            try:
                self._start()
            except offline.OfflineFault as fault:
                self._exit(str(fault), offline.UNTOLD)
            except Exception as error:  # noqa: BLE001 -- whatever it is, no port may open
                told = isinstance(error, StartFault | kernel.NotKept)
                self._exit(str(error) if told else logs.place(error, error.__traceback__))

    def _exit(self, text: str, code: int = 1) -> None:
        self.house.ending = code
        with contextlib.suppress(OSError):
            sys.stderr.write("".join(f"phigate: {line}\n" for line in text.splitlines() or ["cannot start"]))
            sys.stderr.flush()
        sys.exit(code)

    def _start(self) -> None:
        """Everything that must stand before the first port opens."""
        logs.install()
        if offline.is_meant(ctx.master):
            offline.begin(ctx.master, read_policy, self.house.rerun)  # no gateway: nothing of what follows is opened
            self.house.furnished = True
            return
        logs.keep_going()
        kernel.keep()
        pages.install()
        framing.install()
        windows.install()
        behind.install()
        crashes.install()
        thrift.install()
        searches.install()
        sockets.install()
        talk.install()
        remains.install()
        aside.install()
        if getattr(ctx.master.addons.get("proxyserver"), "is_running", False) or ctx.master.addons.get("sentinel"):
            raise StartFault("the gateway is loaded once, at start")
        if found := lockdown.settle(ctx.master):
            raise StartFault("\n".join(found))
        options = ctx.options
        try:
            here = addresses({name: getattr(options, name) for name in ADDRESSED})
            room = [number(name, getattr(options, name)) for name in ("phi_connections", "phi_strangers")]
            leave = [seconds(name, getattr(options, name)) for name in ("phi_leave_after", "phi_leave_within")]
            waits = [seconds(name, getattr(options, name), 0.1) for name in WAITS]
        except (AddressFault, DoorFault, TimeFault) as fault:
            raise StartFault(str(fault)) from None
        self.house.furnish(
            policy=options.phi_policy,
            journal=options.phi_journal,
            secrets=options.phi_secrets,
            instance=options.phi_instance,
            ledger=options.phi_ledger,
            keys=options.phi_keys,
            addresses=here,
            shadow=options.phi_shadow,
            anchors=options.phi_anchors,
            space=(options.phi_journal_size, options.phi_journal_warn, options.phi_journal_stop),
        )
        self.house.doors.open(ctx.master, *room)
        litter = thrift.Litter()
        self.house.ticks.append(lambda: litter.tick(self.house.doors.came))
        self._metadata = protected_resource(here.url, here.console)
        self.house.observers = Observers(ctx.master)
        self.house.observers.take_out()
        models = Behind(ctx.master, self.house, connect=waits[0], silence=waits[1])
        self.house.ticks.append(models.tick)
        ctx.master.addons.chain.insert(0, models)
        ctx.master.addons.chain.insert(0, Drain(ctx.master, self.house, *leave))
        ctx.master.addons.add(Sentinel(self.house))
        lockdown.lock(ctx.master)
        Dispatch(ctx.master.addons).install()
        self.house.remarks.append(logs.remarks)
        self.house.ticks.append(lambda: lasting.end_late(ctx.master, self.house, time.monotonic()))

    async def running(self) -> None:
        names.install(asyncio.get_running_loop())
        self.house.verifier.start()
        self.house.threads.begin()
        self._watches = [asyncio.create_task(self._tick()), asyncio.create_task(self.house.doors.watch())]
        thrift.settle()
        self.house.ready = True
        self._say_what_runs()

    def _say_what_runs(self) -> None:
        house = self.house
        logger.info(
            "policy %s, journal %s, console %s",
            house.policy.sha256[:12],
            house.journal.path,
            ctx.options.phi_console or "off",
        )
        if house.trial is not None:
            logger.info("policy %s is on trial", house.trial.policy.sha256[:12])
        local = [rule.issuer for rule in house.policy.issuers if rule.issuer.startswith("http:")]
        if local and house.addresses.url is None:
            logger.warning("the policy believes %s, on this machine; this gateway is open to others", ", ".join(local))
        if house.addresses.url is None:
            logger.warning("phi_url is not set: proofs of possession and bearers of the gateway's own are refused")

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            for tick in self.house.ticks:
                try:
                    tick()
                except Exception as error:  # noqa: BLE001 -- one fault must not end all later ticks
                    logger.error("a regular task failed (%s)", logs.place(error, error.__traceback__))

    def done(self) -> None:
        """Removed, reloaded or over: nothing may be forwarded from here on."""
        self.house.ready = False
        for watch in self._watches:
            watch.cancel()
        if not ctx.master.should_exit.is_set() and not self.house.leaving:
            lockdown.slam(ctx.master)

    # -- connections ------------------------------------------------------------------------------------------------

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """Have a model server show the certificate of its own address.

        mitmproxy would ask for that of the name which the caller's TLS greeting asked us for, and tell that name.
        """
        if data.server.address is not None:
            data.server.sni = data.server.address[0]

    def client_connected(self, client: Client) -> None:
        self.house.doors.arrived(client)

    def client_disconnected(self, client: Client) -> None:
        self.house.doors.left(client)

    # -- requests ---------------------------------------------------------------------------------------------------

    def requestheaders(self, flow: HTTPFlow) -> None:
        passage = flows.enter(flow)
        flows.withhold(flow, passage)
        flow.request.stream = False
        self.house.doors.asked(flow.client_conn, passage.exchange.id, streams=flow.request.is_http2)
        if not flow.live or flow.is_replay:
            passage.exchange.refusal = NOT_LIVE
        else:
            self._begin(flow, passage)

    def again(self, flow: HTTPFlow) -> None:
        """A request that waited begins anew."""
        if passage := flows.passage_of(flow):
            self._begin(flow, flows.enter_again(flow, passage))

    def _begin(self, flow: HTTPFlow, passage: flows.Passage) -> None:
        if not self.house.ready or self.house.leaving:
            passage.exchange.refusal = NOT_READY
        else:
            self._read_head(flow, passage)

    def _read_head(self, flow: HTTPFlow, passage: flows.Passage) -> None:
        data, exchange = flow.request.data, passage.exchange
        if data.path == METADATA_PATH and data.method == b"GET" and self._metadata:
            exchange.refusal = Refusal(200, "metadata", "", decision="permit", content=self._metadata)
            return
        fault = headers.head_fault(data.method, data.path, data.http_version, data.authority, data.headers.fields)
        if fault and fault[0] != 404 and fault[0] != 405:
            exchange.refusal = Refusal(*fault, "The request could not be read.")
            return
        match = None if fault else self.house.routes.find(exchange.method, exchange.path)
        if not match or match is True:
            passage.head_fault = (405, "method-not-allowed") if match is False else fault or (404, "route-unknown")
            return
        passage.match, passage.route = match, match.route
        exchange.dialect, exchange.route = match.route.dialect, match.route.name
        exchange.actions = frozenset({match.route.action})
        if match.route.talk:
            passage.protocols = handshake.protocols_of(data.headers.fields)
            passage.head_fault = handshake.asked_fault(data.http_version, passage.fields)

    def request(self, flow: HTTPFlow) -> None:
        if passage := flows.passage_of(flow):
            self.house.under_way.add(passage.exchange.id)
            size = len(flow.request.data.content or b"")
            self.house.doors.whole(flow.client_conn, passage.exchange.id, size)
            if not self.house.room.take(passage.exchange.id, size):
                flow.request.data.content = b""
                passage.exchange.refusal = passage.exchange.refusal or replies.BUSY

    # -- answers ----------------------------------------------------------------------------------------------------

    def responseheaders(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if (
            passage is None
            or flow.response is None
            or flows.is_our_answer(flow, passage)
            or not passage.exchange.contacted
        ):
            return
        flow.response.stream = False
        passage.upstream_status = flow.response.status_code
        if route := passage.route:
            stream = route.stream.media if route.stream else None
            status, fields = flow.response.status_code, flow.response.headers
            passage.plan = answers.plan(status, fields, answers=route.answers, stream=stream, done=route.done)
            passage.answer_fields = {name.lower(): value for name, value in fields.fields}
            codec = route.answers.get(media_of(passage.answer_fields)[0], JSON)
            passage.answer_codec = NOTHING if status in route.done else codec
            if route.talk and status < 400:
                opens = status == 101 and handshake.answered(
                    fields.fields, passage.upgrade_key, _protocols(passage, route)
                )
                passage.plan = "upgrade" if opens else None
        if flow.response.status_code < 200 and passage.plan != "upgrade":
            lockdown.cut_upstream(ctx.master, flow)

    def response(self, flow: HTTPFlow) -> None:
        """Move the model's answer away before anybody else looks: from here on a refusal stands in its place."""
        passage = flows.passage_of(flow)
        if passage is None or flow.response is None or flows.is_our_answer(flow, passage):
            return
        if passage.exchange.contacted and flows.is_guarded(flow):
            return
        raw, unasked = flow.response.raw_content, not passage.exchange.contacted
        flows.withhold(flow, passage)
        if unasked:
            flows.refuse(flow, passage, passage.exchange.refusal or NOT_DECIDED)
        elif passage.plan == "upgrade" and flow.websocket is not None:
            passage.status = 101
        elif passage.plan not in {"whole", "error"} or raw is None:  # also a stream that nobody opened
            passage.answered_at = time.monotonic()
            passage.outcome = "unmaskable"
            passage.exchange.refusal = BAD_ANSWER
        else:
            passage.answered_at = time.monotonic()
            if self.house.room.take(passage.exchange.id, len(raw)):
                passage.raw = raw
            else:
                passage.exchange.refusal = replies.BUSY

    # -- messages ---------------------------------------------------------------------------------------------------

    def websocket_start(self, flow: HTTPFlow) -> None:
        if flows.may_open(flow):
            flows.open_(flow)
        else:
            lockdown.cut_flow(ctx.master, flow)

    def websocket_message(self, flow: HTTPFlow) -> None:
        """Move the message away before anybody else looks: nothing goes out that Release does not mark."""
        if flow.websocket is None:
            raise ValueError("no connection")
        message = flow.websocket.messages[-1]
        raw, message.content = message.content, b""
        message.drop()
        if passage := flows.passage_of(flow):
            passage.going = None
            passage.message = flows.Message(message.from_client, message.is_text, raw)
            if not message.is_text:
                passage.message.refusal = NO_TEXT
                passage.message.outcome = "denied" if message.from_client else "unmaskable"

    # -- what no gateway carries ------------------------------------------------------------------------------------

    def tcp_start(self, flow: HTTPFlow) -> None:
        lockdown.cut_flow(ctx.master, flow)

    tcp_message = udp_start = udp_message = tcp_start
    dns_request = dns_response = http_connect = http_connect_upstream = tcp_start


class Release:
    """Opens what Refuse closed, if nobody said no and nothing broke: the last statement that can run."""

    def __init__(self, house: House) -> None:
        self.house = house

    def request(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None:
            return
        exchange = passage.exchange
        self._last_of(flow, passage)
        if exchange.refusal is not None:
            flows.refuse(flow, passage, exchange.refusal)
        elif isinstance(exchange.decision, Permit) and exchange.recorded and exchange.subject is not None:
            exchange.contacted = True
            self.house.contacted[exchange.id] = flow
            passage.contacted_at = time.monotonic()
            self._address(flow, passage)
            flows.release_request(flow, passage)

    def _address(self, flow: HTTPFlow, passage: flows.Passage) -> None:
        """Rebuild the request from what was checked: tree, route, and the model's own address and credential."""
        request, route = flow.request, passage.route
        if route is None:
            raise ValueError("no route")
        dialect = spoken(route)
        if passage.target_url is not None:
            request.data.scheme, request.data.host, request.data.port = passage.target_url
        authority = _authority(request.data.host, request.data.port, request.data.scheme)
        request.data.method = route.method.encode()
        request.data.trailers = None
        request.data.authority = authority.encode("idna") if request.is_http2 else b""
        content = passage.onward_body if route.has_body else b""
        size = [(b"content-length", b"%d" % len(content))] if route.has_body else []
        fields = headers.onward(
            authority,
            exchange_id=passage.exchange.id,
            accept=_accepted(route, streaming=passage.exchange.streaming),
            credential=_credential(dialect.credential, passage.credential),
            body=[*passage.onward_head, *size, *dialect.head, *headers.passing(passage.fields, dialect.passes)],
        )
        if route.talk:
            passage.upgrade_key = secrets.token_bytes(16)
            fields += handshake.onward(passage.upgrade_key, _protocols(passage, route))
        request.data.headers = type(request.headers)(fields)
        request.data.content = content

    def _last_of(self, flow: HTTPFlow, passage: flows.Passage) -> None:
        """Where the gateway is leaving, let nothing more come on this connection (HTTP/2 has GOAWAY for that)."""
        passage.closing = passage.closing or (self.house.announced and not flow.request.is_http2)

    def responseheaders(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage and passage.stream is not None and flow.response and flow.response.stream is passage.stream:
            self._last_of(flow, passage)
            flows.release_answer(passage, flow.response)

    def response(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None or flow.response is None or flows.is_our_answer(flow, passage):
            return
        exchange, streamed = passage.exchange, flows.is_guarded(flow)
        self._last_of(flow, passage)
        if exchange.refusal is not None and not streamed:
            passage.closing = passage.closing or passage.plan == "upgrade"  # its upstream speaks no HTTP any more
            flows.refuse(flow, passage, exchange.refusal)
        elif passage.plan == "upgrade" and exchange.refusal is None:
            if flow.websocket is not None and passage.talking is not None:
                chosen = passage.answer_fields.get(b"sec-websocket-protocol", b"").decode("latin-1") or None
                opening = handshake.opened(passage.fields[b"sec-websocket-key"], chosen)
                flow.response = flows.answer(101, [*replies.mark_headers(exchange), *opening], None)
                flows.release_answer(passage, flow.response)
        elif exchange.finished and exchange.refusal is None:
            if not streamed:
                if passage.answer is None:
                    return
                fields = [*replies.mark_headers(exchange), *passage.answer_head]
                flow.response = flows.answer(passage.status, fields, passage.answer)
            flows.release_answer(passage, flow.response)

    def websocket_message(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None or passage.message is None or passage.talking is None:
            return
        message, passage.message = passage.message, None
        if message.refusal is not None:
            passage.outcome, passage.exchange.refusal = message.outcome, message.refusal
            last = (passage.talking.ended(message.refusal.reason, message.refusal.message),)
            going = flows.Going(caller=last, code=sockets.VIOLATION, reason=message.refusal.reason)
            flows.release_message(flow, passage, going)
        elif message.onward is not None and message.recorded:
            flows.release_message(flow, passage, flows.Going(tuple(message.onward)))


def _protocols(passage: flows.Passage, route: Route) -> list[str]:
    """The subprotocols that the caller asks for and that the dialect knows."""
    known = route.talk.protocols if route.talk else ()
    return [each for each in passage.protocols if each in known]


def _accepted(route: Route, *, streaming: bool) -> str:
    """The media types that the upstream is asked for; a server that has one only may insist on both (MCP)."""
    whole = next(iter(route.answers))
    if route.stream is None:
        return whole
    if route.asks == "either":
        return f"{whole}, {route.stream.media}"
    return route.stream.media if streaming else whole


def _credential(field: bytes, credential: str | None) -> tuple[bytes, bytes] | None:
    if not credential:
        return None
    shown = credential.encode("latin-1")
    return field, b"Bearer " + shown if field == b"authorization" else shown


def _authority(host: str, port: int, scheme: bytes) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == {b"http": 80, b"https": 443}.get(scheme) else f"{name}:{port}"
