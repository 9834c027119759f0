"""The endpoint within the gateway's life: options, the port, the end."""

import socket

import pytest

from phigate.options import OPTIONS
from phigate.rpc.addon import Rpc
from phigate.starting import StartFault
from tests.grpc_peer import certificate
from tests.rpc.wire import asked, connected
from tests.stage import until

HEALTH = "/grpc.health.v1.Health/Check"


@pytest.fixture
def options(context):
    for name, default, text in OPTIONS:
        context.options.add_option(name, str, default, text)
    return context.options


def free():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def test_it_listens_once_the_gateway_runs_and_ends_with_it(house, options):
    port = free()
    options.update(phi_grpc=f"127.0.0.1:{port}")
    house.doors.hall.most = house.doors.hall.most_strangers = 10
    rpc = Rpc(house)
    rpc.bind()
    await rpc.running()
    async with connected(port) as client:
        assert (await asked(client, b"", path=HEALTH)).messages == [b"\x08\x01"]
        house.leaving = True
        rpc.tick()
        await until(lambda: client.closing)
        await rpc.part()
        await until(lambda: client.gone)
    rpc.done()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


async def test_without_the_option_there_is_none(house, options):
    rpc = Rpc(house)
    rpc.bind()
    await rpc.running()
    rpc.tick()
    await rpc.part()
    rpc.done()
    assert rpc._endpoint is None


FAULTS = [
    ("no port", {"phi_grpc": "127.0.0.1"}, "option `phi_grpc`: cannot listen on `127.0.0.1`"),
    ("a port that there is not", {"phi_grpc": "127.0.0.1:99999"}, "option `phi_grpc`: cannot listen on"),
    ("a server of another kind", {"phi_grpc_upstream": "http://a:1"}, "option `phi_grpc_upstream`: must be `grpc://"),
    ("a server without a port", {"phi_grpc_upstream": "grpc://a"}, "option `phi_grpc_upstream`: must be `grpc://"),
    ("a key of nothing", {"phi_grpc_key": "k.pem"}, "option `phi_grpc_key` means nothing without `phi_grpc_cert`"),
    ("a file that is not there", {"phi_grpc_cert": "none.pem"}, "options `phi_grpc_cert` and `phi_grpc_key`: "),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "values", "said"), FAULTS, ids=[case[0] for case in FAULTS])
def test_an_option_that_is_wrong_stops_the_start(house, options, sentence, values, said):
    options.update(**({"phi_grpc": f"127.0.0.1:{free()}"} | values))
    with pytest.raises(StartFault) as fault:
        Rpc(house).bind()
    assert str(fault.value).startswith(said)


def test_a_port_that_is_taken_stops_the_start(house, options):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options.update(phi_grpc=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(StartFault):
            Rpc(house).bind()


def test_a_certificate_and_an_upstream_are_taken(house, options, tmp_path):
    cert, key = certificate(tmp_path)
    options.update(
        phi_grpc=f"127.0.0.1:{free()}",
        phi_grpc_cert=str(cert),
        phi_grpc_key=str(key),
        phi_grpc_upstream="grpcs://[::1]:8001",
    )
    rpc = Rpc(house)
    rpc.bind()
    assert rpc._context is not None
    assert rpc._calls.admission._default.port == 8001
    assert rpc._calls.limit == 64 * 1024 * 1024
    rpc._socket.close()


def test_it_is_known_to_the_house(house):
    rpc = Rpc(house)
    assert rpc.bind in house.openers
    assert rpc.tick in house.ticks
    assert rpc.part in house.partings
