"""Whole calls in the test's own loop: a caller that says anything, the house's rules, a model server that does."""

import asyncio
import contextlib
import time
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tritonclient.grpc import service_pb2 as pb

from phigate.access.meter import Meter
from phigate.audit import bodies
from phigate.audit.sealed import unseal
from phigate.capture import keep
from phigate.capture.keep import Keep
from phigate.capture.seal import Auditor
from phigate.dialect import kserve_grpc as kserve
from phigate.host.connections import lasting
from phigate.identity.replies import ANSWERS_FOR, ENDLESS_FOR
from phigate.ledger.tickets import Step
from phigate.policy.load import parse_policy
from phigate.rpc import call as module
from phigate.rpc.admission import Admission
from phigate.rpc.call import Calls
from phigate.rpc.framing import frame
from phigate.rpc.link import WINDOW, LaneBroken
from phigate.rpc.upstream import Address, Upstreams
from tests import stage
from tests.ledger.tickets import yes
from tests.rpc.test_admission import RULES, infer
from tests.rpc.test_answers import answer, texts_of
from tests.rpc.wire import answered, asked, connected, head, served
from tests.stage import bearer, until
from tests.traffic import CANARY_NAME, CANARY_TEXT, leaks, records

pytestmark = pytest.mark.asyncio(loop_scope="module")

INFER, STREAM = "/inference.GRPCInferenceService/ModelInfer", "/inference.GRPCInferenceService/ModelStreamInfer"


class World:
    """A house, what listens for it, a model server, and what was recorded."""

    def __init__(self, house, folder):
        self.house, self._folder = house, folder
        self._before = len(records(folder / "journal"))
        self.says = says(answer("Fine."))
        self.heads, self.asked, self.broken = [], [], []

    async def model(self, lane, _address):
        """The model server: `says` answers each stream."""
        self.heads.append(dict(lane.head))
        try:
            await self.says(self, lane)
        except LaneBroken as error:
            self.broken.append(error.code)
            raise
        except asyncio.CancelledError:
            self.broken.append("cancelled")
            raise

    def records(self, kind):
        return [line for line in records(self._folder / "journal")[self._before :] if line["kind"] == kind]

    def outcomes(self):
        return [line["outcome"] for line in self.records("response")]

    async def ask(self, *messages, path=INFER, **more):
        return await asked(self.client, *(_bytes(each) for each in messages), path=path, **(authorized() | more))


def _bytes(message):
    return message if isinstance(message, bytes) else message.SerializeToString()


def authorized(*groups):
    return {"authorization": f"Bearer {bearer(*(groups or ('ward',)))}"}


def says(
    *answers,
    trailers=((b"grpc-status", b"0"),),
    fields=((b":status", b"200"), (b"content-type", b"application/grpc")),
    raw=b"",
):
    """A model server that takes the whole request, then answers this."""

    async def saying(world, lane):
        frames = module.Frames(1 << 24)
        while data := await lane.read():
            world.asked += frames.feed(data)
        await lane.send_head(list(fields))
        for each in answers:
            await lane.send(frame(_bytes(each)))
        if raw:
            await lane.send(raw)
        await lane.send_head(list(trailers), end=True)

    return saying


def streams(*answers, stays=False):
    """A model server that answers the first message of a stream with these, under its id."""

    async def saying(world, lane):
        frames = module.Frames(1 << 24)
        await lane.send_head([(b":status", b"200"), (b"content-type", b"application/grpc")])
        while data := await lane.read():
            for message in frames.feed(data):
                world.asked.append(message)
                request = pb.ModelInferRequest.FromString(message)
                for each in answers:
                    made = pb.ModelInferResponse()
                    made.CopyFrom(each)
                    made.id = request.id if made.id == "ours" else made.id
                    await lane.send(frame(pb.ModelStreamInferResponse(infer_response=made).SerializeToString()))
            if stays:
                await asyncio.sleep(30)
        await lane.send_head([(b"grpc-status", b"0")], end=True)

    return saying


def bare(*answers):
    """A model server that takes the whole stream, then answers with these, nothing around them, under the first id."""

    async def saying(world, lane):
        frames = module.Frames(1 << 24)
        while data := await lane.read():
            world.asked += frames.feed(data)
        await lane.send_head([(b":status", b"200"), (b"content-type", b"application/grpc")])
        for made in answers:
            made.id = pb.ModelInferRequest.FromString(world.asked[0]).id
            await lane.send(frame(made.SerializeToString()))
        await lane.send_head([(b"grpc-status", b"0")], end=True)

    return saying


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    """One house for all: it takes longer than most calls."""
    folder = tmp_path_factory.mktemp("house")
    house = stage.furnished(folder, stage.policy_text(*RULES))
    house.ready = True
    await house.agreement.look()
    yield house, folder
    house.journal.close("test over")
    await house.agreement.close()


