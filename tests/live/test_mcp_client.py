"""The official MCP client in front of the official MCP server, both unmodified, with the gateway between them."""

import asyncio
import contextlib
import json
import threading
import time
from collections import deque

import httpx
import httpx2
import mcp_types
import pytest
import uvicorn
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

from model_server import Answer
from people import policy_for
from processes import Gateway, free_port, listening
from tests.dialect.reading import traces
from tests.stage import until
from tests.traffic import CANARY_MRN, CANARY_NAME, CANARY_SSN, CANARY_TEXT, records

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning"),  # of what older versions of the protocol have
]


class Note(BaseModel):
    patient_name: str
    mrn: int
    lines: list[str]


class Wish(BaseModel):
    ward: str


def server(heard):
    made = MCPServer("ward", instructions=f"Ask about {CANARY_NAME}.")

    @made.tool(description=f"Reads a chart. {CANARY_TEXT}")
    async def chart(about: str, ctx: Context) -> Note:
        heard.append(about)
        await ctx.report_progress(1, 2, f"reading: {CANARY_TEXT}")
        return Note(patient_name=CANARY_NAME, mrn=int(CANARY_MRN), lines=[CANARY_TEXT])

    @made.tool()
    async def ask(ctx: Context) -> str:
        await ctx.info({"ssn": CANARY_SSN, "note": CANARY_TEXT})
        wish = await ctx.elicit(f"Which ward? {CANARY_TEXT}", Wish)
        return f"{wish.data.ward}: {CANARY_TEXT}"

    @made.tool()
    def fail() -> str:
        raise ToolError(f"no chart: {CANARY_TEXT}")

    @made.tool()
    def scan() -> Image:
        return Image(data=b"\x89PNG\r\n", format="png")

    @made.resource("chart://today", description=CANARY_TEXT)
    def today() -> str:
        return CANARY_TEXT

    @made.prompt(description=CANARY_TEXT)
    def handover(to: str) -> str:
        heard.append(to)
        return f"Hand over: {CANARY_TEXT}"

    return made.streamable_http_app()


@pytest.fixture(scope="module")
def heard():
    return []


@pytest.fixture(scope="module")
def tools(heard):
    """The server, on a free port, in a thread of its own."""
    port = free_port()
    config = uvicorn.Config(server(heard), port=port, log_level="critical", timeout_graceful_shutdown=1)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, name="mcp-server", daemon=True)
    thread.start()
    asyncio.run(until(lambda: listening(port)))
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def between(tools, issuer, tmp_path_factory):
    """A gateway in front of it, whose clinicians and researchers may predict."""
    policy = policy_for(issuer.url, tmp_path_factory.mktemp("mcp-policy"))
    text = policy.read_text()
    policy.write_text(
        text.replace("to: [chat, complete, embed]\n", "to: [predict]\n").replace("to: [chat]\n", "to: [predict]\n")
    )
    with Gateway(tools, policy, tmp_path_factory.mktemp("mcp")) as running:
        yield running


@contextlib.asynccontextmanager
async def connected(gateway, bearer, mode, **more):
    headers = {"authorization": f"Bearer {bearer}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=20) as connections,
        Client(streamable_http_client(f"{gateway.url}/mcp", http_client=connections), mode=mode, **more) as client,
    ):
        yield client


MODES = pytest.mark.parametrize("mode", ["legacy", "auto"])


@MODES
async def test_tools_resources_and_prompts(between, bearers, heard, mode):
    heard.clear()
    said = []

    async def progress(_done, _all, message):
        said.append(message)

    async with connected(between, bearers["dr.okafor"], mode) as client:
        assert client.protocol_version == ("2025-11-25" if mode == "legacy" else "2026-07-28")
        instructions = client.instructions
        listed = (await client.list_tools()).model_dump()
        called = await client.call_tool("chart", {"about": CANARY_TEXT}, progress_callback=progress)
        resources = (await client.list_resources()).model_dump(mode="json")
        read = (await client.read_resource("chart://today")).model_dump(mode="json")
        prompt = (await client.get_prompt("handover", {"to": "night"})).model_dump()
    assert [tool["name"] for tool in listed["tools"]] == ["chart", "ask", "fail", "scan"]
    assert called.structured_content.keys() == {"patient_name", "mrn", "lines"}
    assert "furosemide 40 mg" in called.content[0].text
    assert "furosemide 40 mg" in read["contents"][0]["text"]
    assert "furosemide 40 mg" in prompt["messages"][0]["content"]["text"]
    assert "furosemide 40 mg" in said[0]
    assert heard == [CANARY_TEXT, "night"]
    assert instructions.startswith("Ask about ")
    for seen in (instructions, listed, called.model_dump(), resources, read, prompt, said):
        assert traces(seen) == []


async def test_what_a_server_asks_and_tells_of_its_own_accord(between, bearers):
    asked, logged = [], []

    async def elicit(_context, params):
        asked.append(params.message)
        return mcp_types.ElicitResult(action="accept", content={"ward": "blue"})

    async def log(params):
        logged.append(params.data)

    async with connected(
        between, bearers["dr.okafor"], "legacy", elicitation_callback=elicit, logging_callback=log
    ) as client:
        answer = (await client.call_tool("ask")).content[0].text
    assert answer.startswith("blue: Patient: ")
    assert asked[0].startswith("Which ward? Patient: ")
    assert logged[0].keys() == {"ssn", "note"}
    assert traces([asked, logged, answer]) == []


