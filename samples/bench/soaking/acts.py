"""What people do to the gateway during the soak: a table of acts, how often each comes, and what should come of it.

An act is one thing that somebody does, mostly one exchange. It ends with what the caller saw, a row for each exchange:
its id, from the answer's head, is how it is found again in the journal.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from h2.exceptions import H2Error

from bench.cases import MODEL, PADDING
from bench.soaking import proto
from bench.soaking.wires import Answer, Gone, Head, Http2, Talk, Wire, request_of

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from issuer import SampleIssuer

CHAT: Final = "/v1/chat/completions"
LIFETIME: Final = 120
"""Seconds that a bearer is good for."""
KNOWN: Final = 20
"""People who come again and again."""
PATIENCE: Final = 60.0
"""Seconds that an act may take."""
BROKEN: Final = (OSError, EOFError, Gone, H2Error, ValueError)


@dataclass(frozen=True, slots=True)
class Row:
    """One exchange as its caller saw it: `exchange` is empty where no id was told, `status` 0 where nothing was.

    `whole` is whether its answer came to an end, `messages` how many of a gRPC stream were answered, and `sent` how
    many were sent: each is an exchange of its own, and only the first one's id is told.
    """

    act: str
    exchange: str
    status: int
    reason: str = ""
    whole: bool = True
    sent: int = 1
    messages: int = 1
    fault: str = ""

    def line(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Act:
    """`weight` is how often it comes, of all weights; `expected` the statuses that are right."""

    name: str
    weight: float
    does: Callable[[People], Awaitable[list[Seen]]]
    expected: frozenset[int]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one exchange of an act looked like: the answer, and whether its caller left on purpose."""

    answer: Answer
    left: bool = False
    sent: int = 1
    messages: int = 1


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the gateway listens: for HTTP, for gRPC, its console."""

    data: int
    grpc: int
    console: int


def prompt(word: str, size: int = 100) -> str:
    """A prompt whose first word says what is to be answered, of about so many characters."""
    return f"{word} How is she today? {PADDING * (size // len(PADDING))}"


def chat_body(text: str, *, stream: bool = False) -> bytes:
    tree = {"model": MODEL, "messages": [{"role": "user", "content": text}], "stream": stream}
    return json.dumps(tree).encode()


class People:
    """All callers: their bearers and the connections that they keep."""

    def __init__(self, issuer: SampleIssuer, ports: Ports, chance: random.Random, new: float) -> None:
        self.issuer, self.ports, self.chance = issuer, ports, chance
        self.share = new
        self.numbers = itertools.count(1)
        self.kept: dict[int, list[Wire]] = {}
        self.shared: dict[int, Http2] = {}
        self.opening = asyncio.Lock()
        self.bearers: dict[str, tuple[str, float]] = {}

    # -- who --------------------------------------------------------------------------------------------------------

    def bearer(self, group: str, who: str) -> str:
        """A bearer of somebody's, the same one for half of its lifetime."""
        made, until = self.bearers.get(who, ("", 0.0))
        now = time.time()
        if now >= until:
            exp = int(now) + LIFETIME
            made = self.issuer.mint(who, groups=[group], alg="ES256", exp=exp)
            if not who.startswith("new-"):
                self.bearers[who] = made, now + LIFETIME / 2
        return made

    def somebody(self, group: str = "ward-staff") -> str:
        """The bearer of one of those who are known, or of somebody new."""
        if self.chance.random() < self.share:
            return self.new(group)
        return self.bearer(group, f"{group}-{self.chance.randrange(KNOWN)}")

    def new(self, group: str = "ward-staff") -> str:
        return self.bearer(group, f"new-{next(self.numbers)}")

    # -- by what ----------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def wire(self, port: int | None = None, *, keep: bool = True) -> Any:
        """A connection of HTTP/1, kept or new; it is kept afterwards where nothing went wrong on it."""
        port = port or self.ports.data
        kept = self.kept.setdefault(port, [])
        wire: Wire | None = None
        while keep and kept and (wire is None or wire.reader.at_eof()):
            wire = kept.pop()
        if wire is None or wire.reader.at_eof():
            wire = await Wire.open(port)
        try:
            yield wire
        except BaseException:
            wire.close()
            raise
        if keep and not wire.last and not wire.writer.transport.is_closing():
            kept.append(wire)
        else:
            wire.close()

    async def http2(self, port: int, *, tls: bool) -> Http2:
        async with self.opening:
            found = self.shared.get(port)
            if found is None or not found.open:
                found = self.shared[port] = await Http2.connect(port, tls=tls)
            return found

    async def ask(
        self,
        bearer: str,
        path: str,
        body: bytes = b"",
        *,
        keep: bool = True,
        leave_after: int | None = None,
        method: str = "POST",
        **headers: str,
    ) -> Seen:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if bearer:
            fields["Authorization"] = f"Bearer {bearer}"
        request = request_of(method, path, fields, body, close=not keep)
        answer = Answer(Head(0, {}))
        async with self.wire(keep=keep) as wire:
            with _broken_off(answer, wire):
                await wire.ask(request, answer, leave_after)
        return Seen(answer, left=leave_after is not None and not answer.whole)

    async def ask_http2(self, bearer: str, body: bytes, leave_after: int | None = None) -> Seen:
        link = await self.http2(self.ports.data, tls=True)
        said = [(":method", "POST"), (":scheme", "https"), (":path", CHAT), (":authority", "gateway")]
        said += [("authorization", f"Bearer {bearer}"), ("content-type", "application/json")]
        answer = Answer(Head(0, {}))
        stream = link.begin([*said, ("content-length", str(len(body)))])
        await link.send(stream, body)
        with _broken_off(answer):
            await link.answer(stream, answer, leave_after)
        return Seen(answer, left=leave_after is not None and not answer.whole)

    async def call(self, bearer: str, method: str, count: int = 1, leave_after: int | None = None) -> Seen:
        link = await self.http2(self.ports.grpc, tls=False)
        path = f"{proto.SERVICE}/{method}"
        said = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "gateway")]
        said += [("authorization", f"Bearer {bearer}"), ("content-type", "application/grpc"), ("te", "trailers")]
        answer = Answer(Head(0, {}))
        stream = link.begin(said)
        for number in range(count):
            asked = proto.infer_request(MODEL, f"own-{number}", prompt("small", 300))
            await link.send(stream, proto.framed(asked), end=number == count - 1)
        with _broken_off(answer):
            await link.answer(stream, answer, leave_after)
        whole = sum(1 for _ in proto.messages(bytearray(answer.body)))
        # Of a call that ended with a fault nothing but that is told: which of its messages it was is not.
        answer.whole &= {**answer.head.fields, **answer.trailers}.get("grpc-status", "0") == "0"
        return Seen(answer, left=leave_after is not None and not answer.whole, sent=count, messages=whole)

    async def console(self, method: str, path: str, bearer: str = "", form: Mapping[str, str] | None = None) -> Answer:
        body = urlencode(form or {}).encode()
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        if form:
            headers |= {"Content-Type": "application/x-www-form-urlencoded"}
        if method == "POST":
            headers["Content-Length"] = str(len(body))
        async with self.wire(self.ports.console) as wire:
            told: Answer = await wire.ask(request_of(method, path, headers) + body)
        return told


