"""Whether anybody is there is asked of both sides of an exchange."""

import socket
from types import SimpleNamespace

from phigate.host.connections import alive
from phigate.host.connections.doors import Doors
from tests.stage import connected, listening, until


def asked(writer):
    """What the system was told of a connection."""
    raw = writer.get_extra_info("socket")
    numbers = [raw.getsockopt(socket.IPPROTO_TCP, option) for option, _ in alive.ASKS]
    return raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), numbers


def test_the_system_asks_for_two_minutes_at_most():
    with socket.socket() as raw:
        writer = SimpleNamespace(get_extra_info=lambda _name: raw)
        assert asked(writer)[0] == 0
        alive.ask(writer)
        answers, (idle, between, times) = asked(writer)
        assert (answers, idle + between * times) == (1, 120)


def test_of_a_connection_that_is_none_nothing_is_asked():
    alive.ask(None)


async def test_it_asks_callers_too(context, monkeypatch):
    own = Doors()
    own.open(context.master, 3, 2)
    context.master.addons.add(type("Gate", (), {"client_connected": lambda _self, client: own.arrived(client)})())
    async with listening(context) as port:
        _, writer = await connected(port, context)
        await until(lambda: own.hall.peers)
        (handler,) = context.master.addons.get("proxyserver").connections.values()
        assert asked(handler.transports[handler.client].writer)[0] == 1
        writer.close()
