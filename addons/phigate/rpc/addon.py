"""gRPC on its own port: glue between the house and the endpoint, which runs in mitmproxy's own event loop.

mitmproxy contacts the upstream of a call that goes both ways before anybody can decide about it; so gRPC is answered
here, and none of mitmproxy's hooks sees it. The socket is bound before any port of the proxy is.
"""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mitmproxy import ctx
from mitmproxy.utils import human

from phigate.policy.urls import grpc
from phigate.rpc.admission import Admission, address_of
from phigate.rpc.call import Calls
from phigate.rpc.endpoint import Endpoint, tls
from phigate.rpc.upstream import Upstreams
from phigate.starting import StartFault

if TYPE_CHECKING:
    import ssl

    from phigate.house import House
    from phigate.rpc.upstream import Address

logger = logging.getLogger(__name__)

LIMIT: Final = 64 * 1024 * 1024
"""Bytes of a message where mitmproxy's `body_size_limit` says nothing."""
QUEUE: Final = 128
"""Connections that the system keeps until they are taken."""
PART: Final = 2.0
"""Seconds that the calls have at the end to be recorded."""


class Rpc:
    def __init__(self, house: House) -> None:
        self.house = house
        self._endpoint: Endpoint | None = None
        self._calls: Calls | None = None
        self._upstreams: Upstreams | None = None
        self._context: ssl.SSLContext | None = None
        house.openers.append(self.bind)
        house.ticks.append(self.tick)
        house.partings.append(self.part)

    def bind(self) -> None:
        """Take the endpoint's port; raises StartFault where it cannot be had, or an option of it is wrong."""
        options = ctx.options
        if not options.phi_grpc:
            return
        default = _upstream(options.phi_grpc_upstream)
        self._context = _certificate(options.phi_grpc_cert, options.phi_grpc_key)
        host, _, port = options.phi_grpc.rpartition(":")
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host.strip("[]"), _number(port)), family=family, backlog=QUEUE)
        except (OSError, ValueError):
            raise StartFault(f"option `phi_grpc`: cannot listen on `{options.phi_grpc}`") from None
        self._upstreams = Upstreams(options.ssl_verify_upstream_trusted_ca, float(options.phi_upstream_connect))
        limit = human.parse_size(options.body_size_limit) or LIMIT
        self._calls = Calls(
            self.house, Admission(self.house, default), self._upstreams, limit, float(options.phi_upstream_silence)
        )
        self._endpoint = Endpoint(self._calls.answer, self.house.doors)

    async def running(self) -> None:
        if self._endpoint is not None:
            await self._endpoint.start(self._socket, self._context)
            logger.info("gRPC on %s, %s", ctx.options.phi_grpc, "TLS" if self._context else "cleartext")

    def tick(self) -> None:
        if self._endpoint is None or self._calls is None or self._upstreams is None:
            return
        if self.house.leaving:
            self._endpoint.leave()
        self._calls.tick()
        self._endpoint.tick()
        self._upstreams.tick()

    async def part(self) -> None:
        """End what did not finish in time, so that it is on record before the journal closes."""
        if self._endpoint is not None and self._calls is not None:
            self._endpoint.close()
            await self._calls.over(PART)

    def done(self) -> None:
        if self._endpoint is not None:
            self._endpoint.close()
        if self._upstreams is not None:
            self._upstreams.close()


def _number(port: str) -> int:
    """A port's number; raises ValueError for any other, which the socket module would do only after opening one."""
    number = int(port)
    if not 0 <= number <= 65535:
        raise ValueError("no port")
    return number


def _upstream(url: str) -> Address | None:
    if not url:
        return None
    try:
        return address_of(grpc(url))
    except ValueError:
        raise StartFault("option `phi_grpc_upstream`: must be `grpc://HOST:PORT` or `grpcs://HOST:PORT`") from None


def _certificate(certificate: str, key: str) -> ssl.SSLContext | None:
    if not certificate:
        if key:
            raise StartFault("option `phi_grpc_key` means nothing without `phi_grpc_cert`")
        return None
    try:
        return tls(str(Path(certificate).expanduser()), str(Path(key).expanduser()) if key else "")
    except OSError:  # ssl.SSLError is one
        raise StartFault("options `phi_grpc_cert` and `phi_grpc_key`: cannot be used") from None