@contextlib.contextmanager
def _broken_off(answer: Answer, wire: Wire | None = None) -> Iterator[None]:
    """An answer that began and broke off is what it is; one that never began is a fault."""
    try:
        yield
    except BROKEN:
        if wire is not None:
            wire.close()
        if not answer.head.status:
            raise


# --- what they do -----------------------------------------------------------------------------------------------------


def chats(word: str, *, stream: bool = False, size: int = 100, group: str = "ward-staff", **more: Any) -> Any:
    body = chat_body(prompt(word, size), stream=stream)

    async def do(people: People) -> list[Seen]:
        return [await people.ask(people.somebody(group), CHAT, body, **more)]

    return do


def chats_http2(word: str, *, stream: bool = False, leave_after: int | None = None) -> Any:
    body = chat_body(prompt(word), stream=stream)

    async def do(people: People) -> list[Seen]:
        return [await people.ask_http2(people.somebody(), body, leave_after)]

    return do


def posts(path: str, tree: Any, method: str = "POST") -> Any:
    body = json.dumps(tree).encode() if tree is not None else b""

    async def do(people: People) -> list[Seen]:
        return [await people.ask(people.somebody(), path, body, method=method)]

    return do


def calls(method: str, count: int = 1, leave_after: int | None = None) -> Any:
    async def do(people: People) -> list[Seen]:
        return [await people.call(people.somebody(), method, count, leave_after)]

    return do


async def no_bearer(people: People) -> list[Seen]:
    return [await people.ask("", CHAT, chat_body(prompt("small")))]


async def bad_bearer(people: People) -> list[Seen]:
    good = people.somebody()
    return [await people.ask(f"{good[:-8]}{os.urandom(4).hex()}", CHAT, chat_body(prompt("small")))]


async def bad_json(people: People) -> list[Seen]:
    return [await people.ask(people.somebody(), CHAT, b'{"model": "ward-assistant", "messages": [')]