@pytest_asyncio.fixture(loop_scope="module")
async def world(shared):
    house, folder = shared
    await house.agreement.look()
    made = World(house, folder)
    upstreams = Upstreams()
    async with served(made.model) as (made.endpoint, port):
        admission = Admission(house, Address("grpc", "127.0.0.1", port))
        made.calls = Calls(house, admission, upstreams, 100_000)
        async with served(made.calls.answer) as (_, front), connected(front) as made.client:
            yield made
        await made.calls.over(5)
        assert house.under_way == set()
        assert len(house.meter) == 0
        assert made.calls.held == 0
        upstreams.close()


# -- what the model server may say ----------------------------------------------------------------------------------


async def test_an_answer_comes_masked_with_its_marks_and_both_records(world):
    world.says = says(answer(CANARY_TEXT))
    told = await world.ask(infer())
    assert (told.status, len(told.messages)) == (0, 1)
    assert leaks(told.messages[0]) == []
    assert texts_of(pb.ModelInferResponse.FromString(told.messages[0]))[0].endswith("furosemide 40 mg.")
    (request,), (response,) = world.records("request"), world.records("response")
    assert told.head[b"phi-exchange"].decode() == request["exchange"] == response["exchange"]
    assert (response["outcome"], response["mask"], response["status"]) == ("complete", "lean", 200)
    assert set(world.heads[0]) == {
        *(b":method", b":scheme", b":path", b":authority", b"te", b"content-type", b"grpc-accept-encoding"),
        *(b"user-agent", b"x-request-id"),
    }


OK = ((b"grpc-status", b"0"),)
HTML = ((b":status", b"200"), (b"content-type", b"text/html"))
NOT_FOUND = ((b":status", b"404"), (b"content-type", b"application/grpc"))
UPSTREAM = [
    ("two answers", says(answer(CANARY_TEXT), answer(CANARY_TEXT)), 13, "unmaskable"),
    ("none", says(), 13, "unmaskable"),
    ("an answer and an error", says(answer(CANARY_TEXT), trailers=((b"grpc-status", b"5"),)), 13, "unmaskable"),
    ("no status", says(answer(CANARY_TEXT), trailers=((b"x", b"y"),)), 13, "unmaskable"),
    ("a web page", says(raw=CANARY_TEXT.encode(), fields=HTML), 13, "unmaskable"),
    ("another status of HTTP", says(answer(CANARY_TEXT), fields=NOT_FOUND), 13, "upstream-broke"),
    ("a compressed answer", says(raw=b"\1" + frame(b"abc")[1:]), 13, "unmaskable"),
    ("half an answer", says(raw=frame(answer(CANARY_TEXT).SerializeToString())[:-5]), 13, "unmaskable"),
    ("an answer larger than is read", says(raw=b"\0\x7f\xff\xff\xff"), 13, "unmaskable"),
    ("bytes that are no message", says(b"\xff\xff"), 13, "unmaskable"),
    ("an image", says(answer(b"\xff\xd8")), 9, "unmaskable"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "model", "status", "outcome"), UPSTREAM, ids=[case[0] for case in UPSTREAM])
async def test_what_a_model_server_must_not_say(world, sentence, model, status, outcome):
    world.says = model
    told = await world.ask(infer())
    assert (told.status, told.messages) == (status, [])
    assert leaks(told.message) == []
    assert world.outcomes() == [outcome]
    world.says = says(answer("Fine."))
    assert (await world.ask(infer())).status == 0


async def test_the_models_error_is_masked_and_its_status_kept(world):
    message = f"no bed for Patient: {CANARY_NAME}".replace(" ", "%20").encode()
    fields = [(b":status", b"200"), (b"content-type", b"application/grpc")]

    async def refuses(_world, lane):  # before the request is whole, in the headers alone
        await lane.send_head([*fields, (b"grpc-status", b"8"), (b"grpc-message", message)], end=True)

    for each in (refuses, says(trailers=((b"grpc-status", b"8"), (b"grpc-message", message)))):
        world.says = each
        told = await world.ask(infer())
        assert (told.status, leaks(told.message)) == (8, [])
        assert told.message.startswith("no bed for ")
    assert world.outcomes() == ["refused-by-upstream"] * 2
    assert leaks(str(world.records("response"))) == []


