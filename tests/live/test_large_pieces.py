"""One event of a stream that takes seconds to mask: only its own stream waits for it."""

import os
import threading
import time

import pytest

from model_server import Answer
from tests.traffic import CANARY_TEXT, CHAT, as_person, chat, completion, events, leaks, records, said

pytestmark = pytest.mark.live

LARGE = 1_000_000 if os.environ.get("PHIGATE_THOROUGH") else 60_000
"""Characters of the event; a megabyte takes half a minute."""
PATIENCE = 300 if os.environ.get("PHIGATE_THOROUGH") else 60
TEXT = "A " * (LARGE // 2) + CANARY_TEXT
FEW = 3
"""Exchanges of others that are over before the event is; in a loop that waits for it at most one could be."""


@pytest.fixture
def sent(model):
    """Set once the model server has sent a stream of one large event, then some small ones."""
    told = threading.Event()

    def parts():
        first, *rest = events(TEXT, step=len(TEXT))
        yield first
        told.set()
        yield from rest

    def answer(request):
        return Answer.events(parts()) if b'"stream":true' in request.body else Answer(completion())

    model.script = answer
    return told


def kept(gateway, exchange):
    return [record for record in records(gateway.journal) if record.get("exchange") == exchange]


def test_others_go_on_while_an_event_is_masked_and_it_goes_out_on_record(gateway, bearers, sent):
    got = []

    def streams():
        with (
            as_person(gateway, bearers["dr.okafor"]) as caller,
            caller.stream("POST", CHAT, json=chat(stream=True), timeout=PATIENCE) as answer,
        ):
            got.extend((answer.headers["phi-exchange"], answer.read()))

    streaming = threading.Thread(target=streams, daemon=True)
    streaming.start()
    assert sent.wait(20)
    over = 0
    with as_person(gateway, bearers["sam.lindqvist"]) as other:
        while streaming.is_alive():
            assert other.post(CHAT, json=chat()).status_code == 200
            over += streaming.is_alive()
    streaming.join()
    exchange, raw = got
    assert over >= FEW
    assert leaks(raw) == []
    assert said(raw).endswith("Stable on furosemide 40 mg.")
    assert raw.endswith(b"data: [DONE]\n\n")
    shown = "".join(record["body"] for record in kept(gateway, exchange) if record["kind"] == "part")
    assert (leaks(shown), "[US_SSN]" in shown) == ([], True)
    assert shown.count("[LOCATION]") == said(raw).count("[LOCATION]") > FEW


def test_whoever_leaves_meanwhile_gets_nothing_of_it_and_is_on_record(gateway, bearers, sent):
    with (
        as_person(gateway, bearers["dr.okafor"]) as caller,
        caller.stream("POST", CHAT, json=chat(stream=True)) as answer,
    ):
        exchange = answer.headers["phi-exchange"]
        assert sent.wait(20)
    end = time.monotonic() + PATIENCE
    while not (last := [each for each in kept(gateway, exchange) if each["kind"] == "response"]):
        assert time.monotonic() < end, "it is not on record"
        time.sleep(0.05)
    assert last[0]["outcome"] == "client-left"
    assert [each for each in kept(gateway, exchange) if each["kind"] == "part"] == []
    assert "crash" not in gateway.said()