async def malformed(people: People) -> list[Seen]:
    """Bytes that are no HTTP: the answer has no id, as there is no exchange."""
    answer = Answer(Head(0, {}))
    async with people.wire(keep=False) as wire:
        with _broken_off(answer, wire):
            await wire.ask(b"GET /v1/models HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", answer)
    return [Seen(answer)]


async def leaves_early(people: People) -> list[Seen]:
    """Ask and go, without a look at the answer."""
    request = request_of(
        "POST", CHAT, {"Authorization": f"Bearer {people.somebody()}"}, chat_body(prompt("paced"), stream=True)
    )
    async with people.wire(keep=False) as wire:
        wire.writer.write(request)
        await wire.writer.drain()
        await asyncio.sleep(people.chance.random() * 0.05)
    return [Seen(Answer(Head(0, {})), left=True)]


def converses(*, leave: bool = False, cut: bool = False) -> Any:
    async def do(people: People) -> list[Seen]:
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        upgrade |= {"Sec-WebSocket-Key": key, "Authorization": f"Bearer {people.somebody()}"}
        answer = Answer(Head(0, {}))
        async with people.wire(keep=False) as wire:
            wire.writer.write(request_of("GET", f"/v1/realtime?model={MODEL}", upgrade))
            answer.head = await wire.head()
            if answer.head.status != 101:
                return [Seen(answer)]
            talk = Talk(wire.reader, wire.writer, client=True)
            item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt("small")}]}
            await talk.say({"type": "conversation.item.create", "item": item}, {"type": "response.create"})
            with _broken_off(answer, wire):
                await _heard(talk, answer, leave=leave, cut=cut)
        return [Seen(answer, left=leave)]

    return do


async def _heard(talk: Talk, answer: Answer, *, leave: bool, cut: bool) -> None:
    async for each in talk.hear():
        if leave and each["type"].endswith("delta"):
            return
        if each["type"] == "response.done":
            if cut:
                await talk.say({"type": "input_text.cut"})
            else:
                talk.goodbye()
    answer.whole = True


async def waits(people: People) -> list[Seen]:
    """Held with the connection open, until somebody says yes or no (see `approve`)."""
    return [await people.ask(people.new("ml-platform"), CHAT, chat_body(prompt("small")))]


async def asks_twice(people: People) -> list[Seen]:
    """Held with a ticket; after the yes the same request goes through."""
    bearer, body = people.new(), chat_body(prompt("small"))
    first = await people.ask(bearer, CHAT, body, phi_unmask="ward round")
    ticket = json.loads(first.answer.body).get("error", {}).get("ticket")
    if ticket is None:
        return [first]
    await people.console("POST", f"/tickets/{ticket}/approve", officer(people))
    return [first, await people.ask(bearer, CHAT, body, phi_unmask="ward round")]


async def exchanges_bearer(people: People) -> list[Seen]:
    """A bearer of the gateway's own, for one exchange, and that exchange."""
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": people.somebody(),
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    told = await people.console("POST", "/token", form=form)
    if told.head.status != 200:
        return [Seen(told)]
    return [await people.ask(json.loads(told.body)["access_token"], CHAT, chat_body(prompt("small")))]


async def is_revoked(people: People) -> list[Seen]:
    """Somebody whose bearers are taken back, and who asks again."""
    who = f"gone-{next(people.numbers)}"
    bearer, body = people.bearer("ward-staff", who), chat_body(prompt("small"))
    people.bearers.pop(who)
    first = await people.ask(bearer, CHAT, body)
    await people.console("POST", "/revoke", officer(people), {"subject": who, "issuer": people.issuer.url})
    return [first, await people.ask(bearer, CHAT, body)]


async def probes(people: People) -> list[Seen]:
    return [Seen(await people.console("GET", path)) for path in ("/readyz", "/metrics", "/healthz")]


def officer(people: People) -> str:
    return people.bearer("privacy", "kai.holm")


async def approve(people: People) -> None:
    """Answer all that waits: yes to most, no to some."""
    told = await people.console("GET", "/tickets", officer(people))
    for each in json.loads(told.body).get("tickets", []):
        verb = "reject" if people.chance.random() < 0.1 else "approve"
        await people.console("POST", f"/tickets/{each['ticket']}/{verb}", officer(people))


INFER: Final = {"inputs": [{"name": "text_input", "datatype": "BYTES", "shape": [1], "data": [prompt("small", 300)]}]}
OK: Final = frozenset({200})
GENERATE: Final = {"text_input": prompt("small"), "parameters": {"max_tokens": 64}}
OLLAMA: Final = {"model": MODEL, "messages": [{"role": "user", "content": prompt("small")}], "stream": False}
LINES: Final = {"model": MODEL, "messages": [{"role": "user", "content": prompt("lines")}], "stream": True}
EMBED: Final = {"model": MODEL, "input": prompt("small", 500)}
V2: Final = f"/v2/models/{MODEL}"
ERRORS: Final = frozenset({500, 502, 503})