async def test_a_model_server_that_goes_away_or_never_was(world):
    async def resets(_world, lane):
        lane.reset()

    world.says = resets
    told = await world.ask(infer())
    assert (told.status, told.message) == (14, "upstream-broke: The model server broke its answer off.")
    world.calls.admission._default = Address("grpc", "127.0.0.1", 1)
    assert (await world.ask(infer())).message == "upstream-unreachable: The model server cannot be reached."
    assert world.outcomes() == ["upstream-broke", "upstream-broke"]


# -- what a caller may say ------------------------------------------------------------------------------------------


CALLERS = [
    ("no message", [], {}, 3),
    ("two of them", [infer(), infer()], {}, 3),
    ("a call that is not known", [infer()], {"path": "/inference.GRPCInferenceService/LogSettings"}, 12),
    ("a path that is nearly one", [infer()], {"path": INFER + "/"}, 12),
    ("reflection", [b""], {"path": "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"}, 12),
    ("an encoding", [infer()], {"grpc_encoding": "gzip"}, 12),
    ("a deadline that is none", [infer()], {"grpc_timeout": "soon"}, 3),
    ("a deadline that has passed", [infer()], {"grpc_timeout": "0S"}, 4),
    ("no bearer", [infer()], {"authorization": "Basic YTpi"}, 16),
    ("somebody without a rule", [infer()], authorized("kitchen"), 7),
    ("a message larger than is read", [b"a" * 100_001], {}, 8),
]


@pytest.mark.parametrize(("sentence", "messages", "more", "status"), CALLERS, ids=[case[0] for case in CALLERS])
async def test_a_call_that_is_refused_reaches_no_model(world, sentence, messages, more, status):
    told = await world.ask(*messages, **more)
    assert (told.status, told.messages) == (status, [])
    assert world.heads == []
    assert world.records("response") == []


async def test_a_refusal_of_somebody_known_is_on_record_and_of_a_stranger_counted(world, monkeypatch):
    counted = []
    monkeypatch.setattr(world.house, "count_refused", lambda address, reason: counted.append((address, reason)))
    await world.ask(infer(), path="/x")
    assert [line["decision"]["reason"] for line in world.records("request")] == ["route-unknown"]
    await world.ask(infer(), authorization="Bearer nonsense")
    assert counted == [("127.0.0.1", "malformed")]
    assert len(world.records("request")) == 1


RAW = [
    ("a compressed message", b"\1\0\0\0\1a", 12),
    ("half a message", frame(infer().SerializeToString())[:-3], 3),
    ("a flag that there is not", b"\7\0\0\0\1a", 3),
    ("four gigabytes", b"\0\xff\xff\xff\xff", 8),
]


@pytest.mark.parametrize("path", [INFER, STREAM], ids=["unary", "stream"])
@pytest.mark.parametrize(("sentence", "data", "status"), RAW, ids=[case[0] for case in RAW])
async def test_bytes_that_are_no_message_are_refused(world, path, sentence, data, status):
    lane = world.client.begin(head(path, **authorized()))
    with contextlib.suppress(LaneBroken):
        await lane.send(data, end=True)
    assert (await answered(lane)).status == status
    assert world.heads == []


OTHER = [
    ("another method", {b":method": b"GET"}),
    ("JSON", {b"content-type": b"application/json"}),
    ("gRPC for browsers", {b"content-type": b"application/grpc-web+proto"}),
    ("no content at all", {b"content-type": None}),
]


@pytest.mark.parametrize(("sentence", "changes"), OTHER, ids=[case[0] for case in OTHER])
async def test_what_is_no_grpc_is_415(world, sentence, changes):
    fields = {**dict(head(INFER, **authorized())), **changes}
    lane = world.client.begin([(name, value) for name, value in fields.items() if value is not None], end=True)
    assert dict(await lane.headed())[b":status"] == b"415"


async def test_a_message_that_does_not_come_is_not_waited_for(world, monkeypatch):
    monkeypatch.setattr(module, "PIECE", 0.1)
    lane = world.client.begin(head(INFER, **authorized()))
    await lane.send(frame(infer().SerializeToString())[:7])
    told = await answered(lane)
    assert (told.status, told.message) == (3, "too-slow: The request's message did not come in time.")


async def test_a_message_drop_by_drop_is_not_waited_for_either(world, monkeypatch):
    monkeypatch.setattr(module, "MESSAGE", 0.1)
    lane = world.client.begin(head(INFER, **authorized()))
    with contextlib.suppress(LaneBroken):
        for byte in frame(infer().SerializeToString()):
            await lane.send(bytes([byte]))
            await asyncio.sleep(0.01)
    assert (await answered(lane)).status == 3


