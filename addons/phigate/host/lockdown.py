"""Nobody takes the gateway out of the data path: options and commands are locked, and being removed means exit.

mitmproxy lets its UIs, its API and other addons set any option and call any command: unload the script, change the
mode, load and replay flows. The lock stands before all of that, in the option store and the command table
themselves; and should the gateway's addons be removed all the same, `slam` shuts every door before it returns.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from mitmproxy import exceptions

from phigate.host.options import DEFAULTS, FORCED, changeable, faults, permitted_command

if TYPE_CHECKING:
    from mitmproxy.flow import Flow
    from mitmproxy.master import Master

logger = logging.getLogger(__name__)
_HARD_EXIT_SECONDS = 5.0


def settle(master: Master) -> list[str]:
    """Force what must be forced, set bounds where the operator set none; returns why this may not run."""
    options = master.options
    options.update_known(**{name: value for name, value in FORCED.items() if name in options})
    options.update_known(
        **{name: value for name, value in DEFAULTS.items() if name in options and not options.has_changed(name)}
    )
    # what mitmproxy does not know it keeps for later and never mentions: a misspelt policy would be the default one
    unknown = [f"no option `{name}`" for name in sorted(options.deferred) if name.startswith("phi_")]
    return unknown + faults({name: option.current() for name, option in options.items()})


def lock(master: Master) -> None:
    """From here on only what is on the lists may be set or called."""
    _lock_options(master)
    _lock_commands(master)

    async def load_flow(_flow: Flow) -> None:
        logger.warning("a flow was offered to the live gateway and refused")
        raise exceptions.CommandError("flows cannot be loaded into a live gateway")

    master.load_flow = load_flow  # type: ignore[method-assign]  # an instance's own method: mitmproxy has no seam for it


def _lock_options(master: Master) -> None:
    options = master.options
    update_known = options.update_known

    def guarded(**wanted: Any) -> dict[str, Any]:
        refused = [name for name in wanted if not _may_set(options, name, wanted[name])]
        if refused:
            logger.warning("option `%s` was to be changed on the live gateway and was refused", refused[0])
            raise exceptions.OptionsError(f"option `{refused[0]}` is locked while the gateway runs")
        return dict(update_known(**wanted))  # type: ignore[no-untyped-call]  # mitmproxy types it not at all

    def reset() -> None:
        raise exceptions.OptionsError("options are locked while the gateway runs")

    # the option store takes attributes only through its own dictionary; all of its setters end in `update_known`
    options.__dict__["update_known"] = guarded
    options.__dict__["reset"] = reset


def _may_set(options: Any, name: str, value: Any) -> bool:
    return changeable(name) or name not in options or getattr(options, name) == value


def _lock_commands(master: Master) -> None:
    table = master.commands
    call, call_strings = table.call, table.call_strings

    def checked(name: str) -> None:
        if not permitted_command(name):
            logger.warning("a command was given to the live gateway and refused")
            raise exceptions.CommandError("this command is locked while the gateway runs")

    def guarded_call(command_name: str, *args: Any) -> Any:
        checked(command_name)
        return call(command_name, *args)

    def guarded_strings(command_name: str, args: Any) -> Any:
        checked(command_name)
        return call_strings(command_name, args)

    table.call = guarded_call  # type: ignore[method-assign]  # the instance's own: every UI goes through it
    table.call_strings = guarded_strings  # type: ignore[method-assign]  # as above; `execute` ends here


def close_doors(master: Master) -> None:
    """Stop listening, at once and without awaiting."""
    proxyserver = master.addons.get("proxyserver")
    for instance in list(proxyserver.servers) if proxyserver else []:
        for server in getattr(instance, "_servers", []):
            server.close()


def cut_connections(master: Master) -> None:
    """Cancel every connection's reader and close its writer, so that nothing more is forwarded either way."""
    proxyserver = master.addons.get("proxyserver")
    for handler in list(proxyserver.connections.values()) if proxyserver else []:
        for transport in list(handler.transports.values()):
            if transport.handler is not None:
                transport.handler.cancel("the gateway is going away")
            if transport.writer is not None:
                transport.writer.close()


def cut_upstream(master: Master, flow: Any) -> None:
    """End one flow's upstream connection; its client connection ends with it where an answer was under way.

    Its reader is cancelled where it is what runs. Elsewhere it may wait for its turn to hand over what it has read:
    cancelled there it would end without a word, and the client would wait for ever. It finds the connection closed.
    """
    proxyserver = master.addons.get("proxyserver")
    handler = proxyserver.connections.get(flow.client_conn.id) if proxyserver else None
    transport = handler.transports.get(flow.server_conn) if handler else None
    if transport is None or transport.handler is None:
        return
    if transport.writer is None or transport.handler is asyncio.current_task():
        transport.handler.cancel("the exchange was broken off")
    else:
        transport.writer.transport.abort()


def cut_flow(master: Master, flow: Any) -> None:
    """Cut one flow's client connection, and with it its upstream's, at once."""
    proxyserver = master.addons.get("proxyserver")
    handler = proxyserver.connections.get(flow.client_conn.id) if proxyserver else None
    for transport in list(handler.transports.values()) if handler else []:
        if transport.handler is not None:
            transport.handler.cancel("the gateway carries no such traffic")
        if transport.writer is not None:
            transport.writer.close()


def der(certificate: Any) -> bytes:
    """A TLS certificate's bytes, of which RFC 8705 takes the hash."""
    raw: bytes = certificate.to_cryptography().public_bytes(serialization.Encoding.DER)
    return raw


def slam(master: Master) -> None:
    """The gateway was taken away: no listener, no connection, and soon no process."""
    logger.error("the gateway was removed from the data path: shutting down")
    close_doors(master)
    cut_connections(master)
    master.shutdown()
    # should anything keep the loop from ending, the process goes all the same
    timer = threading.Timer(_HARD_EXIT_SECONDS, os._exit, (1,))
    timer.daemon = True
    timer.start()
