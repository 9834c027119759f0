"""A furnished house and flows for the tests of the glue: real policy, keys, journal, mitmproxy; no process, no wire."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import time
from typing import TYPE_CHECKING, Any

from mitmproxy import addons, http
from mitmproxy.test import taddons, tflow, tutils
from mitmproxy.websocket import WebSocketMessage
from wsproto.frame_protocol import Opcode

from phigate import flows
from phigate.dialect.known import ROUTES as KNOWN
from phigate.dialect.routes import Match
from phigate.exchange import Subject
from phigate.host import lockdown
from phigate.host.addresses import Addresses
from phigate.host.observers import Observers
from phigate.house import House
from phigate.policy.decide import PromptFacts, decide
from tests import policies
from tests.identity import forge
from tests.traffic import CHAT, chat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

ISSUER = "https://idp.example"
RULES = (
    "{name: care, permit: [clinician], to: [chat, complete, embed], models: ['*'], purpose: treatment, mask: lean}",
    "{name: blind, permit: [researcher], to: [chat], models: ['*'], prompt: lean, mask: years}",
    "{name: lists, permit: ['*'], to: [list-models], models: ['*']}",
    "{name: see, hold: [clinician], to: [unmask], models: ['*'], approvers: [officer], grant: {uses: 1}, mask: reveal}",
    "{name: no-bulk, deny: ['*'], to: [chat], when: {prompt_matches: ['(?i)list all patients']}, message: Ask us.}",
)
ROUTES = {route.name: route for route in KNOWN}


def policy_text(*rules: str, tail: str = "") -> str:
    return policies.text(*(rules or RULES), tail=tail).replace("keys: discover", "keys: file:keys.json")


def policy_in(folder: Path, text: str | None = None) -> Path:
    """A policy file, with the keys of the issuer it believes beside it."""
    (folder / "keys.json").write_text(json.dumps({"keys": [forge.jwk_of("rsa")]}))
    path = folder / "policy.yaml"
    path.write_text(text or policy_text())
    return path


def places(folder: Path) -> dict[str, str]:
    """Where a gateway whose files are all in one folder has them, by option without `phi_`."""
    return {
        "journal": str(folder / "journal"),
        "secrets": str(folder / "keys" / "secrets"),
        "keys": str(folder / "keys"),
        "ledger": f"sqlite+aiosqlite:///{folder / 'ledger.db'}",
    }


def furnished(folder: Path, text: str | None = None, console: str = "http://127.0.0.1:8090") -> House:
    house = House()
    here = Addresses("http://127.0.0.1:8080", console)
    house.furnish(policy=str(policy_in(folder, text)), **places(folder), instance="test", addresses=here)
    return house


@contextlib.asynccontextmanager
async def followed(house: House) -> AsyncIterator[House]:
    """A house that has looked at its ledger, until both are closed at the end."""
    await house.agreement.look()
    yield house
    await house.agreement.close()
    house.journal.close("test over")


def kept(house: House, *kinds: str) -> list[dict[str, Any]]:
    """The records of these kinds that are on the disk."""
    records = map(json.loads, house.journal.path.read_bytes().splitlines())
    return [record for record in records if record["kind"] in kinds]


def bearer(*groups: str, who: str = "ada", **changes: Any) -> str:
    """What the issuer gives a person of these groups, for the next fifty minutes."""
    now = time.time()
    claims = {"iss": ISSUER, "sub": who, "groups": list(groups), "iat": now - 10, "exp": now + 3000}
    return forge.mint(forge.claims(**(claims | changes)))


@contextlib.contextmanager
def mitmproxy(*more: object, **options: Any) -> Iterator[taddons.context]:
    """mitmproxy with all its own addons, as `mitmdump` has them, and some more; nothing listens."""
    with taddons.context(*addons.default_addons(), *more, loadcore=False) as context:
        context.options.update(**options)
        yield context


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Return as soon as a condition holds; AssertionError when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.005)


async def connected(port: int, context: taddons.context) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client of mitmproxy's own server, once that knows of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    server = context.master.addons.get("proxyserver")
    await until(lambda: server.connections)
    return reader, writer


@contextlib.asynccontextmanager
async def listening(context: taddons.context, upstream: str = "http://127.0.0.1:9") -> AsyncIterator[int]:
    """mitmproxy's own server on a loopback port, in front of an upstream."""
    server = context.master.addons.get("proxyserver")
    where = {"listen_host": "127.0.0.1", "listen_port": 0, "connection_strategy": "lazy"}
    context.options.update(mode=[f"reverse:{upstream}"], **where)
    await server.setup_servers()
    server.running()
    try:
        yield server.listen_addrs()[0][1]
    finally:
        lockdown.cut_connections(context.master)
        await server.servers.update([])
        await until(lambda: not server.connections)