async def test_of_all_calls_together_only_so_much_is_held(world, monkeypatch):
    monkeypatch.setattr(module, "ALL_HELD", 50_000)
    first, second = (world.client.begin(head(INFER, **authorized())) for _ in range(2))
    await first.send(frame(b"a" * 90_000)[:40_000])
    await until(lambda: world.calls.held >= 40_000)
    await second.send(frame(b"a" * 90_000)[:40_000])
    assert (await answered(second)).status == 8
    first.reset()


async def test_anybody_may_ask_whether_it_serves_in_few_bytes(world, monkeypatch):
    ask = {"path": kserve.HEALTH, "authorization": "none"}
    assert (await world.ask(b"", **ask)).messages == [kserve.SERVING]
    assert (await world.ask(b"\x0a\x01x", **ask)).status == 5
    assert (await world.ask(b"\xff", **ask)).status == 5
    assert (await world.ask(b"a" * 2000, **ask)).status == 8
    monkeypatch.setattr(world.house, "leaving", True)
    assert (await world.ask(b"", **ask)).messages == [kserve.NOT_SERVING]
    assert (await world.ask(infer())).status == 14


async def test_a_stream_with_nothing_around_its_answers_is_masked_and_stays_so(world):
    world.says = bare(*(answer(CANARY_TEXT[at : at + 9]) for at in range(0, len(CANARY_TEXT), 9)))
    told = await world.ask(infer(), infer(), path=STREAM)
    responses = [pb.ModelInferResponse.FromString(each) for each in told.messages]
    text = "".join(texts_of(each)[0] for each in responses)
    assert (told.status, leaks(text)) == (0, [])
    assert text.endswith("furosemide 40 mg.")
    assert {each.id for each in responses} == {"mine"}
    assert world.outcomes() == ["complete", "complete"]


async def test_where_one_model_answers_all_of_a_stream_no_other_may_be_asked(world):
    world.says = bare(answer(CANARY_TEXT))
    told = await world.ask(infer(), infer(model="beds"), path=STREAM)
    assert (told.status, told.messages) == (13, [])
    assert len(world.asked) == 2
    assert world.outcomes() == ["unmaskable", "unmaskable"]


TWO_A_DAY = "limits: [{roles: [clinician], requests: {per: P1D, most: 2}}]\n"


async def test_each_message_is_a_request_and_one_too_many_ends_the_call(world, monkeypatch):
    limited = parse_policy(stage.policy_text(*RULES, tail=TWO_A_DAY).encode(), "p.yaml", Path())
    monkeypatch.setattr(world.house, "policy", limited)
    monkeypatch.setattr(world.house, "meter", Meter(world.house.meter.sharing, world.house._digest))
    world.says = streams(answer("Fine."), stays=True)
    told = await world.ask(infer(), infer(), infer(), path=STREAM)
    assert (told.status, len(world.asked) <= 2) == (8, True)
    told = await world.ask(infer())
    assert (told.status, told.messages) == (8, [])
    assert 86_000_000 < int(dict(told.trailers or told.head)[b"grpc-retry-pushback-ms"]) <= 86_400_000
    reasons = [line["decision"]["reason"] for line in world.records("request")]
    assert reasons == [None, None, "too-many-requests", "too-many-requests"]
    assert world.records("request")[-1]["body"] is None
    assert len(world.house.meter) == 0


# -- what may happen meanwhile --------------------------------------------------------------------------------------


async def test_a_caller_that_leaves_ends_the_models_work_and_is_on_record(world):
    world.says = streams(answer("word "), stays=True)
    for path in (INFER, STREAM):
        lane = world.client.begin(head(path, **authorized()))
        await lane.send(frame(infer().SerializeToString()), end=path == INFER)
        await until(lambda: world.asked)
        lane.reset()
        await until(lambda: world.broken and world.outcomes())
        assert world.outcomes()[-1] == "client-left"
        world.asked.clear()
        world.broken.clear()


async def test_a_caller_that_leaves_while_its_request_is_recorded_leaves_no_request_without_an_answer(
    world, monkeypatch
):
    go = asyncio.Event()
    durable = world.house.journal.durable

    async def slow(receipt):
        await go.wait()
        await durable(receipt)

    monkeypatch.setattr(world.house.journal, "durable", slow)
    lane = world.client.begin(head(INFER, **authorized()))
    await lane.send(frame(infer().SerializeToString()), end=True)
    await until(lambda: world.records("request"))
    lane.reset()
    await asyncio.sleep(0.05)
    go.set()
    await until(world.outcomes)
    assert world.outcomes() == ["client-left"]
    assert world.heads == []