@MODES
async def test_a_masked_call(between, bearers, heard, mode):
    heard.clear()
    async with connected(between, bearers["sam.lindqvist"], mode) as client:
        await client.call_tool("chart", {"about": CANARY_TEXT})
    assert len(heard) == 1
    assert traces(heard) == []
    assert "furosemide 40 mg" in heard[0]


@MODES
async def test_errors_are_the_clients_own(between, bearers, mode):
    async with connected(between, bearers["dr.okafor"], mode) as client:
        failed = await client.call_tool("fail")
        assert failed.is_error
        assert traces(failed.content[0].text) == []
        with pytest.raises(MCPError, match=r"could not be checked|broke this answer off"):
            await client.call_tool("scan")
        with pytest.raises(MCPError) as unknown:
            await client.read_resource(f"chart://{CANARY_SSN}")
        assert traces(str(unknown.value)) == []


@pytest.mark.parametrize(("login", "said"), [("lee.castellano", "permits this"), (None, "bearer is not believed")])
async def test_refusals_are_the_clients_own_errors(between, bearers, login, said):
    with pytest.RaisesGroup(pytest.RaisesExc(MCPError, match=said), flatten_subgroups=True):
        async with connected(between, bearers.get(login, "no-bearer"), "legacy"):
            pass


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def test_a_session_over_plain_http(between, bearers):
    """Statuses and headers: 202 for what has no answer, a stream that stays open, an end that is believed."""
    headers = {"authorization": f"Bearer {bearers['dr.okafor']}", "accept": "application/json, text/event-stream"}
    with httpx.Client(base_url=between.url, headers=headers, trust_env=False, timeout=10) as client:
        opened = client.post("/mcp", json=INITIALIZE)
        assert opened.status_code == 200
        own = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-06-18"}
        told = client.post("/mcp", headers=own, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert (told.status_code, told.content) == (202, b"")
        with client.stream("GET", "/mcp", headers=own) as stream:
            assert (stream.status_code, stream.headers["content-type"]) == (200, "text/event-stream")
        others = own | {"authorization": f"Bearer {bearers['sam.lindqvist']}"}
        for method, body in (("POST", INITIALIZE), ("GET", None), ("DELETE", None)):
            refused = client.request(method, "/mcp", headers=others, json=body)
            assert (refused.status_code, refused.headers["phi-reason"]) == (404, "session-unknown")
        ended = client.delete("/mcp", headers=own)
        assert (ended.status_code, ended.content) == (200, b"")
        assert client.post("/mcp", headers=own, json={"jsonrpc": "2.0", "id": 1, "method": "ping"}).status_code == 404
        assert client.request("DELETE", "/mcp", headers=own, json=INITIALIZE).status_code == 400
        assert client.delete("/v1/chat/completions").status_code == 405


# -- a server that a test scripts -----------------------------------------------------------------------------------


def notified(text):
    params = {"level": "info", "data": {"note": text}}
    return (
        b"data: "
        + json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": params}).encode()
        + b"\n\n"
    )


async def test_an_endless_stream_gives_each_message_at_once_and_keeps_it(wide, model, bearers):
    first, last = threading.Event(), threading.Event()
    model.script = Answer.events([notified(CANARY_TEXT), first, b"id: 7\ndata:\n\n", notified("Second."), last])

    def kept_of(stream):
        return [each for each in records(wide.journal) if each.get("exchange") == stream.headers["phi-exchange"]]

    with listening_at(wide, bearers["dr.okafor"]) as stream:
        lines = stream.iter_lines()
        told = next(line for line in lines if line.startswith("data: "))
        await until(lambda: (kept := kept_of(stream)) and kept[-1]["kind"] == "part")
        first.set()
        after = [next(lines) for _ in range(5)]
        last.set()
    assert "furosemide 40 mg" in told
    assert traces(told) == traces(kept_of(stream)) == []
    assert after[1].startswith("id: 7.")
    assert [after[0], *after[2:4]] == ["", "data: ", ""]
    assert "Second." in after[4]


def test_an_endless_stream_ends_with_its_bearer(wide, model, issuer):
    """A minute after that has expired: the policy believes one that has expired for less."""
    expired = time.time() - 57
    bearer = issuer.mint("dr.okafor", ["ward-staff"], iat=expired - 60, exp=expired)
    kept_open = threading.Event()
    model.script = Answer.events([notified("All is well."), kept_open])
    try:
        with listening_at(wide, bearer) as stream, pytest.raises(httpx.RemoteProtocolError):
            deque(stream.iter_lines(), maxlen=0)
    finally:
        kept_open.set()


@contextlib.contextmanager
def listening_at(gateway, bearer):
    headers = {"authorization": f"Bearer {bearer}"}
    with (
        httpx.Client(trust_env=False, timeout=15) as client,
        client.stream("GET", f"{gateway.url}/mcp", headers=headers) as stream,
    ):
        assert stream.status_code == 200
        yield stream
