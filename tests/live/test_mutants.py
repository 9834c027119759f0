"""Valid exchanges, changed, against a real gateway: whatever comes of one, no canary is in it, and nothing breaks.

Some hundreds; ten thousand with PHIGATE_THOROUGH=1, or as many as PHIGATE_MUTANTS says.
"""

import asyncio
import contextlib
import json
import os
import re
from collections import Counter

import httpx
import pytest

from model_server import ModelServer, Raw
from people import policy_for
from processes import Gateway, answers
from tests.live.hostile import exchanges, mutants, wire
from tests.traffic import CANARIES, CHAT, as_person, chat, leaks, records, strings_of

pytestmark = [pytest.mark.live, pytest.mark.timeout(3600)]

THOROUGH = bool(os.environ.get("PHIGATE_THOROUGH"))
MANY = int(os.environ.get("PHIGATE_MUTANTS", "10000" if THOROUGH else "200"))
AT_ONCE = 6
IDLE, LONGEST = 0.4, 20.0
"""Seconds of silence after which a caller of a changed request goes away; seconds that any exchange may take."""
CLINICIAN, RESEARCHER = "dr.okafor", "sam.lindqvist"
"""Who asks; of the second one the model sees no identifiers either."""
SEEDS = re.compile(rb'"(?:seed|user_id)":"?(\d+)')


@pytest.fixture(scope="module")
def server():
    with ModelServer() as running:
        yield running


@pytest.fixture(scope="module")
def door(server, issuer, tmp_path_factory):
    policy = policy_for(issuer.url, tmp_path_factory.mktemp("mutants-policy"))
    with Gateway(server.url, policy, tmp_path_factory.mktemp("mutants")) as running:
        yield running


def over(got):
    """Whether a whole answer that is not followed by another one is there."""
    found, rest = wire.answers_in(got)
    return bool(found) and not rest


async def exchange(port, each, bearer):
    """All that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    got = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        writer.write(each.sent.replace(exchanges.BEARER, bearer.encode()))
        async with asyncio.timeout(LONGEST):
            while not over(got):
                async with asyncio.timeout(None if each.intact or got else IDLE):
                    piece = await reader.read(65536)
                if not piece:
                    break
                got += piece
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return got


def who(each):
    return (CLINICIAN, RESEARCHER)[each.number // 3 % 2]


async def run(port, those, bearers):
    turn, came = asyncio.Semaphore(AT_ONCE), {}

    async def one(each, bearer):
        async with turn:
            came[each.number] = await exchange(port, each, bearer)

    await asyncio.gather(*(one(each, bearers[who(each)]) for each in those))
    return came


def spelled(raw):
    """Canaries in an answer: as it stands, unescaped, and put together from the strings of its events or lines."""
    found = set(leaks(raw))
    text = raw.decode(errors="replace")
    texts = list(strings_of(text))
    for line in re.split(r"[\r\n]+", text):
        with contextlib.suppress(ValueError):
            texts += _strings(json.loads(line.removeprefix("data: ")))
    return found | {canary for canary in CANARIES if canary in "".join(texts) or any(canary in each for each in texts)}


def _strings(node):
    if isinstance(node, str):
        return [node]
    items = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [text for item in items for text in _strings(item)]


@pytest.fixture(scope="module")
def came(door, server, bearers):
    """Every mutant with what the caller got, and the requests that the model server saw."""
    those = [mutants.mutant(number) for number in range(MANY)]

    def script(request):
        found = SEEDS.search(request.body.replace(b" ", b""))
        number = int(found[1]) if found else -1
        return Raw([those[number].answer]) if 0 <= number < MANY else Raw([those[0].answer])

    server.script = script
    got = asyncio.run(run(door.port, those, bearers))
    return [(each, got[each.number]) for each in those], list(server.requests)


def test_no_mutant_shows_a_canary(came):
    bad = {each.number: (each.exchange.name, each.what, spelled(got)) for each, got in came[0] if spelled(got)}
    assert bad == {}


def test_every_answer_is_one_of_ours(came):
    statuses = Counter()
    for each, got in came[0]:
        found, _ = wire.answers_in(got)
        statuses.update(status for status, _, _ in found)
        fields = [name for _, fields, _ in found for name, _ in fields if name != "transfer-encoding"]
        assert not [name for name in fields if not wire.OURS.fullmatch(name)], each.number
        assert b"mitmproxy" not in got.lower(), each.number
        begun = got.startswith(b"HTTP/1.1 200 ") and b"transfer-encoding: chunked" in got  # a stream, broken off
        assert found or begun or not each.intact, f"{each.number} got no answer: {each.what}"
    print(f"{MANY} mutants: {dict(sorted(statuses.items()))}")  # noqa: T201 -- the figure, with `-s`
    assert all(status == 200 or 400 <= status < 600 for status in statuses)
    assert statuses[200] > MANY // 10
    assert statuses[502] > MANY // 50
    assert statuses[400] > MANY // 50


def whole_in(each):
    """Whether the prompt's text is as it was: what a caller breaks up is another text, in which a detector may miss."""
    return exchanges.TEXT in each.sent


def test_what_goes_on_is_masked_where_the_rule_says_so(came):
    """That of the one whose prompts are: by its number, an upstream request is one of theirs."""
    theirs = {each.number for each, _ in came[0] if who(each) == RESEARCHER and whole_in(each)}
    numbers = [(SEEDS.search(request.body), request) for request in came[1]]
    masked = [request for found, request in numbers if found and int(found[1]) in theirs]
    assert len(masked) > MANY // 10
    assert not [request for request in masked if leaks(request.body)]


def test_the_gateway_is_as_it_was(came, door, server, bearers):
    said = door.said()
    assert not re.search(r"Traceback|crashed|Addon error|Error\b|exception", said), said[-3000:]
    assert leaks(said) == []
    shown = [each for each in records(door.journal) if leaks(json.dumps(each, ensure_ascii=False))]
    assert {each["kind"] for each in shown} <= {"request"}
    numbers = [SEEDS.search(json.dumps(each["body"]).replace(" ", "").encode()) for each in shown]
    assert not [found for found in numbers if found is None or whole_in(came[0][int(found[1])][0])]
    assert answers(f"{door.console_url}/readyz")
    server.script = None
    with as_person(door, bearers[CLINICIAN]) as client:
        assert client.post(CHAT, json=chat()).status_code == httpx.codes.OK