def asking(
    body: object = None, *, method: str = "POST", path: str = CHAT, said: str | None = None, **headers: str
) -> http.HTTPFlow:
    """A flow whose request was read; `said` is a bearer, headers are written with `_` for `-`."""
    content = b"" if method == "GET" else body if isinstance(body, bytes) else json.dumps(body or chat()).encode()
    fields = [(b"Host", b"gateway:8080"), (b"User-Agent", b"curl/8")]
    fields += [(b"Content-Type", b"application/json")] if content and "content_type" not in headers else []
    fields += [(b"Authorization", f"Bearer {said}".encode())] if said else []
    fields += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    request = tutils.treq(method=method.encode(), path=path.encode(), headers=http.Headers(fields), content=content)
    return tflow.tflow(req=request)


def answered(content: bytes, status: int = 200, **headers: str) -> http.Response:
    """What a model server answers, JSON unless it says otherwise."""
    fields = {"content_type": "application/json"} | headers
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    return tutils.tresp(status_code=status, headers=http.Headers(raw), content=content)


def entered(flow: http.HTTPFlow, *roles: str, route: str = "openai-chat") -> flows.Passage:
    """The flow as Refuse and Identity leave it: withheld, its route known, and who asks (nobody without roles)."""
    passage = flows.enter(flow)
    flows.withhold(flow, passage)
    passage.route = ROUTES[route]
    passage.match = Match((passage.route,))
    exchange = passage.exchange
    exchange.dialect, exchange.route = passage.route.dialect, passage.route.name
    exchange.actions = frozenset({passage.route.action})
    if roles:
        exchange.subject = Subject(ISSUER, "ada", (), frozenset(roles), time.time() + 600)
        exchange.session = "se-1"
    return passage


def permitted(flow: http.HTTPFlow, house: House, *roles: str, **more: Any) -> flows.Passage:
    """The flow as Access leaves it: the policy has been asked, and nothing was refused."""
    passage = entered(flow, *(roles or ("clinician",)), **more)
    exchange = passage.exchange
    exchange.request = json.loads(flow.request.content or b"null")
    exchange.model = exchange.target = "ward-assistant"
    assert exchange.subject is not None
    exchange.decision = decide(
        house.policy, exchange.subject, exchange.actions, exchange.target, PromptFacts(), (), time.time()
    )
    return passage


def released(flow: http.HTTPFlow, house: House, *roles: str, **more: Any) -> flows.Passage:
    """The flow as it is while the model works: recorded, let go, nothing in its answer's place."""
    passage = permitted(flow, house, *roles, **more)
    passage.exchange.recorded = passage.exchange.contacted = True
    passage.contacted_at = time.monotonic()
    flow.response = None
    return passage


async def meet(addon: object, hook: str, flow: http.HTTPFlow) -> None:
    """Let a room's hook see a flow, whether it waits for anything or not."""
    result = getattr(addon, hook)(flow)
    if inspect.isawaitable(result):
        await result


def said_in(flow: http.HTTPFlow) -> Any:
    """The error object of the answer that stands in a flow."""
    assert flow.response is not None
    return json.loads(flow.response.content or b"null")["error"]


def observed(house: House, context: taddons.context) -> House:
    house.observers = Observers(context.master)
    return house


def conversing(house: House, *roles: str) -> tuple[http.HTTPFlow, flows.Passage]:
    """A flow whose WebSocket is open, as the rooms have left it; nobody said anything yet."""
    flow = tflow.twebsocketflow()
    assert flow.websocket is not None
    flow.websocket.messages, flow.websocket.timestamp_end = [], None
    passage = entered(flow, *(roles or ("clinician",)), route="realtime")
    exchange = passage.exchange
    exchange.model = exchange.target = "ward-assistant"
    assert exchange.subject is not None
    passage.reasons, passage.decided_by, passage.believed_by = PromptFacts(), house.policy, house.policy
    passage.target = house.policy.resolve(exchange.model)
    exchange.decision = decide(
        house.policy, exchange.subject, exchange.actions, exchange.target, passage.reasons, (), time.time()
    )
    exchange.recorded = exchange.contacted = passage.opened = True
    passage.plan, passage.status = "upgrade", 101
    return flow, passage


def saying(flow: http.HTTPFlow, message: object, *, caller: bool = True, text: bool = True) -> flows.Message:
    """A message on an open WebSocket, as Refuse leaves it."""
    content = message if isinstance(message, bytes) else json.dumps(message).encode()
    assert flow.websocket is not None
    flow.websocket.messages = [WebSocketMessage(Opcode.TEXT if text else Opcode.BINARY, caller, b"", dropped=True)]
    passage = flows.passage_of(flow)
    assert passage is not None
    passage.message = flows.Message(caller, text, content)
    return passage.message
