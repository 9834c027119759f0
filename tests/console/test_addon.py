"""The console's port: had before any other opens, served while the gateway runs, off where nobody wants it."""

import asyncio
import logging
import socket

import httpx
import pytest
from prometheus_client import generate_latest

from phigate import metrics
from phigate.console.addon import CLOSED, Console
from phigate.house import House
from phigate.starting import StartFault
from processes import free_port
from tests.stage import until

HOST = "127.0.0.1"


@pytest.fixture
def console(house, context):
    """A console whose port a test may set; taken back afterwards."""
    context.options.add_option("phi_console", str, "", "")
    made = Console(house)
    yield made
    made.done()
    if made._server is not None:
        made._socket.close()


async def until_answered(url):
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(200):
            try:
                return await client.get(url)
            except httpx.ConnectError:
                await asyncio.sleep(0.01)
    raise AssertionError("the console did not answer")


@pytest.mark.parametrize("host", [HOST, "localhost"])
async def test_it_serves_in_the_running_loop_and_ends_with_it(console, context, host):
    port = free_port()
    context.options.phi_console = f"{host}:{port}"
    console.bind()
    await console.running()
    answer = await until_answered(f"http://{host}:{port}/readyz")
    assert answer.json()["checks"]["journal"] is True
    console.done()
    await asyncio.wait_for(console._task, 5)


async def test_an_address_is_the_connections_and_not_what_a_header_says(console, house, context):
    counted = []
    house.count_refused = lambda address, reason: counted.append((address, reason))
    port = free_port()
    context.options.phi_console = f"{HOST}:{port}"
    console.bind()
    await console.running()
    await until_answered(f"http://{HOST}:{port}/healthz")
    async with httpx.AsyncClient(trust_env=False) as client:
        said = {"x-forwarded-for": "Quartermaine", "forwarded": "for=Quartermaine"}
        answer = await client.post(f"http://{HOST}:{port}/token", headers=said)
    assert answer.status_code == 400
    assert counted == [(HOST, "request-malformed")]
    console.done()
    await asyncio.wait_for(console._task, 5)


def test_an_empty_option_opens_no_port(console, context):
    console.bind()
    assert console._server is None


async def test_switched_off_it_starts_nothing(console):
    console.bind()
    await console.running()
    assert console._task is None


def test_a_house_asks_for_the_port_before_it_opens(house):
    assert Console(house).bind in house.openers


BAD = [
    ("no port", "localhost"),
    ("no number", "localhost:http"),
    ("a port nobody has", f"{HOST}:70000"),
    ("no host of ours", "192.0.2.1:80"),
]


@pytest.mark.parametrize(("sentence", "where"), BAD, ids=[case[0] for case in BAD])
def test_what_cannot_be_listened_on_stops_the_start(console, context, sentence, where):
    context.options.phi_console = where
    with pytest.raises(StartFault, match="option `phi_console`: cannot listen on"):
        console.bind()


def test_a_taken_port_stops_the_start(console, context):
    with socket.create_server((HOST, 0)) as taken:
        context.options.phi_console = f"{HOST}:{taken.getsockname()[1]}"
        with pytest.raises(StartFault):
            console.bind()


def test_an_empty_house_is_not_ready():
    assert Console(House()).checks() == {
        "gateway": False,
        "policy": False,
        "journal": False,
        "ledger": False,
        "keys": False,
        "clock": True,
    }


CHANGES = [
    ("before it is", "gateway", lambda house: setattr(house, "ready", False)),
    ("while it leaves", "gateway", lambda house: setattr(house, "leaving", True)),
    ("without a journal", "journal", lambda house: house.journal.close("over")),
    ("without space for one", "journal", lambda house: setattr(house.journal, "space", "scarce")),
]


@pytest.mark.parametrize(("sentence", "check", "change"), CHANGES, ids=[case[0] for case in CHANGES])
def test_a_house_is_not_ready(house, sentence, check, change):
    console = Console(house)
    assert console.checks()[check] is True
    change(house)
    assert console.checks()[check] is False


def test_it_says_what_is_amiss(house):
    console = Console(house)
    assert console.remarks() == {}
    house.journal.space, house.journal.free = "low", 5 << 20
    assert console.remarks() == {"journal-space": "low: 5 MB are left"}


def test_metrics_tell_how_much_space_is_left_and_how_often_the_disk_failed(house):
    house.journal.free, house.journal.faults = 5 << 20, 3
    Console(house).checks()
    told = generate_latest(metrics.REGISTRY).decode()
    assert "phigate_journal_free_bytes 5.24288e+06" in told
    assert "phigate_journal_faults 3.0" in told


async def test_keys_are_ready_once_they_were_had(house):
    console = Console(house)
    assert console.checks()["keys"] is False
    house.verifier.start()
    await until(lambda: console.checks()["keys"])
    await house.verifier.close()


def test_those_under_way_are_counted(house):
    house.under_way |= {"ex-1", "ex-2"}
    Console(house).checks()
    assert metrics.REGISTRY.get_sample_value("phigate_exchanges_under_way") == 2


async def test_its_commands_are_mitmproxy_s_and_say_what_came_of_them_in_the_log(console, house, context, caplog):
    context.options.add_option("phi_policy", str, "rules/policy.yaml", "")
    context.master.addons.add(console)
    table = context.master.commands
    assert table.execute("phi.tickets") == table.execute("phi.approve t-1 AAAAAAAAAA") == CLOSED
    console.bind()
    said = table.execute("phi.policy")
    assert house.policy.sha256 in said
    assert "rules/policy.yaml, in force since " in said
    caplog.set_level(logging.INFO)
    table.execute("phi.reject t-1 not-a-code")
    table.execute("phi.approve t-1 AAAAAAAAAA")
    await until(lambda: not console._commands._asked)
    told = [
        (record.levelname, record.getMessage()) for record in caplog.records if record.name == "phigate.console.addon"
    ]
    assert told == [
        ("ALERT", "phi.reject: that is no ticket's id with a code"),
        ("ALERT", "phi.approve: this cannot be settled at the moment"),
    ]