async def test_a_deadline_ends_the_call_and_the_model_is_told_of_it(world):
    async def slow(_world, _lane):
        await asyncio.sleep(30)

    world.says = slow
    told = await world.ask(infer(), grpc_timeout="300m")
    assert told.status == 4
    assert int(world.heads[0][b"grpc-timeout"][:-1]) <= 300
    await until(lambda: world.broken)


@pytest.mark.parametrize("path", [INFER, STREAM])
async def test_a_model_that_says_nothing_is_given_up(world, monkeypatch, path):
    async def slow(_world, _lane):
        await asyncio.sleep(30)

    world.says = slow
    monkeypatch.setattr(world.calls, "silence", 0.2)
    asking = asyncio.create_task(world.ask(infer(), path=path))
    await until(lambda: world.heads)
    world.calls.tick()
    assert not asking.done()
    await asyncio.sleep(0.3)
    world.calls.tick()
    told = await asking
    assert (told.status, told.message) == (4, "upstream-silent: The model server did not answer in time.")
    assert world.outcomes() == ["upstream-broke"]
    await until(lambda: world.broken)


async def test_a_caller_that_leaves_while_it_waits_for_a_yes_ends_its_wait(world):
    for leave in (lambda lane: lane.reset(), None):
        more = {} if leave else {"grpc_timeout": "700m"}
        lane = world.client.begin(head(INFER, **authorized("lab"), **more))
        await lane.send(frame(infer("How is she in a while?").SerializeToString()), end=True)
        await until(lambda: len(world.house.holding))
        if leave:
            leave(lane)
        await until(lambda: not len(world.house.holding))
        await until(lambda: world.records("request"))
    await until(lambda: len(world.records("request")) == 2)
    reasons = [line["decision"]["reason"] for line in world.records("request")]
    assert (reasons, world.heads) == (["client-left", "approval-required"], [])


async def test_what_runs_by_a_grant_ends_when_that_is_taken_back(world):
    world.says = streams(answer("word "), stays=True)
    asked = await world.ask(infer(), path=STREAM, **authorized("privacy"))
    assert asked.status == 7
    name, now = world.records("request")[0]["decision"]["ticket"], time.time()
    await world.house.agreement.approvals.answer(name, yes(now=now), now)
    lane = world.client.begin(head(STREAM, **authorized("privacy")))
    other = world.client.begin(head(STREAM, **authorized()))
    for each in (lane, other):
        await each.send(frame(infer().SerializeToString()))
    await until(lambda: len(world.asked) == 2)
    world.calls.tick()
    await world.calls._looking
    await world.house.agreement.approvals.answer(name, lambda _of: Step(ends=True), now)
    world.calls.tick()
    told = await answered(lane)
    assert (told.status, told.message) == (7, "grant-revoked: What was approved has been taken back.")
    assert world.outcomes() == ["revoked"]
    assert other.broken is None
    other.reset()
    await until(lambda: len(world.outcomes()) == 2)


async def test_whoever_is_out_gets_nothing_more(world, monkeypatch):
    world.says = streams(answer("The patient is stable on furosemide 40 mg and eats well. "), stays=True)
    lane = world.client.begin(head(STREAM, **authorized()))
    await lane.send(frame(infer().SerializeToString()))
    await lane.headed()
    monkeypatch.setattr(world.house.agreement.follow.revoked, "covers", lambda _subject: True)
    world.calls.tick()
    told = await answered(lane)
    assert told.status == 16
    assert world.outcomes() == ["revoked"]
    assert (await world.ask(infer())).status == 16


OUT = [
    ("whole", INFER, says(answer(CANARY_TEXT))),
    ("an error", INFER, says(trailers=((b"grpc-status", b"5"), (b"grpc-message", b"no such bed")))),
    ("streamed", STREAM, streams(answer("The patient is stable on furosemide 40 mg and eats well. "))),
]


@pytest.mark.parametrize(("sentence", "path", "model"), OUT, ids=[case[0] for case in OUT])
async def test_whoever_is_out_while_the_model_works_sees_nothing_of_its_answer(
    world, monkeypatch, sentence, path, model
):
    async def late(world, lane):
        await until(lambda: world.records("request"))
        monkeypatch.setattr(world.house.agreement.follow.revoked, "covers", lambda _subject: True)
        await model(world, lane)

    world.says = late
    told = await world.ask(infer(), path=path)
    assert (told.status, told.messages, told.message) == (16, [], "bearer-refused: The bearer is not believed.")
    assert world.outcomes() == ["revoked"]


