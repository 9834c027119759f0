from __future__ import annotations

import asyncio
import base64
import gzip
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.identity import introspect
from phigate.identity.fetch import new_client
from phigate.identity.introspect import AT_ONCE, KEPT, STRANGERS, Introspector, opaque
from phigate.identity.outcome import Believed, Refused, Unavailable
from tests.identity.forge import ISSUER, NOW, Rule, claims

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CLIENT, SECRET = "gate way:1", "s3cret/+ é:%"
BEARER = "9f3c0Zk1-opaque_bearer~of+20/more=="
DOWN = Unavailable(ISSUER, 1, "introspection-unavailable")


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    form: dict[str, list[str]]


@dataclass
class Endpoint:
    """A real introspection endpoint on loopback; it answers what a test wants."""

    status: int = 200
    body: bytes = json.dumps(claims(active=True)).encode()
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    busy: int = 0
    busiest: int = 0
    by_bearer: dict[str, bytes] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        self.open = asyncio.Event()
        self.open.set()
        self.news = asyncio.Event()
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/introspect"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.open.set()
        self.server.close()
        self.server.close_clients()
        await self.server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                start, *lines = head.decode("latin-1").strip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                sent = (await reader.readexactly(int(headers.get("content-length", 0)))).decode("ascii")
                method, path, _ = start.split(" ")
                await self._answer(Asked(method, path, headers, parse_qs(sent, strict_parsing=True)), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        self.asked.append(asked)
        self.news.set()
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        body = self.by_bearer.get(asked.form["token"][0], self.body)
        await self.open.wait()
        self.busy -= 1
        fields = {"content-type": "application/json", "content-length": str(len(body))} | self.headers
        lines = [f"HTTP/1.1 {self.status} Answer", *(f"{name}: {value}" for name, value in fields.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        await writer.drain()


@dataclass(frozen=True)
class Where:
    url: str
    client_id: str = CLIENT
    credential: str = "env:INTROSPECTION"


class World:
    """One issuer, the gateway that asks it, and the time of both as a test wants it."""

    def __init__(self, endpoint: Endpoint, url: str | None = None) -> None:
        self.endpoint = endpoint
        self.now = 1000.0
        self.environ = {"INTROSPECTION": SECRET}
        self.rule = Rule(introspect=Where(url or endpoint.url))
        self.asks = Introspector(self.rule, client=new_client, clock=lambda: self.now, environ=self.environ)

    async def ask(self, bearer: str = BEARER) -> Believed | Refused | Unavailable:
        return await self.asks.ask(bearer, NOW + self.now - 1000.0)

    async def all(self, *bearers: str) -> list[Believed | Refused | Unavailable]:
        return list(await asyncio.gather(*map(self.ask, bearers)))

    async def until(self, asked: int) -> None:
        """Wait until the endpoint was asked so often."""
        async with asyncio.timeout(5):
            while len(self.endpoint.asked) < asked:
                self.endpoint.news.clear()
                await self.endpoint.news.wait()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Endpoint() as endpoint:
        made = World(endpoint)
        yield made
        await made.asks.close()


def said(**changes: Any) -> bytes:
    return json.dumps(claims(active=True, **changes)).encode()


def numbered(count: int, first: int = 0) -> list[str]:
    return [f"invented-bearer-number-{n:06}" for n in range(first, first + count)]


async def test_an_active_bearer_is_believed_for_what_its_issuer_says(world: World) -> None:
    believed = await world.ask()
    assert isinstance(believed, Believed)
    assert (believed.issuer, believed.id, believed.groups) == (ISSUER, "dr.okafor", ("ward-staff",))


async def test_the_issuer_is_asked_as_rfc_7662_and_rfc_6749_say(world: World) -> None:
    await world.ask()
    (asked,) = world.endpoint.asked
    assert (asked.method, asked.path) == ("POST", "/introspect")
    assert asked.form == {"token": [BEARER], "token_type_hint": ["access_token"]}
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (asked.headers["accept"], asked.headers["accept-encoding"]) == ("application/json", "identity")
    scheme, _, pair = asked.headers["authorization"].partition(" ")
    client, _, secret = base64.b64decode(pair).decode("ascii").partition(":")
    assert (scheme, unquote_plus(client), unquote_plus(secret)) == ("Basic", CLIENT, SECRET)


async def test_what_the_issuer_binds_is_bound(world: World) -> None:
    world.endpoint.body = said(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}, token_type="DPoP")
    believed = await world.ask()
    assert isinstance(believed, Believed)
    assert dict(believed.bound) == {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}


REFUSED: list[tuple[str, str, bytes]] = [
    ("not active", "inactive", b'{"active": false}'),
    ("active a string", "inactive", said().replace(b"true", b'"true"')),
    ("no word of active", "inactive", b"{}"),
    ("of another issuer", "issuer-unknown", said(iss="https://evil.example")),
    ("for somebody else", "aud-mismatch", said(aud="billing")),
    ("past its end", "expired", said(exp=NOW - 1)),
    ("without an end", "exp-missing", said(exp=None)),
]


@pytest.mark.parametrize(("reason", "body"), [pytest.param(r, b, id=name) for name, r, b in REFUSED])
async def test_a_bearer_is_refused_as_any_other_would_be(reason: str, body: bytes, world: World) -> None:
    world.endpoint.body = body
    assert await world.ask() == Refused(reason)


FAULTS: list[tuple[str, str, int, bytes, dict[str, str]]] = [
    ("an outage", "status-not-200", 503, b"", {}),
    ("a bad request", "status-not-200", 400, b'{"error": "invalid_request"}', {}),
    ("forbidden", "status-not-200", 403, b"", {}),
    ("accepted, not answered", "status-not-200", 202, b'{"active": true}', {}),
    ("a redirect", "status-not-200", 307, b"", {"location": "/elsewhere"}),
    ("our own credential refused", "credential-refused", 401, b'{"error": "invalid_client"}', {}),
    ("a page", "answer-not-json", 200, b"<html>", {}),
    ("nothing", "answer-not-json", 200, b"", {}),
    ("a list", "answer-not-json", 200, b"[true]", {}),
    ("active twice", "answer-not-json", 200, b'{"active": false, "active": true}', {}),
    ("a signed answer (RFC 9701)", "answer-not-json", 200, b"eyJ.eyJ.sig", {}),
    ("over 64 KB", "too-large", 200, b'{"active": true}' + b" " * 65536, {}),
    ("compressed, unasked", "encoded", 200, gzip.compress(said()), {"content-encoding": "gzip"}),
    ("no http", "unreachable", 200, said(), {"content-length": "many"}),
]


@pytest.mark.parametrize(
    ("fault", "status", "body", "headers"), [pytest.param(f, s, b, h, id=name) for name, f, s, b, h in FAULTS]
)
async def test_what_is_no_answer_is_nobodys_fault_who_sent_a_bearer(
    fault: str, status: int, body: bytes, headers: dict[str, str], world: World
) -> None:
    world.endpoint.status, world.endpoint.body, world.endpoint.headers = status, body, headers
    assert await world.ask() == DOWN
    assert (world.asks.fault, world.asks.faults) == (fault, {fault: 1})
    assert len(world.endpoint.asked) == 1


async def test_an_answer_after_an_outage_clears_the_fault(world: World) -> None:
    world.endpoint.status = 503
    assert await world.ask() == DOWN
    world.endpoint.status = 200
    world.now += KEPT[Unavailable]
    assert isinstance(await world.ask(), Believed)
    assert world.asks.fault is None


async def test_an_endpoint_that_never_answers_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(introspect, "SECONDS", 0.05)
    world.endpoint.open.clear()
    assert await world.ask() == DOWN
    assert world.asks.fault == "timed-out"


async def test_a_port_where_nobody_listens_is_an_outage() -> None:
    async with Endpoint() as endpoint:
        pass
    world = World(endpoint)
    assert await world.ask() == DOWN
    assert world.asks.fault == "unreachable"
    await world.asks.close()


@pytest.mark.parametrize("url", ["http://idp.example/introspect", "http://10.0.0.1/", "ftp://127.0.0.1/", "https://"])
async def test_no_bearer_goes_where_others_could_read_it(url: str) -> None:
    world = World(Endpoint(), url)
    assert await world.ask() == DOWN
    assert world.asks.fault == "address-not-trusted"
    await world.asks.close()


async def test_an_unforeseen_fault_reaches_nobody_as_an_exception(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(introspect, "from_introspection", broken)
    assert await world.ask() == DOWN
    assert world.asks.fault == "introspection-broke"


async def test_our_own_credential_refused_is_said_once_and_without_values(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.endpoint.status = 401
    for bearer in numbered(3):
        assert await world.ask(bearer) == DOWN
    (said_once,) = [record for record in caplog.records if record.name == introspect.__name__]
    assert said_once.levelname == "ERROR"
    assert "own credential" in said_once.getMessage()
    assert not any(secret in caplog.text for secret in (CLIENT, SECRET, "invented-bearer", "Basic"))


async def test_without_a_credential_in_the_environment_nothing_is_asked(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.environ.clear()
    assert await world.ask() == DOWN
    assert (world.asks.fault, world.endpoint.asked) == ("credential-missing", [])
    assert "environment variable" in caplog.text
    assert "INTROSPECTION" not in caplog.text


# -- what is kept ---------------------------------------------------------------------------------------------------


async def test_what_is_believed_is_kept_for_thirty_seconds(world: World) -> None:
    first = await world.ask()
    world.now += 29.9
    assert await world.ask() is first
    world.endpoint.body = b'{"active": false}'
    world.now += 0.1
    assert await world.ask() == Refused("inactive")
    assert len(world.endpoint.asked) == 2


async def test_nothing_is_kept_past_its_end(world: World) -> None:
    world.endpoint.body = said(exp=NOW + 10)
    assert isinstance(await world.ask(), Believed)
    world.now += 10
    assert await world.ask() == Refused("expired")


async def test_a_refusal_is_kept_for_five_seconds(world: World) -> None:
    world.endpoint.body = b'{"active": false}'
    assert await world.ask() == Refused("inactive")
    world.endpoint.body = said()
    world.now += 4.9
    assert await world.ask() == Refused("inactive")
    world.now += 0.1
    assert isinstance(await world.ask(), Believed)
    assert len(world.endpoint.asked) == 2


async def test_an_outage_is_kept_for_a_second_also_for_what_was_believed(world: World) -> None:
    await world.ask()
    world.endpoint.status = 503
    world.now += 30
    assert [await world.ask(), await world.ask()] == [DOWN, DOWN]
    assert len(world.endpoint.asked) == 2
    world.endpoint.status = 200
    world.now += 1
    assert isinstance(await world.ask(), Believed)


async def test_time_that_passes_while_asking_counts(world: World) -> None:
    world.endpoint.body = said(exp=NOW + 3)
    world.endpoint.open.clear()
    waiting = asyncio.create_task(world.ask())
    await world.until(asked=1)
    world.now += 3
    world.endpoint.open.set()
    assert await waiting == Refused("expired")


async def test_what_is_kept_is_bounded_and_the_oldest_leaves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(introspect, "ENTRIES", 3)
    for bearer in numbered(5):
        await world.ask(bearer)
    await world.ask(numbered(5)[4])
    assert len(world.endpoint.asked) == 5
    await world.ask(numbered(5)[0])
    assert len(world.endpoint.asked) == 6
    world.endpoint.body = b'{"active": false}'
    for bearer in numbered(5, first=10):
        await world.ask(bearer)
    assert (len(world.asks._believed), len(world.asks._others)) == (3, 3)


async def test_no_bearer_is_kept_itself(world: World) -> None:
    await world.ask()
    assert all(len(digest) == 32 and BEARER.encode() not in digest for digest in world.asks._believed)
    assert BEARER not in repr(world.asks._believed)


# -- how much is asked ----------------------------------------------------------------------------------------------


async def test_all_who_send_a_bearer_share_one_question(world: World) -> None:
    world.endpoint.open.clear()
    waiting = [asyncio.create_task(world.ask()) for _ in range(200)]
    await world.until(asked=1)
    world.endpoint.open.set()
    outcomes = await asyncio.gather(*waiting)
    assert isinstance(outcomes[0], Believed)
    assert all(outcome is outcomes[0] for outcome in outcomes)
    assert len(world.endpoint.asked) == 1


async def test_who_gives_up_does_not_end_the_question_for_the_others(world: World) -> None:
    world.endpoint.open.clear()
    first, second = asyncio.create_task(world.ask()), asyncio.create_task(world.ask())
    await world.until(asked=1)
    first.cancel()
    await asyncio.sleep(0)
    world.endpoint.open.set()
    assert isinstance(await second, Believed)
    assert first.cancelled()


async def test_bearers_that_nobody_knows_are_asked_about_fifty_times_a_second(world: World) -> None:
    world.endpoint.body = b'{"active": false}'
    outcomes = [await world.ask(bearer) for bearer in numbered(1000)]
    assert outcomes == [Refused("inactive")] * int(STRANGERS) + [DOWN] * (1000 - int(STRANGERS))
    assert len(world.endpoint.asked) == 50
    world.now += 0.125
    for bearer in numbered(100, first=1000):
        await world.ask(bearer)
    assert len(world.endpoint.asked) == 50 + 6
    world.now += 3600
    for bearer in numbered(100, first=2000):
        await world.ask(bearer)
    assert len(world.endpoint.asked) == 50 + 6 + 50


async def test_a_flood_of_inventions_shuts_nobody_out_who_was_believed(world: World) -> None:
    assert isinstance(await world.ask(), Believed)
    world.now += 30
    world.endpoint.body = b'{"active": false}'
    world.endpoint.by_bearer[BEARER] = said()
    world.endpoint.open.clear()
    flood = [asyncio.create_task(world.ask(bearer)) for bearer in numbered(1000)]
    await world.until(asked=1 + AT_ONCE)
    honest = asyncio.create_task(world.ask())
    await world.until(asked=1 + AT_ONCE + 1)
    assert world.endpoint.asked[-1].form["token"] == [BEARER]
    world.endpoint.open.set()
    assert isinstance(await honest, Believed)
    await asyncio.gather(*flood)


async def test_no_more_than_thirty_two_questions_are_under_way(world: World) -> None:
    known = numbered(40)
    for bearer in known:
        await world.ask(bearer)
    world.now += 30
    world.endpoint.open.clear()
    waiting = [asyncio.create_task(world.ask(bearer)) for bearer in known + numbered(40, first=100)]
    await world.until(asked=40 + 2 * AT_ONCE)
    await asyncio.sleep(0.05)
    assert len(world.endpoint.asked) == 40 + 2 * AT_ONCE == 72
    world.endpoint.open.set()
    assert all(isinstance(outcome, Believed) for outcome in await asyncio.gather(*waiting))
    assert world.endpoint.busiest == 2 * AT_ONCE == 32


async def test_who_waits_too_long_for_a_turn_is_told_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(introspect, "WAIT", 0.05)
    world.endpoint.open.clear()
    first = [asyncio.create_task(world.ask(bearer)) for bearer in numbered(AT_ONCE)]
    await world.until(asked=AT_ONCE)
    assert await world.ask() == DOWN
    world.endpoint.open.set()
    assert all(isinstance(outcome, Believed) for outcome in await asyncio.gather(*first))
    assert isinstance(await world.ask(), Believed), "having waited in vain says nothing about a bearer"


async def test_closing_ends_what_is_under_way_for_those_who_wait_as_an_outage(world: World) -> None:
    world.endpoint.open.clear()
    under_way = asyncio.create_task(world.ask())
    await world.until(asked=1)
    barely_begun = asyncio.create_task(world.ask(numbered(1)[0]))
    await asyncio.sleep(0)
    await world.asks.close()
    assert [await under_way, await barely_begun] == [DOWN, DOWN]


# -- what is asked about --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bearer",
    [
        "",
        "x" * 19,
        "x" * 4097,
        "x" * 20 + " ",
        "x" * 20 + "\n",
        "x" * 20 + "\0",
        "x" * 20 + "&token=other",
        "x" * 20 + "=x",
        "=" * 20,
        "x" * 20 + "\u00e9",
        "\uff58" * 20,
        "\u0661" * 20,
        "x" * 20 + "\udc80",
        "x" * 20 + ", Bearer y",
    ],
)
async def test_what_could_be_no_bearer_is_asked_about_nobody(bearer: str, world: World) -> None:
    assert await world.ask(bearer) == Refused("malformed")
    assert world.endpoint.asked == []


@pytest.mark.parametrize("bearer", ["x" * 20, "x" * 4096, "a.b" * 10, "-._~+/" * 4 + "==", "h.k.i.c.t" * 3])
async def test_every_bearer_in_the_syntax_of_rfc_6750_is_asked_about(bearer: str, world: World) -> None:
    assert isinstance(await world.ask(bearer), Believed)
    assert world.endpoint.asked[0].form["token"] == [bearer]


@given(st.text(alphabet="ab.-", max_size=12))
def test_three_segments_are_a_jws_and_all_else_is_opaque(bearer: str) -> None:
    assert opaque(bearer) == (len(bearer.split(".")) != 3)


def test_an_issuer_without_an_endpoint_cannot_be_asked() -> None:
    with pytest.raises(ValueError, match="names no introspection endpoint"):
        Introspector(Rule())
