"""The probe, on real sockets, in front of gateways of a few lines."""

import pytest

from phigate.conformance import tables
from phigate.conformance.prober import Probing, probe
from phigate.conformance.upstream import Armed, Upstream
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
    async with Upstream() as upstream, Upstream() as other, relay.Relay(other.port) as gateway:
        (refused,) = await probe(Probing(gateway.url, limit=1), upstream, CONTENT[:1])
    assert (refused.kind, refused.verdicts.total()) == ("refused", 1)
    async with Upstream() as upstream, Upstream() as other, relay.Relay(other.port) as gateway:
        other.arm(CONTENT[0].ask.path, Armed(200, {"content-type": "application/json"}, (b"{}",)))
        (broken,) = await probe(Probing(gateway.url, limit=1), upstream, CONTENT[:1])
    assert broken.examples["BROKEN"] == "bytes at every byte: answered without asking the model server"


async def test_the_bearer_and_the_model_are_sent():
    requests = []
    audio = NAMED["openai audio / json text / whole"]
    async with Upstream() as upstream, relay.Relay(upstream.port, saw=requests.append) as gateway:
        await probe(Probing(gateway.url, bearer="invented", model="nurse", limit=1), upstream, [*CONTENT[:1], audio])
    sent = b"".join(requests)
    assert sent.count(b"authorization: Bearer invented\r\n") == 2
    assert sent.count(b"multipart/form-data") == 1
    assert b'"model": "nurse"' in sent
    assert b'name="model"\r\n\r\nnurse\r\n' in sent


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