async def test_where_nobody_knows_who_is_out_a_stream_ends_as_unsettled(world, monkeypatch):
    world.says = streams(answer("word "), stays=True)
    lane = world.client.begin(head(STREAM, **authorized()))
    await lane.send(frame(infer().SerializeToString()))
    await until(lambda: world.asked)
    monkeypatch.setattr(world.house.agreement.follow, "_looked", float("-inf"))
    world.calls.tick()
    assert (await answered(lane)).status == 14
    assert world.outcomes() == ["interrupted"]


async def test_a_bearer_that_ends_ends_its_stream(world):
    world.says = streams(answer("Fine.", final=True))
    lane = world.client.begin(head(STREAM, **authorized()))
    await lane.send(frame(infer().SerializeToString()))
    await until(lambda: lane._arrived)
    (call,) = world.calls._calls
    call._caller.bearer = bearer("ward", exp=time.time() - 100)
    await lane.send(frame(infer().SerializeToString()))
    told = await answered(lane)
    assert (told.status, len(told.messages), len(world.asked)) == (16, 1, 1)


async def test_an_idle_stream_does_not_outlive_its_bearer(world):
    lane = world.client.begin(head(STREAM, **authorized()))
    await world.client.flushed()
    await until(lambda: [each for each in world.calls._calls if each._caller and each._caller.subject])
    (call,) = world.calls._calls
    call.look(call._caller.subject.expires + ENDLESS_FOR + 1)
    assert (await answered(lane)).status == 16


async def test_a_stream_of_which_nothing_more_is_asked_does_not_outlive_its_bearer_for_ever(world):
    world.says = streams(answer("Fine."), stays=True)
    lane = world.client.begin(head(STREAM, **authorized()))
    await lane.send(frame(infer().SerializeToString()), end=True)
    await until(lambda: lane._arrived)
    (call,) = world.calls._calls
    call.look(call._caller.subject.expires + ENDLESS_FOR + 1)
    assert call._cut is None
    call.look(call._caller.subject.expires + ANSWERS_FOR + 1)
    assert (await answered(lane)).status == 16
    assert world.outcomes() == ["revoked"]


async def test_a_model_that_takes_for_ever_over_the_last_answer_is_left(world, monkeypatch):
    world.says = streams(answer("Fine."), stays=True)
    lane = world.client.begin(head(STREAM, **authorized()))
    await lane.send(frame(infer().SerializeToString()))
    await until(lambda: lane._arrived)
    (call,) = world.calls._calls
    call.look(time.time())
    monkeypatch.setattr(lasting, "LONGEST", 0.0)
    call.look(time.time())
    assert call._cut is None  # more may be asked
    await lane.send(b"", end=True)
    await until(lambda: call._lane.ended)
    call.look(time.time())
    assert (await answered(lane)).status == 14
    assert world.outcomes() == ["interrupted"]


@pytest.mark.parametrize("path", [INFER, STREAM])
async def test_a_message_that_was_long_in_coming_needs_a_bearer_that_is_still_believed(world, path):
    lane = world.client.begin(head(path, **authorized()))
    await world.client.flushed()
    await until(lambda: [each for each in world.calls._calls if each._caller and each._caller.subject])
    (call,) = world.calls._calls
    call._caller.bearer = bearer("ward", exp=time.time() - 100)
    await lane.send(frame(infer().SerializeToString()), end=True)
    assert (await answered(lane)).status == 16
    assert world.asked == []


async def test_what_is_asked_while_the_model_ends_its_stream_has_its_answer_on_record(world, monkeypatch):
    async def ends_early(world, lane):
        await lane.read()
        await lane.send_head([(b":status", b"200"), (b"content-type", b"application/grpc")])
        await lane.send_head([(b"grpc-status", b"0")], end=True)

    admit, begun = Admission.admit, []

    async def slow(self, exchange, *more):
        admitted = await admit(self, exchange, *more)
        begun.append(exchange.id)
        if len(begun) > 1:
            await asyncio.sleep(0.1)  # recorded, and the model is gone
        return admitted

    monkeypatch.setattr(Admission, "admit", slow)
    world.says = ends_early
    told = await world.ask(infer(), infer(), path=STREAM)
    assert told.status == 0
    await world.calls.over(5)
    assert len(begun) == 2
    assert sorted(line["exchange"] for line in world.records("response")) == sorted(begun)
    assert world.outcomes() == ["complete", "upstream-broke"]