ACTS: Final = (
    Act("chat, 1 KB", 20, chats("small"), OK),
    Act("chat, 10 KB", 3, chats("middle", size=2000), OK),
    Act("chat, 100 KB", 0.3, chats("large"), OK),
    Act("prompt of 100 KB, masked", 0.2, chats("small", size=100_000, group="research"), OK),
    Act("chat, streamed", 6, chats("stream", stream=True), OK),
    Act("chat, streamed slowly", 2, chats("paced", stream=True), OK),
    Act("chat on a connection of its own", 6, chats("small", keep=False), OK),
    Act("chat over HTTP/2", 8, chats_http2("small"), OK),
    Act("chat over HTTP/2, streamed", 3, chats_http2("stream", stream=True), OK),
    Act("embeddings", 6, posts("/v1/embeddings", EMBED), OK),
    Act("models", 4, posts("/v1/models", None, "GET"), OK),
    Act("Ollama, whole", 3, posts("/api/chat", OLLAMA), OK),
    Act("Ollama, NDJSON", 3, posts("/api/chat", LINES), OK),
    Act("KServe, infer", 4, posts(f"{V2}/infer", INFER), OK),
    Act("KServe, generate", 2, posts(f"{V2}/generate", GENERATE), OK),
    Act("KServe, generate, streamed", 2, posts(f"{V2}/generate_stream", GENERATE), OK),
    Act("gRPC, one", 5, calls("ModelInfer"), OK),
    Act("gRPC, stream of 3", 2, calls("ModelStreamInfer", 3), OK),
    Act("realtime", 2, converses(), frozenset({101})),
    Act("no bearer", 3, no_bearer, frozenset({401})),
    Act("bearer not believed", 3, bad_bearer, frozenset({401})),
    Act("nobody's rule", 2, chats("small", group="visitors"), frozenset({403})),
    Act("denied prompt", 1, chats("list all patients and"), frozenset({403})),
    Act("no JSON", 2, bad_json, frozenset({400})),
    Act("unknown path", 2, posts("/v1/nowhere", {}), frozenset({404})),
    Act("no HTTP", 1, malformed, frozenset({400})),
    Act("held, waits", 0.5, waits, frozenset({200, 403})),
    Act("held, asks again", 0.3, asks_twice, frozenset({200, 403})),
    Act("bearer of the gateway's own", 0.5, exchanges_bearer, OK),
    Act("revoked", 0.1, is_revoked, frozenset({200, 401})),
    Act("leaves early", 1, leaves_early, frozenset({0})),
    Act("leaves a stream", 1, chats("paced", stream=True, leave_after=4, keep=False), OK),
    Act("resets a stream of HTTP/2", 1, chats_http2("paced", stream=True, leave_after=2), OK),
    Act("resets a stream of gRPC", 0.5, calls("ModelStreamInfer", 3, 1), OK),
    Act("leaves a WebSocket", 0.5, converses(leave=True), frozenset({101})),
    Act("model breaks a stream off", 1, chats("breaks", stream=True, keep=False), OK),
    Act("model cuts a WebSocket", 0.5, converses(cut=True), frozenset({101})),
    Act("model hangs up", 1, chats("shuts"), ERRORS),
    Act("model answers no JSON", 1, chats("babbles"), ERRORS),
    Act("model fails", 1, chats("fails"), ERRORS),
    Act("console", 1, probes, frozenset({200})),
)


async def done(act: Act, people: People) -> list[Row]:
    """Do an act; whatever goes wrong is a fault of its row."""
    try:
        async with asyncio.timeout(PATIENCE):
            seen = await act.does(people)
    except (*BROKEN, TimeoutError) as error:
        return [Row(act.name, "", 0, whole=False, fault=type(error).__name__)]
    return [row_of(act, each) for each in seen]


def row_of(act: Act, seen: Seen) -> Row:
    answer, head = seen.answer, seen.answer.head
    wrong = head.status not in act.expected and not (seen.left and not head.status)
    reason = head.fields.get("phi-reason", "")
    return Row(
        act.name,
        head.fields.get("phi-exchange", ""),
        head.status,
        reason,
        whole=answer.whole and not seen.left,
        sent=seen.sent,
        messages=seen.messages,
        fault=f"{head.status} {reason}".strip() if wrong else "",
    )
