"""The chain as gateway.py says it, loaded by mitmproxy from the script itself.

mitmproxy's test helper calls one addon and lets its exceptions through; in production the manager logs them, skips the
rest of the script and lets the flow go on. Both are asserted here: the one shows that nothing hides an exception, the
other that nothing passes because of one (tests/live/test_broken.py does the same to every function of a real gateway).
"""

import contextlib
import json
import logging

import pytest
from mitmproxy import hooks
from mitmproxy.proxy.layers import http as layer

from phigate import flows
from phigate.gate.sentinel import Sentinel
from phigate.host.recordings.recorded import metadata
from phigate.options import ROOT
from tests.stage import answered, asking, bearer, mitmproxy, places, policy_in, until
from tests.traffic import CANARY_TEXT, chat, completion, events, leaks, said

GATEWAY = ROOT / "addons" / "gateway.py"


class Chain:
    """The gateway inside a mitmproxy that does not listen."""

    def __init__(self, context):
        self.manager = context.master.addons
        (self.script,) = self.manager.get("scriptloader").addons
        (self.module,) = self.script.addons
        self.house = self.module.house

    @property
    def names(self):
        return [type(addon).__name__ for addon in self.module.addons]

    async def through(self, hook):
        """A hook as mitmproxy's test helper runs it: an exception of an addon is the test's."""
        for addon in self.manager.chain:
            await self.manager.invoke_addon(addon, hook)

    async def as_live(self, hook):
        """A hook as mitmproxy runs it for a connection."""
        await self.manager.handle_lifecycle(hook)

    async def ask(self, flow, run):
        await run(layer.HttpRequestHeadersHook(flow))
        await run(layer.HttpRequestHook(flow))
        if flow.response is not None:  # mitmproxy runs the hooks of an answer for ours as well
            await run(layer.HttpResponseHeadersHook(flow))
            await run(layer.HttpResponseHook(flow))
        return flow.response

    async def answer(self, flow, response, run):
        """What the client gets: a stream as its callable lets it out, else what stands in the flow at the end."""
        flow.response = response
        await run(layer.HttpResponseHeadersHook(flow))
        assert flow.response is not None
        guard = flow.response.stream
        out = [guard(part) for part in [*events(), b""]] if callable(guard) else []
        if not guard:  # mitmproxy reads the model's answer whole and puts it in place
            flow.response.data.content = response.raw_content
        await run(layer.HttpResponseHook(flow))
        streamed = b"".join(piece if isinstance(piece, bytes) else b"".join(piece) for piece in out)
        return streamed if callable(guard) else flow.response.content


@contextlib.asynccontextmanager
async def running(folder):
    """The gateway as `mitmdump -s addons/gateway.py` has it once it runs."""
    own = {"phi_policy": policy_in(folder), **{f"phi_{name}": place for name, place in places(folder).items()}}
    with mitmproxy(mode=["reverse:http://127.0.0.1:9"], confdir=str(folder / "conf")) as context:
        context.options.update_defer(**{name: str(value) for name, value in own.items()}, phi_console="")
        context.options.update(scripts=[str(GATEWAY)])
        loader = context.master.addons.get("scriptloader")
        await until(lambda: loader.addons and loader.addons[0].addons)
        chain = Chain(context)
        try:
            await chain.through(hooks.RunningHook())
            await until(lambda: chain.house.agreement.ledger)
            yield chain
        finally:
            chain.house.leaving = True  # else being removed would end this process
            for left in (chain.house.under_way, chain.house.contacted):  # by an exception in their hooks
                left.clear()
            await chain.through(hooks.DoneHook())
            await chain.house.verifier.close()


@pytest.fixture
async def chain(seams, tmp_path, monkeypatch):
    async with running(tmp_path) as made:
        # the gateway lets no template of others through; pytest's own capture wants to format them
        monkeypatch.setattr(logging, "raiseExceptions", False)
        yield made


ORDER = [
    *("Refuse", "Identity", "Access", "Masking", "Approval", "Capture"),
    *("Console", "Rpc", "Again", "Release"),
]
NO_ROOMS = {"Console", "Rpc", "Again"}
"""Those whom no flow meets."""


async def test_the_rooms_stand_in_the_order_of_the_script(chain):
    assert chain.names == ORDER


async def test_the_sentinel_stands_behind_them_all_on_its_own(chain):
    assert isinstance(chain.manager.chain[-1], Sentinel)
    assert chain.manager.chain.index(chain.manager.get("scriptloader")) < len(chain.manager.chain) - 1


WARD = ("ward",)
RUNS = ["through", "as_live"]


@pytest.mark.parametrize("run", RUNS)
async def test_a_permitted_exchange_is_masked_and_on_record(chain, run):
    run = getattr(chain, run)
    flow = asking(chat(CANARY_TEXT), said=bearer(*WARD))
    assert await chain.ask(flow, run) is None
    assert json.loads(flow.request.content) == chat(CANARY_TEXT)
    assert "authorization" not in flow.request.headers
    got = await chain.answer(flow, answered(completion()), run)
    assert b"furosemide 40 mg" in got
    assert leaks(got) == []
    assert flow.response.headers["phi-decision"] == "permit"
    exchange = flow.response.headers["phi-exchange"]
    records = [json.loads(line) for line in chain.house.journal.path.read_bytes().splitlines()]
    assert [record["kind"] for record in records if record.get("exchange") == exchange] == ["request", "response"]
    assert chain.house.under_way == set()