async def test_what_breaks_in_the_gateway_is_no_answer(world, monkeypatch, caplog):
    def broken(*_):
        raise KeyError(CANARY_NAME)

    world.says = says(answer(CANARY_TEXT))
    monkeypatch.setattr(module.Answers, "whole", broken)
    told = await world.ask(infer())
    assert (told.status, told.messages) == (14, [])
    assert world.outcomes() == ["gateway-broke"]
    assert leaks(told.message + caplog.text) == []


async def test_what_cannot_be_recorded_is_not_answered(world, monkeypatch):
    world.says = says(answer(CANARY_TEXT))
    append = world.house.journal.append

    def down(kind, fields):
        if kind == "response":
            raise module.JournalDown("no")
        return append(kind, fields)

    monkeypatch.setattr(world.house.journal, "append", down)
    told = await world.ask(infer())
    assert (told.status, told.messages) == (14, [])
    assert told.message.startswith("not-recorded")


async def test_messages_that_stay_unsynced_end_the_stream(world, monkeypatch):
    world.says = streams(answer("The patient is stable on furosemide 40 mg and eats well. "))
    monkeypatch.setattr(world.house.journal, "oldest_pending_seconds", lambda _now: 1.0)
    told = await world.ask(infer(), path=STREAM)
    assert (told.status, told.messages) == (14, [])
    assert world.outcomes() == ["unrecorded"]


# -- streams --------------------------------------------------------------------------------------------------------


async def test_a_model_is_not_read_faster_than_the_caller_takes(world):
    sent = []

    async def floods(_world, lane):
        frames = module.Frames(1 << 24)
        while not (asked_now := frames.feed(await lane.read())):
            pass
        number = pb.ModelInferRequest.FromString(asked_now[0]).id
        await lane.send_head([(b":status", b"200"), (b"content-type", b"application/grpc")])
        scores = pb.ModelInferResponse(model_name="ward", id=number)
        scores.outputs.add(name="scores", datatype="FP32", shape=[10_000])
        scores.raw_output_contents.append(b"\0" * 40_000)
        message = frame(pb.ModelStreamInferResponse(infer_response=scores).SerializeToString())
        for _ in range(200):
            await lane.send(message)
            sent.append(len(message))

    world.says = floods
    lane = world.client.begin(head(STREAM, **authorized()))
    await lane.send(frame(infer().SerializeToString()))
    await lane.headed()
    before = -1
    while before != len(sent):
        before = len(sent)
        await asyncio.sleep(0.2)
    assert sum(sent) < 3 * WINDOW
    lane.reset()


async def test_nothing_asked_is_nothing_answered(world):
    told = await world.ask(path=STREAM)
    assert (told.status, told.messages, world.heads) == (0, [], [])


WRONG = [
    ("an answer to what nobody asked", answer(CANARY_TEXT, id="ex-other")),
    ("bytes that are no text", answer(b"\xff\xd8")),
    ("another shape", None),
]


@pytest.mark.parametrize(("sentence", "made"), WRONG, ids=[case[0] for case in WRONG])
async def test_a_stream_that_cannot_be_checked_ends(world, sentence, made):
    if made is None:
        made = answer(CANARY_TEXT)
        made.outputs[0].shape[0] = 7
    world.says = streams(answer("Patient: Zebu"), made)
    told = await world.ask(infer(), path=STREAM)
    assert told.status in {9, 13}
    assert leaks(b"".join(told.messages)) == []
    assert world.outcomes() == ["unmaskable"]


async def test_after_its_last_message_nothing_more_answers_a_request(world):
    world.says = streams(answer("Fine.", final=True), answer(CANARY_TEXT))
    told = await world.ask(infer(), path=STREAM)
    assert (told.status, len(told.messages)) == (13, 1)
    assert world.outcomes() == ["complete"]


async def test_a_name_that_one_message_showed_is_found_in_what_answers_the_next(world):
    world.says = streams(answer("Then Quartermaine slept.", final=True))
    told = await world.ask(infer(f"Patient: {CANARY_NAME}"), infer("And then?"), path=STREAM)
    assert (told.status, len(told.messages)) == (0, 2)
    assert leaks(b"".join(told.messages)) == []


async def test_messages_without_an_id_go_by_one_mask_or_not_at_all(world):
    world.says = streams(answer("Fine. ", id=""))
    told = await world.ask(infer(), infer(), path=STREAM)
    assert (told.status, len(told.messages) >= 2) == (0, True)
    assert world.outcomes() == ["complete", "complete"]


