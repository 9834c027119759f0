"""`phigate conformance`, against a gateway of a few lines in a thread of its own."""

import asyncio
import socket
import threading

import pytest

from phigate.conformance.command import SPLITS
from processes import free_port
from tests.command import phigate
from tests.conformance import relay


@pytest.fixture
def gateway():
    """Starts a gateway in front of a port; gives its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    made = []

    def start(port, make):
        made.append(relay.Relay(port, make))
        return asyncio.run_coroutine_threadsafe(made[-1].__aenter__(), loop).result().url

    yield start
    for each in made:
        asyncio.run_coroutine_threadsafe(each.__aexit__(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def run(url, port, *more):
    chosen = ("--dialect", "openai chat", "--channel", "content", "--channel", "refusal")
    return phigate("conformance", "--url", url, "--upstream-port", port, "--splits", "few", *chosen, *more)


def test_a_gateway_that_lets_everything_through(gateway):
    port = free_port()
    done = run(gateway(port, lambda head, body: head + body), port)
    assert done.exit_code == 1
    assert [line.split()[2:] for line in done.stdout.splitlines()[1:]] == [
        ["content", "http", "LEAK", "LEAK"],
        ["refusal", "http", "LEAK", "LEAK"],
    ]
    assert "openai chat / content / whole: LEAK: bytes at every byte: MRN, SSN, e-mail, telephone" in done.stderr


def test_a_gateway_that_refuses_everything_is_safe(gateway):
    port = free_port()
    done = run(gateway(port, relay.refusing), port, "--markdown")
    assert done.exit_code == 0
    assert done.stdout.startswith("| dialect | channel | over | whole | stream |\n| --- |")
    assert "| openai chat | content | http | refused | refused |" in done.stdout


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--splits", "most"), f"--splits: one of {', '.join(SPLITS)}"),
        (("--dialect", "latin"), "--dialect: no `latin`; there are openai chat"),
    ],
)
def test_what_is_not_known_is_told(more, said):
    done = run("http://127.0.0.1:1", free_port(), *more)
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_port_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("http://127.0.0.1:1", taken.getsockname()[1])
    assert done.exit_code == 1
    assert done.stderr.startswith("port ")


def test_a_channel_that_no_chosen_dialect_has_is_told():
    done = phigate("conformance", "--url", "http://127.0.0.1:1", "--upstream-port", free_port(), "--channel", "smoke")
    assert done.exit_code == 2
    assert done.stderr == "--channel: none of these dialects has it\n"
