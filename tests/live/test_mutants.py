"""Valid exchanges, changed, against a real gateway: whatever comes of one, no canary is in it, and nothing breaks.

Over HTTP/1, over HTTP/2, as calls of gRPC and as conversations on a WebSocket, from the caller and from the model
server. Some hundreds; ten thousand with PHIGATE_THOROUGH=1, or as many as PHIGATE_MUTANTS says.
"""

import asyncio
import contextlib
import json
import os
import re
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
import pytest

from model_server import ModelServer, Raw
from people import policy_for
from processes import HOST, Gateway, answers, free_port, settings
from tests.grpc_peer import certificate
from tests.live.hostile import exchanges, mutants, over_grpc, over_http2, peers, talks, wire, ws
from tests.traffic import CANARIES, CANARY_TEXT, CHAT, as_person, chat, leaks, records, strings_of

pytestmark = [pytest.mark.live, pytest.mark.timeout(7200)]

THOROUGH = bool(os.environ.get("PHIGATE_THOROUGH"))
KINDS = ("http1", "http2", "grpc", "websocket")
ALL = int(os.environ.get("PHIGATE_MUTANTS", "10000" if THOROUGH else "0"))
MANY = dict.fromkeys(KINDS, ALL // len(KINDS)) if ALL else {"http1": 200, "http2": 60, "grpc": 60, "websocket": 60}
FIRST = {kind: 1_000_000 * at for at, kind in enumerate(KINDS)}
"""The number of the first mutant of each kind."""
BATCH = 500
AT_ONCE = over_grpc.LINES
IDLE, LONGEST = 0.4, 20.0
"""Seconds of silence after which a caller of a changed request goes away; seconds that any exchange may take."""
CLINICIAN, RESEARCHER = "dr.okafor", "sam.lindqvist"
"""Who asks; of the second one the model sees no identifiers either."""
SEEDS = re.compile(rb'"(?:seed|user_id)":"?(\d+)')
EXCHANGE = re.compile(r"\bex-[0-9a-f]{24}\b")
RULES = """
  - {name: clinicians-predict, permit: [clinician], to: [predict], models: ["*"], mask: minimum-necessary}
  - {name: research, permit: [researcher], to: [predict], models: ["*"], prompt: surrogates, mask: safe-harbor}
"""
MODELS = """
models:
  plain: {{url: "{plain}", names: [ward-assistant, m, other, x]}}
  second: {{url: "https://localhost:{second}", names: [{name}]}}
  talks: {{url: "http://{host}:{talks}", names: ["{talk}*"]}}
"""


@dataclass
class Got:
    """What a caller got: how it ended, all that can be read of it, and the exchanges that were refused at once."""

    kind: str
    each: mutants.Mutant
    label: str
    said: str
    refused: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def server():
    with ModelServer() as running:
        yield running


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """The model servers that speak HTTP/2, gRPC and WebSockets."""
    with peers.Peers(certificate(tmp_path_factory.mktemp("certificate"))) as running:
        yield running


@pytest.fixture(scope="module")
def door(server, others, issuer, tmp_path_factory):
    policy = policy_for(issuer.url, tmp_path_factory.mktemp("mutants-policy"))
    names = {"plain": server.url, "host": HOST, "name": over_http2.SECOND, "talk": talks.MODEL}
    text = policy.read_text().replace("\nrules:\n", "\nrules:\n" + RULES, 1)
    calls = [f'  ward-{at}: {{grpc: "grpc://{HOST}:{others.ports[f"calls{at}"]}"}}\n' for at in range(over_grpc.LINES)]
    policy.write_text(text + MODELS.format(**names, **others.ports) + "".join(calls))
    port = free_port()
    extra = settings(phi_grpc=f"{HOST}:{port}", ssl_verify_upstream_trusted_ca=others.tls[0])
    with Gateway(server.url, policy, tmp_path_factory.mktemp("mutants"), extra=extra) as running:
        running.grpc = port
        yield running


def over(got):
    """Whether a whole answer that is not followed by another one is there."""
    found, rest = wire.answers_in(got)
    return bool(found) and not rest


async def exchange(port, each, bearer):
    """All that comes back in HTTP/1."""
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


def who(number):
    return (CLINICIAN, RESEARCHER)[number // 3 % 2]


async def in_http1(door, each, bearer):
    got = await exchange(door.port, each, bearer)
    found, _ = wire.answers_in(got)
    fields = [(name, value) for _, fields, _ in found for name, value in fields if name != "transfer-encoding"]
    assert not [name for name, _ in fields if not wire.OURS.fullmatch(name)], each.number
    refused = {
        dict(fields).get("phi-exchange")
        for status, fields, _ in found
        if 400 <= status < 500 and dict(fields).get("phi-decision") == "deny"
    }
    begun = got.startswith(b"HTTP/1.1 200 ") and b"transfer-encoding: chunked" in got  # a stream, broken off
    label = str(found[0][0]) if found else "200, ended" if begun else "ended"
    return Got("http1", each, label, got.decode(errors="replace"), refused)


async def in_http2(door, each, _bearer):
    async with asyncio.timeout(LONGEST):
        heard = await over_http2.exchange(door.port, each, idle=IDLE, secured=over_http2.greeting())
    names = {name.decode() for heads in heard.heads.values() for fields in heads for name, _ in fields}
    assert not [name for name in names if not wire.OURS.fullmatch(name) and name != ":status"], each.number
    refused = {over_http2.refused(heads) for heads in heard.heads.values()} - {None}
    label = over_http2.label(heard, b":status")
    return Got("http2", each, label, heard.said().decode(errors="replace"), refused)


async def in_grpc(door, each, _bearer):
    async with asyncio.timeout(LONGEST):
        heard = await over_http2.exchange(door.grpc, each, idle=IDLE, secured=None)
    said = heard.said().decode(errors="replace") + "\n" + over_grpc.texts(heard)
    heads = [dict(fields) for heads in heard.heads.values() for fields in heads]
    unary = each.name.startswith("ModelInfer") and "the request's metadata" not in each.what
    refused = {  # of a stream something may be refused once its first message went on
        head[b"phi-exchange"].decode()
        for head in heads
        if unary
        if head.get(b"phi-decision") == b"deny"
        and not head.get(b"phi-reason", b"").startswith((b"answer-", b"upstream-"))
    }
    return Got("grpc", each, over_http2.label(heard, b"grpc-status"), said, refused)


async def on_websocket(door, each, _bearer):
    async with asyncio.timeout(LONGEST):
        heard = await talks.exchange(door.port, each, idle=IDLE)
    said = heard.head.decode(errors="replace") + "\n" + "\n".join(ws.messages_in(heard.rest))
    said += "\n" + heard.rest.decode(errors="replace")
    return Got("websocket", each, heard.label, said, {heard.refused} - {None})


TALK = {"http1": in_http1, "http2": in_http2, "grpc": in_grpc, "websocket": on_websocket}
MAKE = {"http2": over_http2.mutant, "grpc": over_grpc.mutant, "websocket": talks.mutant}


def made(kind, number, bearers):
    if kind == "http1":
        return mutants.mutant(number)
    return MAKE[kind](number, bearers[who(number)].encode())


async def run(door, kind, those, bearers):
    """Some at once; of gRPC one at each address."""

    async def some(line):
        return [await TALK[kind](door, each, bearers[who(each.number)]) for each in those[line::AT_ONCE]]

    return [got for line in await asyncio.gather(*map(some, range(AT_ONCE))) for got in line]


def spelled(text):
    """Canaries in an answer: as it stands, unescaped, and put together from the strings of its events or lines."""
    found = set(leaks(text))
    texts, named = list(strings_of(text)), {}
    for line in re.split(r"[\r\n]+", text):
        with contextlib.suppress(ValueError):
            for name, each in _strings(json.loads(line.removeprefix("data: "))):
                texts.append(each)
                named[name] = named.get(name, "") + each
    texts += ["".join(texts), *named.values()]
    return found | {canary for canary in CANARIES if any(canary in each for each in texts)}


def _strings(node, name=""):
    """Each string with the name of the member that it is in."""
    if isinstance(node, str):
        return [(name, node)]
    items = (
        node.items() if isinstance(node, dict) else ((name, each) for each in node) if isinstance(node, list) else ()
    )
    return [found for name, item in items for found in _strings(item, name)]


class Script:
    """How the model servers answer: each as the mutant says that a request is of."""

    def __init__(self, server, others):
        self.those = {}
        server.script, others.second, others.calls, others.talks = self.plain, self.second, self.calls, self.talk

    def of(self, number):
        return self.those.get(number)

    def plain(self, request):
        each = self.of(number_in(request.body))
        return Raw([each.answer if each and isinstance(each.answer, bytes) else mutants.mutant(0).answer])

    def second(self, asked):
        each = self.of(number_in(bytes(asked.body)))
        return each.answer if each and isinstance(each.answer, peers.Answer) else over_http2.answer(0)

    def calls(self, asked):
        number = number_of("calls", asked)
        each = self.of(number)
        return over_grpc.answer(asked, number, each.what if each else [], honest=not (each and each.answer))

    def talk(self, asked):
        number = number_of("talks", asked)
        each = self.of(number)
        return talks.says(number, honest=not (each and each.answer))


def number_in(body):
    found = SEEDS.search(body.replace(b" ", b""))
    return int(found[1]) if found else -1


def number_of(kind, asked):
    """Which mutant a request is of that came to a model server; -1 where it does not say."""
    if kind == "calls":
        return int(over_grpc.asked_in(asked).parameters[over_grpc.SEED].int64_param) or -1
    if kind == "talks":
        found = talks.NUMBER.search(asked.fields[b":path"])
        return int(found[1]) if found else -1
    return number_in(bytes(asked.body))


def still_serves(door, bearers):
    """A request that is as it should be is answered as it should be."""
    with as_person(door, bearers[CLINICIAN]) as client:
        assert client.post(CHAT, json=chat()).status_code == httpx.codes.OK
    assert answers(f"{door.console_url}/readyz")


@pytest.fixture(scope="module")
def came(door, server, others, bearers):
    """What came of every mutant; the gateway still serves after each batch of them."""
    script, got = Script(server, others), []
    for kind in KINDS:
        numbers = range(FIRST[kind], FIRST[kind] + MANY[kind])
        for at in range(0, len(numbers), BATCH):
            those = [made(kind, number, bearers) for number in numbers[at : at + BATCH]]
            script.those |= {each.number: each for each in those}
            got += asyncio.run(run(door, kind, those, bearers))
            still_serves(door, bearers)
    return got


@pytest.fixture(scope="module")
def onward(came, server, others):
    """(number, exchange, what of it can be searched) of everything that reached a model server."""
    seen = [
        (number_in(each.body), each.header("x-request-id"), each.body.decode(errors="replace"))
        for each in server.requests
    ]
    for kind, asked in others.asked:
        text = "\n".join(ws.messages_in(bytes(asked.body))) if kind == "talks" else asked.body.decode(errors="replace")
        seen.append((number_of(kind, asked), asked.exchange, text))
    return seen


def test_no_mutant_shows_a_canary(came):
    bad = {got.each.number: (got.each.name, got.each.what, spelled(got.said)) for got in came if spelled(got.said)}
    assert bad == {}


def test_every_answer_is_one_of_ours(came):
    for kind in KINDS:
        labels = Counter(got.label for got in came if got.kind == kind)
        print(f"{MANY[kind]} mutants of {kind}: {dict(sorted(labels.items()))}")  # noqa: T201 -- the figure, with `-s`
    for got in came:
        assert "mitmproxy" not in got.said.lower(), got.each.number
        assert got.label != "ended" or not got.each.intact, f"{got.each.number} got no answer: {got.each.what}"
    labels = Counter((got.kind, got.label) for got in came)
    for kind, label, share in EXPECTED:
        assert labels[kind, label] > MANY[kind] // share, (kind, label)


EXPECTED = (
    *(("http1", "200", 10), ("http1", "502", 50), ("http1", "400", 50)),
    *(("http2", "200", 10), ("http2", "502", 50), ("http2", "400", 50), ("http2", "ended", 50)),
    *(("grpc", "0", 10), ("grpc", "3", 50), ("grpc", "13", 50)),
    *(("websocket", "101", 10), ("websocket", "101, 1008", 50), ("websocket", "101, 1001", 50)),
)
"""(kind, how it ends, one of how many at least): mutants that all ended alike would show nothing."""


def test_what_goes_on_is_masked_where_the_rule_says_so(came, onward):
    """That of the one whose prompts are: by its number, an upstream request is one of theirs."""
    for kind in KINDS:
        theirs = {
            got.each.number for got in came if got.kind == kind and who(got.each.number) == RESEARCHER and got.each.text
        }
        masked = [text for number, _, text in onward if number in theirs]
        assert len(masked) > MANY[kind] // 10, kind
        assert not [number for number, _, text in onward if number in theirs and leaks(text)]


def test_nothing_goes_on_that_was_refused_or_is_not_on_record(came, onward, door):
    went = {exchange for _, exchange, _ in onward}
    refused = set().union(*(got.refused for got in came)) - {None}
    assert len(refused) > sum(MANY.values()) // 10
    assert [(got.each.number, got.label, got.each.what) for got in came if got.refused & went] == []
    asked = [each for each in records(door.journal) if each["kind"] == "request"]
    assert went <= {each["exchange"] for each in asked if each["decision"]["verb"] == "permit"}


def under_way(door):
    """What the gateway still has to do with callers: exchanges and connections."""
    told = httpx.get(f"{door.console_url}/metrics", trust_env=False).text
    return [
        float(value)
        for value in re.findall(r"^phigate_(?:exchanges_under_way|connections{.*}) (.+)$", told, re.MULTILINE)
    ]


def test_nothing_is_left_under_way_and_whatever_went_on_has_one_end(onward, door):
    end = time.monotonic() + LONGEST
    while any(under_way(door)) and time.monotonic() < end:
        time.sleep(0.05)
    assert under_way(door) == [0, 0, 0]
    ends = {}
    for each in records(door.journal):
        if each["kind"] == "response":
            ends.setdefault(each["exchange"], []).append(each["outcome"])
    assert not [exchange for _, exchange, _ in onward if exchange not in ends]
    again = [end for outcomes in ends.values() for end in outcomes[1:]]
    assert set(again) <= {"unrecorded"}  # whoever left meanwhile got nothing of what the first one tells


@pytest.mark.parametrize("cut", [1, 7, 40, 200])
def test_a_canary_in_pieces_would_be_seen(cut):
    def told(text):
        pieces = [text[at : at + cut] for at in range(0, len(text), cut)]
        return [json.dumps({"type": "delta", "item": str(at), "delta": piece}) for at, piece in enumerate(pieces)]

    assert spelled("\r\n".join(f"data: {each}" for each in told(CANARY_TEXT))) == set(CANARIES)
    assert spelled("\n".join(told(CANARY_TEXT))) == set(CANARIES)
    assert spelled("\n".join(told(CANARY_TEXT[::-1]))) == set()


def test_the_gateway_is_as_it_was(came, onward, door, server, bearers):
    said = door.said()
    assert not re.search(r"Traceback|crashed|Addon error|Error\b|exception|broken off", said), said[-3000:]
    assert leaks(said) == []
    shown = [each for each in records(door.journal) if leaks(json.dumps(each, ensure_ascii=False))]
    assert {each["kind"] for each in shown} <= {"request", "message"}
    mine = {got.each.number: got.each for got in came}
    told = {exchange: got.each for got in came for exchange in EXCHANGE.findall(got.said)}
    told |= {exchange: mine[number] for number, exchange, _ in onward if number in mine}
    seeds = [(mine.get(number_in(json.dumps(each.get("body")).encode())), each["exchange"]) for each in shown]
    asked = [each or told.get(exchange) for each, exchange in seeds]
    assert not [each and each.what for each in asked if each is None or each.text]
    server.script = None
    still_serves(door, bearers)