@pytest.mark.parametrize("run", RUNS)
async def test_a_stream_is_masked_on_its_way(chain, run):
    run = getattr(chain, run)
    flow = asking(chat(stream=True), said=bearer(*WARD))
    assert await chain.ask(flow, run) is None
    got = await chain.answer(flow, answered(b"", content_type="text/event-stream"), run)
    assert "furosemide 40 mg" in said(got)
    assert leaks(got) == []
    assert flow.error is None


REFUSED = [
    ("without a bearer", asking(), 401, "bearer-missing"),
    ("with a bearer that is none", asking(said="Quartermaine"), 401, "bearer-refused"),
    ("of another role", asking(said=bearer("privacy")), 403, "no-rule"),
    ("that a rule denies", asking(chat("List all patients"), said=bearer(*WARD)), 403, "denied"),
    ("that somebody has to approve", asking(said=bearer(*WARD), phi_unmask="ward round"), 403, "approval-required"),
    ("on an unknown route", asking(said=bearer(*WARD), path="/api/unheard-of"), 404, "route-unknown"),
]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize(("sentence", "flow", "status", "reason"), REFUSED, ids=[case[0] for case in REFUSED])
async def test_a_request_is_refused(chain, run, sentence, flow, status, reason):
    flow = flow.copy()
    flow.live = True
    response = await chain.ask(flow, getattr(chain, run))
    assert (response.status_code, json.loads(response.content)["error"]["code"]) == (status, reason)
    assert not flows.may_go(flow)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("live", [True, False])
async def test_what_a_flow_says_of_who_asked_is_believed_by_nobody(chain, run, live):
    """The flow claims in its metadata that somebody of the ward asked, and was permitted."""
    known = asking(chat(), said=bearer(*WARD))
    await chain.ask(known, getattr(chain, run))
    kept = flows.passage_of(known).records["request"]
    forged = asking(chat())
    forged.metadata = {"phigate": metadata(kept, None, made="live", time=1.0), "phi_exchange": kept["exchange"]}
    forged.live = live
    response = await chain.ask(forged, getattr(chain, run))
    said_of = (401, "bearer-missing") if live else (503, "not-live")
    assert (response.status_code, json.loads(response.content)["error"]["code"]) == said_of
    assert not flows.may_go(forged)


class BrokenError(Exception):
    """What a broken room raises."""


def broken(*_arguments):
    raise BrokenError(CANARY_TEXT)


BEFORE = [("Refuse", "requestheaders"), *((room, "request") for room in ORDER if room not in NO_ROOMS)]
BEHIND = [(room, hook) for hook in ("responseheaders", "response") for room in ("Refuse", "Masking", "Release")]
BEHIND += [("Capture", "response")]


def break_(chain, room, hook, monkeypatch):
    (addon,) = [addon for addon in chain.module.addons if type(addon).__name__ == room]
    monkeypatch.setattr(addon, hook, broken, raising=True)
    chain.manager.chain = list(chain.manager.chain)  # whoever remembers the hooks looks again


@pytest.mark.parametrize(("room", "hook"), BEFORE, ids=[".".join(case) for case in BEFORE])
async def test_an_exception_before_the_model_is_asked(chain, monkeypatch, room, hook):
    break_(chain, room, hook, monkeypatch)
    with pytest.raises(BrokenError):
        await chain.ask(asking(said=bearer(*WARD)), chain.through)
    response = await chain.ask(flow := asking(said=bearer(*WARD)), chain.as_live)
    assert response.status_code == 503
    assert json.loads(response.content)["error"]["code"] == "not-decided"
    assert not flows.may_go(flow)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("room", "hook"), BEHIND, ids=[".".join(case) for case in BEHIND])
async def test_an_exception_behind_the_model(chain, monkeypatch, room, hook, stream):
    upstream = answered(b"".join(events()), content_type="text/event-stream") if stream else answered(completion())
    one, two = asking(said=bearer(*WARD)), asking(said=bearer(*WARD))
    assert await chain.ask(one, chain.through) is None
    assert await chain.ask(two, chain.as_live) is None
    break_(chain, room, hook, monkeypatch)
    with pytest.raises(BrokenError):
        await chain.answer(one, upstream.copy(), chain.through)
    got = await chain.answer(two, upstream.copy(), chain.as_live)
    assert leaks(got) == []
    assert two.error is not None or two.response.status_code == 503 or b"[DONE]" not in got or hook == "responseheaders"


async def test_a_flow_from_a_file_is_refused(chain):
    flow = asking(said=bearer(*WARD))
    flow.live = False
    response = await chain.ask(flow, chain.as_live)
    assert json.loads(response.content)["error"]["code"] == "not-live"


async def test_before_it_runs_nothing_is_decided(chain):
    chain.house.ready = False
    response = await chain.ask(asking(said=bearer(*WARD)), chain.as_live)
    assert json.loads(response.content)["error"]["code"] == "not-ready"
