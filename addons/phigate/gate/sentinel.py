"""The last look: for every kind of hook, whatever does not carry the mark of Release is replaced or cut off.

Stands in mitmproxy's chain on its own, behind the script, because an exception in any room skips the rooms after it
and then lets the flow go on. It trusts nothing but the marks, a mark that cannot be read is none, and what it puts in
place is made of constants here: nothing that Refuse needs is needed to refuse.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from mitmproxy import ctx, http

from phigate import flows
from phigate.host import lockdown

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitmproxy.connection import Client
    from mitmproxy.http import HTTPFlow

    from phigate.house import House

HEADERS: Final = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"phi-decision", b"deny"),
    (b"phi-reason", b"not-decided"),
    (b"content-length", b"123"),
)
CONTENT: Final = (
    b'{"error":{"message":"The gateway could not decide this request.",'
    b'"type":"gateway_error","param":null,"code":"not-decided"}}'
)


class Sentinel:
    name = "sentinel"

    def __init__(self, house: House) -> None:
        self.house = house

    def requestheaders(self, flow: HTTPFlow) -> None:
        flow.request.stream = False
        if flow.response is None or not _holds(lambda: flows.passage_of(flow) is not None):
            shut(flow)

    def request(self, flow: HTTPFlow) -> None:
        passes = flows.may_go if flow.response is None else flows.is_marked
        if not _holds(lambda: passes(flow)):
            shut(flow)

    def responseheaders(self, flow: HTTPFlow) -> None:
        """An upstream's answer streams only through the guard that Masking set and Release marked."""
        response = flow.response
        if response is None or not response.stream:
            return
        if not _holds(lambda: flows.is_guarded(flow) and flows.may_answer(flow)):
            response.stream = False

    def response(self, flow: HTTPFlow) -> None:
        streamed = flow.response is not None and bool(flow.response.stream)
        if not _holds(lambda: flows.may_answer(flow)):
            if streamed:  # its first bytes are with the client: there is no status left to change
                flow.kill()
            else:
                shut(flow)
        elif _holds(lambda: flows.may_open(flow)):  # it goes on, message by message
            return
        self._over(flow)

    def error(self, flow: HTTPFlow) -> None:
        self._over(flow)

    def _over(self, flow: HTTPFlow) -> None:
        if passage := flows.passage_of(flow):
            self.house.under_way.discard(passage.exchange.id)
            self.house.meter.leave(passage.exchange.id)
            self.house.doors.over(flow.client_conn, passage.exchange.id)
            self.house.contacted.pop(passage.exchange.id, None)
            self.house.room.leave(passage.exchange.id)

    def websocket_start(self, flow: HTTPFlow) -> None:
        if not _holds(lambda: flows.may_open(flow)):
            self.tcp_start(flow)

    def websocket_message(self, flow: HTTPFlow) -> None:
        """Hand over what Release marked for this message; where nothing is, the connection ends."""
        try:
            going = flows.may_say(flow)
        except Exception:  # noqa: BLE001 -- whatever broke, nothing goes out for it
            going = None
        flows.hand_over(flow, going)

    def websocket_end(self, flow: HTTPFlow) -> None:
        self._over(flow)

    def client_disconnected(self, client: Client) -> None:
        """A connection that was to become a WebSocket and went before it was one."""
        for flow in list(self.house.contacted.values()):
            if flow.client_conn is client and flow.websocket is not None:
                self._over(flow)

    def tcp_start(self, flow: HTTPFlow) -> None:
        lockdown.cut_flow(ctx.master, flow)

    tcp_message = udp_start = udp_message = tcp_start
    dns_request = dns_response = http_connect = http_connect_upstream = tcp_start


def _holds(condition: Callable[[], bool]) -> bool:
    """Whether a condition is true; one that cannot be evaluated is not."""
    try:
        return condition() is True
    except Exception:  # noqa: BLE001 -- whatever broke, the flow may not pass for it
        return False


def shut(flow: HTTPFlow) -> None:
    """Put a refusal of constants in place of the answer; where even that fails, end the flow."""
    try:
        now = time.time()
        closing = () if flow.request.is_http2 else ((b"connection", b"close"),)
        headers = http.Headers((*HEADERS, *closing))
        flow.response = http.Response(b"HTTP/1.1", 503, b"Service Unavailable", headers, CONTENT, None, now, now)
    except Exception:  # noqa: BLE001 -- as above
        flow.kill()
