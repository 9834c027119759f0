"""The probe, on real sockets, in front of gateways of a few lines."""

import pytest

from phigate.conformance import tables
from phigate.conformance.prober import Probing, probe
from phigate.conformance.upstream import Upstream
from tests.conformance import relay

NAMED = {case.name: case for case in tables.CASES}
CONTENT = [NAMED[f"openai chat / content / {how}"] for how in ("whole", "stream")]
GATEWAYS = [
    ("passes all on", lambda head, body: head + body, ["LEAK", "LEAK"]),
    ("hides what it sees in the bytes", relay.hiding, ["masked", "LEAK"]),
    ("refuses", relay.refusing, ["refused", "refused"]),
    ("cuts off", relay.cutting, ["LEAK", "LEAK"]),
    ("cuts off what it hid", lambda head, body: relay.cutting(head, relay.hiding(b"", body)), ["BROKEN", "LEAK"]),
    ("hangs", lambda _head, _body: b"", ["BROKEN", "BROKEN"]),
]


async def probed(make, cases, **more):
    async with Upstream() as upstream, relay.Relay(upstream.port, make) as gateway:
        return await probe(Probing(gateway.url, limit=1, seconds=0.5, **more), upstream, cases)


@pytest.mark.parametrize(("sentence", "make", "kinds"), GATEWAYS, ids=[row[0] for row in GATEWAYS])
async def test_a_gateway_that(sentence, make, kinds):
    assert [cell.kind for cell in await probed(make, CONTENT)] == kinds


async def test_a_gateway_that_answers_by_itself_is_told():
    (cell,) = await probed(lambda head, body: head + body, CONTENT[:1], bearer="b")
    assert cell.verdicts.total() == 2
    async with Upstream() as upstream, relay.Relay(upstream.port) as gateway, Upstream() as other:
        (told,) = await probe(Probing(gateway.url, limit=1), other, CONTENT[:1])
    assert told.kind == "refused"


async def test_a_gateway_that_is_not_there_is_broken():
    async with Upstream() as upstream:
        (cell,) = await probe(Probing("http://127.0.0.1:1", limit=1), upstream, CONTENT[:1])
    assert (cell.kind, cell.examples["BROKEN"]) == ("BROKEN", "bytes at every byte: cut off (ConnectError)")


async def test_paths_are_tried_side_by_side_and_cells_keep_their_order():
    told = []
    async with Upstream() as upstream, relay.Relay(upstream.port) as gateway:
        probing = Probing(gateway.url, limit=1)
        cells = await probe(probing, upstream, CONTENT, told.append)
    assert [cell.case for cell in cells] == CONTENT
    assert told == cells