async def test_a_model_at_another_address_is_no_part_of_the_stream(world):
    world.says = streams(answer("Fine.", final=True))
    lane = world.client.begin(head(STREAM, **authorized()))
    await lane.send(frame(infer().SerializeToString()))
    await until(world.outcomes)
    world.calls.admission._default = Address("grpc", "127.0.0.1", 1)
    await lane.send(frame(infer().SerializeToString()))
    told = await answered(lane)
    assert (told.status, len(world.asked)) == (3, 1)


async def test_a_stream_of_too_many_open_requests_ends(world, monkeypatch):
    monkeypatch.setattr(module, "OPEN", 2)
    world.says = streams()
    told = await world.ask(*[infer()] * 4, path=STREAM)
    assert told.status == 8
    assert len(world.records("response")) == 2


# -- what is kept ---------------------------------------------------------------------------------------------------


@pytest.fixture
def auditor(world, monkeypatch):
    """The private key that opens what is sealed meanwhile."""
    private = X25519PrivateKey.generate()
    monkeypatch.setattr(world.house, "keep", Keep("sealed", Auditor(private.public_key())))
    return private


def opened(world, private, exchange):
    folder = world.house.journal.path.parent
    return [(one.kind, one.data) for one in unseal.unsealed(unseal.records(folder, exchange), private)]


async def test_what_is_asked_and_answered_is_sealed_as_it_was(world, auditor):
    world.says = says(answer(CANARY_TEXT))
    asked = infer(CANARY_TEXT)
    await world.ask(asked)
    (request,) = world.records("request")
    sealed = opened(world, auditor, request["exchange"])
    assert [kind for kind, _ in sealed] == ["request", "response"]
    assert pb.ModelInferRequest.FromString(sealed[0][1]).SerializeToString() == _bytes(asked)
    assert CANARY_TEXT.encode() in sealed[1][1]
    assert leaks(str(world.records("request") + world.records("response"))) == []


async def test_an_answer_that_is_unmaskable_is_sealed_too(world, auditor):
    world.says = says(b"\xff\xff")
    await world.ask(infer())
    (request,) = world.records("request")
    assert opened(world, auditor, request["exchange"])[-1] == ("response", b"\xff\xff")


async def test_messages_of_a_stream_stand_in_records_of_their_own_masked_and_sealed(world, auditor):
    world.says = streams(answer(f"{CANARY_TEXT} "), answer("All is quiet.", final=True))
    await world.ask(infer(), path=STREAM)
    (request,), (response,) = world.records("request"), world.records("response")
    sealed = opened(world, auditor, request["exchange"])
    told = b"".join(data for kind, data in sealed if kind == "message")
    assert (CANARY_TEXT.encode() in told, b"All is quiet." in told) == (True, True)
    messages = world.records("message")
    assert {each["from"] for each in messages} == {"model"}
    assert leaks(str(messages)) == []
    body = bodies.joined([request, *messages, response], "model")
    assert ("furosemide 40 mg" in "".join(body.value), body.whole, response["body"]) == (True, True, None)


async def test_a_message_larger_than_a_record_is_kept_whole(world, monkeypatch):
    monkeypatch.setattr(keep, "MOST", 50)
    text = "The ward is quiet. " * 20
    world.says = streams(answer(text, final=True))
    await world.ask(infer(text), path=STREAM)
    found = [line for kind in ("request", "part", "message", "response") for line in world.records(kind)]
    found.sort(key=lambda line: line["seq"])
    assert {line["side"] for line in world.records("part")} == {"caller", "model"}
    assert text in str(bodies.joined(found, "caller").value)
    assert bodies.joined(found, "model").value == [text]


async def test_where_no_bodies_are_kept_messages_have_no_record(world, monkeypatch):
    monkeypatch.setattr(world.house, "keep", Keep("none"))
    world.says = streams(answer("The patient is well.", final=True))
    await world.ask(infer(), path=STREAM)
    assert (world.records("message"), world.records("response")[0]["body"]) == ([], None)


@pytest.mark.parametrize("path", [INFER, STREAM], ids=["unary", "stream"])
async def test_what_the_mask_hides_is_found_and_not_revealed(world, path):
    world.says = says(answer(CANARY_TEXT)) if path == INFER else streams(answer(CANARY_TEXT, final=True))
    await world.ask(infer(CANARY_TEXT), path=path)
    (request,), (response,) = world.records("request"), world.records("response")
    assert request["revealed"] == request["identifiers"] != []
    hidden = [each for each in response["identifiers"] if each.startswith(("US_SSN", "MRN"))]
    assert hidden
    assert not set(hidden) & set(response["revealed"])
