"""One message of a call against a real policy: what goes on in its place, what is recorded, what is refused."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_asyncio
from tritonclient.grpc import service_pb2 as pb

from phigate.access.meter import Meter
from phigate.dialect import kserve_grpc as kserve
from phigate.exchange import Refusal, Scope, Subject
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown
from phigate.ledger.tickets import Said, Step
from phigate.policy.load import parse_policy
from phigate.rpc import admission as admission_module
from phigate.rpc.admission import Admission, Admitted, address_of
from phigate.rpc.upstream import Address
from tests import stage
from tests.grpc_peer import texts_of
from tests.ledger.tickets import grant_of
from tests.stage import ISSUER, bearer
from tests.traffic import CANARY_TEXT, leaks, records

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEFAULT = Address("grpc", "127.0.0.1", 8001)
INFER = kserve.METHODS["/inference.GRPCInferenceService/ModelInfer"]
STREAM = kserve.METHODS["/inference.GRPCInferenceService/ModelStreamInfer"]
LIVE = kserve.METHODS["/inference.GRPCInferenceService/ServerLive"]
READY = kserve.METHODS["/inference.GRPCInferenceService/ModelReady"]
RULES = (
    "{name: infer, permit: [clinician], to: [predict], models: ['*'], purpose: treatment, mask: lean}",
    "{name: blind, permit: [researcher], to: [predict], models: ['*'], prompt: lean, mask: years}",
    "{name: lists, permit: [clinician], to: [list-models], models: ['*']}",
    "{name: asks, hold: [officer], to: [predict], models: ['*'], approvers: [officer], mask: lean}",
    (
        "{name: waits, hold: [researcher], to: [predict], models: ['*'], approvers: [officer], wait: PT1M, mask: lean,"
        " when: {prompt_matches: ['in a while']}}"
    ),
    "{name: no-bulk, deny: ['*'], to: [predict], when: {prompt_matches: ['(?i)list all patients']}, message: Ask us.}",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    """One house for all: it takes longer than most messages."""
    folder = tmp_path_factory.mktemp("house")
    made = stage.furnished(folder, stage.policy_text(*RULES))
    yield made, folder / "journal"
    made.journal.close("test over")
    await made.agreement.close()


@pytest_asyncio.fixture(loop_scope="module")
async def house(shared):
    await shared[0].agreement.look()
    return shared[0]


@pytest.fixture
def recorded(shared):
    """The requests that were recorded since."""
    before = len(records(shared[1]))
    return lambda: [line for line in records(shared[1])[before:] if line["kind"] == "request"]


def head(said=None, **more):
    fields = [(b":method", b"POST"), (b":path", b"/x"), (b"user-agent", b"grpc/1")]
    fields += [(b"authorization", f"Bearer {said}".encode())] if said else []
    return [*fields, *((name.replace("_", "-").encode(), value.encode()) for name, value in more.items())]


def infer(text="How is she?", model="ward", **more):
    made = pb.ModelInferRequest(model_name=model, **({"id": "mine"} | more))
    made.inputs.add(name="text_input", datatype="BYTES", shape=[1]).contents.bytes_contents.append(text.encode())
    return made


async def called(house, *groups, default=DEFAULT, **more):
    """An admission, and the caller whom a bearer of these groups proves."""
    admission = Admission(house, default)
    caller = admission.caller("10.0.0.9", head(bearer(*groups), **more))
    assert await admission.identify(caller) is None
    return admission, caller


async def asked(house, made, *groups, method=INFER, default=DEFAULT, subject=None, **more):
    admission, caller = await called(house, *(groups or ("ward",)), default=default, **more)
    caller.subject = subject or caller.subject
    exchange = admission.exchange(caller, method)
    data = made if isinstance(made, bytes) else made.SerializeToString()
    return await admission.admit(exchange, caller, method, data), exchange


async def test_a_permitted_message_goes_on_as_it_was_read_and_is_on_record(house, recorded):
    admitted, exchange = await asked(house, infer(CANARY_TEXT))
    assert isinstance(admitted, Admitted)
    onward = pb.ModelInferRequest.FromString(admitted.message)
    assert (texts_of(onward), onward.id, onward.model_name) == ([CANARY_TEXT], exchange.id, "ward")
    assert (admitted.address, admitted.credential, admitted.asked.id) == (DEFAULT, None, "mine")
    (record,) = recorded()
    assert (record["exchange"], record["route"], record["action"]) == (exchange.id, "kserve-grpc-infer", ["predict"])
    assert (record["decision"]["rule"], record["client"]["ip"], record["purpose"]) == ("infer", "10.0.0.9", "treatment")
    assert leaks(str(record)) == []
    assert exchange.recorded


async def test_a_prompt_is_masked_where_the_rule_says_so_in_parameters_as_well(house):
    made = infer(CANARY_TEXT)
    made.parameters["note"].string_param = "Patient: Zebulon Quartermaine"
    admitted, _ = await asked(house, made, "lab")
    assert leaks(admitted.message) == []
    assert b"furosemide 40 mg" in admitted.message


async def test_a_name_that_is_an_identifier_stays_out_of_model_and_record(house, recorded):
    version = named(model_version="536-22-8145")
    assert (await asked(house, version, "lab"))[0].reason == "content-unreadable"
    for made in (named(name="z.q-example:536-22-8145"), wanting("z.q-example:536-22-8145")):
        assert (await asked(house, made, "lab"))[0].reason == "content-unreadable"
        admitted, _ = await asked(house, made)
        assert isinstance(admitted, Admitted)
    assert "536-22-8145" not in str(recorded())


async def test_the_outputs_that_are_asked_for_are_on_record(house, recorded):
    await asked(house, wanting("scores"))
    assert recorded()[0]["body"]["outputs"] == [{"name": "scores"}]


async def test_a_large_message_is_settled_as_a_small_one(house):
    admitted, _ = await asked(house, infer("word " * 2000 + CANARY_TEXT), "lab")
    assert leaks(admitted.message) == []


async def test_a_stream_asks_for_the_end_of_each_answer(house):
    admitted, _ = await asked(house, infer(), method=STREAM)
    onward = pb.ModelInferRequest.FromString(admitted.message)
    assert onward.parameters["triton_enable_empty_final_response"].bool_param
    assert not admitted.asked.wants_final


def in_shared_memory():
    made = infer()
    made.inputs[0].parameters["shared_memory_region"].string_param = "r"
    return made


def tokens():
    made = pb.ModelInferRequest(model_name="ward")
    made.inputs.add(name="ids", datatype="INT32", shape=[9]).contents.int_contents.extend(range(70, 79))
    return made


def steering():
    made = infer()
    made.parameters["max_tokens"].int64_param = 1
    return made


def named(**more):
    made = infer()
    made.inputs[0].name = more.pop("name", "text_input")
    for key, value in more.items():
        setattr(made, key, value)
    return made


def wanting(*names):
    made = infer()
    for name in names:
        made.outputs.add(name=name)
    return made


ODD_OUTPUT = b"\x32\x0a\x0a\x01o\x12\x05\x0a\x01p\x18\x01"
"""An output that is asked for, with a parameter of which a field says more than its name and value."""
REFUSED = [
    ("no message", b"\xff", (), 400, "malformed"),
    ("no model", infer(model=""), (), 400, "model-missing"),
    ("a model that is none", infer(model="a model of Ms Poe's"), (), 404, "model-unknown"),
    ("a deny", infer("list all patients"), (), 403, "no-bulk"),
    ("a hold", infer(), ("privacy",), 403, "approval-required"),
    ("no rule", infer(), ("kitchen",), 403, "no-rule"),
    ("shared memory", in_shared_memory(), (), 415, "content-unreadable"),
    ("token ids", tokens(), (), 415, "content-unreadable"),
    ("two tokens at a time", steering(), (), 400, "steering-refused"),
    ("a name that holds anything", named(name="Ms\nPoe"), (), 400, "malformed"),
    ("a name that is prose", named(name="beds by Poe"), (), 400, "malformed"),
    ("an output's name that does", wanting("for Ms Poe"), (), 400, "malformed"),
    ("a parameter of an output that says more", infer().SerializeToString() + ODD_OUTPUT, (), 400, "malformed"),
    ("a version that does", named(model_version="for Ms Poe"), (), 400, "malformed"),
    ("an id of a megabyte", named(id="a" * 1_000_000), (), 400, "malformed"),
    ("a field that nobody knows", infer().SerializeToString() + b"\xa2\x06\x01a", (), 415, "content-unreadable"),
]


@pytest.mark.parametrize(("sentence", "made", "groups", "status", "reason"), REFUSED, ids=[case[0] for case in REFUSED])
async def test_a_message_that_does_not_go(house, recorded, sentence, made, groups, status, reason):
    refusal, exchange = await asked(house, made, *groups)
    assert isinstance(refusal, Refusal)
    assert reason in {refusal.reason, refusal.rule}
    assert refusal.status == status
    (record,) = recorded()
    assert record["exchange"] == exchange.id
    assert record["decision"]["verb"] != "permit"
    assert "Poe" not in str(record)


async def test_of_two_models_in_one_message_the_one_that_was_decided_about_goes_on(house):
    data = infer(model="ward").SerializeToString() + pb.ModelInferRequest(model_name="other").SerializeToString()
    admitted, exchange = await asked(house, data)
    assert exchange.model == exchange.target == "other"
    assert pb.ModelInferRequest.FromString(admitted.message).model_name == "other"
    assert admitted.message.count(b"ward") == 0


async def test_calls_about_server_and_models(house):
    admitted, _ = await asked(house, b"", method=LIVE)
    assert (admitted.message, admitted.address) == (b"", DEFAULT)
    admitted, exchange = await asked(house, pb.ModelReadyRequest(name="ward", version="1"), method=READY)
    assert (exchange.target, pb.ModelReadyRequest.FromString(admitted.message).version) == ("ward", "1")
    refusal, _ = await asked(house, pb.ModelReadyRequest(name="ward", version="Ms Poe"), method=READY)
    assert refusal.reason == "malformed"
    refusal, _ = await asked(house, b"", method=LIVE, default=None)
    assert refusal.reason == "route-unknown"


MODELS = (
    "models:\n  ward: {grpc: 'grpcs://10.0.0.1:8001', names: ['llama*'], credential: 'env:PHI_TEST_KEY'}\n  plain: {}\n"
)


async def test_the_policy_says_where_a_model_stands_and_what_is_shown_there(tmp_path, context, monkeypatch):
    house = stage.furnished(tmp_path, stage.policy_text(*RULES, tail=MODELS))
    await house.agreement.look()
    refusal, _ = await asked(house, infer(model="llama3"), default=None)
    assert refusal.reason == "credential-missing"
    monkeypatch.setenv("PHI_TEST_KEY", "of the model")
    admitted, exchange = await asked(house, infer(model="llama3"), default=None)
    assert (admitted.address, admitted.credential) == (Address("grpcs", "10.0.0.1", 8001), "of the model")
    assert exchange.target == "ward"
    refusal, _ = await asked(house, infer(model="plain"), default=None)
    assert refusal.reason == "route-unknown"
    admitted, _ = await asked(house, b"", method=LIVE, default=None)  # the one server there is
    assert admitted.address.host == "10.0.0.1"
    house.journal.close("test over")
    await house.agreement.close()


HIDES = f"fields:\n  - {{routes: ['POST {INFER.path}'], in: request, hide: {{'$.inputs[0].data[*]': MRN}}}}\n"


async def test_the_policys_fields_name_places_of_a_message(tmp_path):
    house = stage.furnished(tmp_path, stage.policy_text(*RULES, tail=HIDES))
    await house.agreement.look()
    admitted, _ = await asked(house, infer("plain words"), "lab")
    assert texts_of(pb.ModelInferRequest.FromString(admitted.message)) == ["[MRN]"]
    house.journal.close("test over")
    await house.agreement.close()


async def test_what_a_bearer_was_not_issued_for_is_refused(house):
    subject = Subject(ISSUER, "ada", (), frozenset({"clinician"}), 9e9, scope=Scope(actions=frozenset({"chat"})))
    refusal, _ = await asked(house, infer(), subject=subject)
    assert refusal.reason == "scope-exceeded"
    refusal, _ = await asked(house, infer(), phi_unmask="ward round")
    assert refusal.status == 403
    refusal, _ = await asked(house, infer(), phi_unmask="x")
    assert refusal.reason == "reason-missing"


async def test_a_bearer_for_one_exchange_is_spent_by_it(house, monkeypatch):
    once = Subject(ISSUER, "ada", (), frozenset({"clinician"}), 9e9, jti="1", uses=1)
    assert isinstance((await asked(house, infer(), subject=once))[0], Admitted)
    assert (await asked(house, infer(), subject=once))[0].detail == "spent"

    async def down(*_):
        raise LedgerDown("no")

    monkeypatch.setattr(house.agreement, "spend", down)
    assert (await asked(house, infer(), subject=once))[0].reason == "ledger-unavailable"


async def test_what_cannot_be_recorded_does_not_go(house, monkeypatch):
    def down(*_):
        raise JournalDown("no")

    monkeypatch.setattr(house.journal, "append", down)
    refusal, exchange = await asked(house, infer())
    assert (refusal.reason, exchange.recorded) == ("not-recorded", False)


async def test_the_bearer_is_asked_for_once_and_looked_at_again(house, monkeypatch):
    admission, caller = await called(house, "ward")
    assert await admission.still(caller) is None
    assert caller.subject.roles == {"clinician"}
    monkeypatch.setattr(house.agreement.follow, "_looked", float("-inf"))
    assert (await admission.still(caller)).reason == "ledger-unavailable"
    caller.bearer = bearer("ward", exp=1.0)
    assert (await admission.still(caller)).detail == "expired"


HEADS = [
    ("none", [], "bearer-missing"),
    ("two", [(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")], "malformed"),
    ("one that is none", [(b"authorization", b"Bearer a")], "bearer-refused"),
    ("a question", [(b"phi-ask", b"ticket")], "malformed"),
    ("a deployment", [(b"phi-deployment", b"version=1")], "malformed"),
    ("two reasons", [(b"phi-unmask", b"one"), (b"phi-unmask", b"two")], "malformed"),
]


@pytest.mark.parametrize(("sentence", "fields", "reason"), HEADS, ids=[case[0] for case in HEADS])
async def test_headers_that_prove_nobody(house, sentence, fields, reason):
    admission = Admission(house)
    caller = admission.caller("10.0.0.9", fields)
    refusal = caller if isinstance(caller, Refusal) else await admission.identify(caller)
    assert refusal.reason == reason


async def test_an_address_is_what_was_written():
    assert address_of("grpcs://model.example:443").authority == "model.example:443"
    assert address_of("grpc://[::1]:8001").authority == "[::1]:8001"


async def test_a_policy_on_trial_is_recorded_and_changes_nothing(house, recorded, monkeypatch):
    nobody = stage.policy_text("{name: nobody, deny: ['*'], to: ['*']}")
    policy = parse_policy(nobody.encode(), "shadow.yaml", Path())
    monkeypatch.setattr(house, "trial", SimpleNamespace(policy=policy))
    settled, _ = await asked(house, infer())
    assert isinstance(settled, Admitted)
    (record,) = recorded()
    assert (record["shadow"]["verb"], record["shadow"]["differs"]) == ("deny", ["newly-denied"])
    monkeypatch.setattr(house, "trial", SimpleNamespace(policy=None))
    settled, _ = await asked(house, infer())
    assert isinstance(settled, Admitted)
    assert recorded()[-1]["shadow"] == {"error": "AttributeError"}


# -- when somebody else has to say yes -------------------------------------------------------------------------------


async def test_a_held_message_has_its_ticket_and_passes_once_after_the_yes(house, recorded):
    refused, exchange = await asked(house, infer(), "privacy")
    assert (refused.status, refused.reason, refused.extra["ticket"]) == (403, "approval-required", exchange.ticket)
    again, _ = await asked(house, infer(), "privacy")
    assert again.extra["ticket"] == exchange.ticket
    now = time.time()

    def yes(of):
        return Step(Said((ISSUER, "eve"), "approve", "", now), "enough", grant_of(of, now))

    await house.agreement.approvals.answer(exchange.ticket, yes, now)
    other, _ = await asked(house, infer(), "privacy", method=STREAM)
    assert other.reason == "approval-required"
    admitted, exchange = await asked(house, infer(), "privacy")
    assert admitted.exchange is exchange
    record = recorded()[-1]
    assert record["decision"]["grant"] == f"g-{record['decision']['ticket']}"
    spent, _ = await asked(house, infer(), "privacy")
    assert spent.reason == "approval-required"


LATER = "How is Mrs. Jane Roe, MRN 12345678, in a while?"


class Waiting:
    """A message that waits for its yes."""

    def __init__(self, house, admission, caller, method=INFER):
        self.house, self.admission, self.caller = house, admission, caller
        self.exchange = admission.exchange(caller, method)
        data = infer(LATER).SerializeToString()
        self.task = asyncio.create_task(admission.admit(self.exchange, caller, method, data))

    async def ticket(self, *but):
        await stage.until(lambda: len(self.house.holding) and self.exchange.ticket not in {None, *but})
        return self.exchange.ticket

    async def answered(self, event="enough"):
        name, now = await self.ticket(), time.time()

        def step(of):
            if event == "reject":
                return Step(Said((ISSUER, "eve"), "reject", "", now), "reject")
            return Step(Said((ISSUER, "eve"), "approve", "", now), "enough", grant_of(of, now))

        await self.house.agreement.approvals.answer(name, step, now)
        self.house.holding.ask()
        return name

    async def over(self):
        return await asyncio.wait_for(self.task, 5)


async def waits(house, who, **more):
    admission = Admission(house, DEFAULT)
    caller = admission.caller("10.0.0.9", head(bearer("lab", who=who), **more))
    assert await admission.identify(caller) is None
    return Waiting(house, admission, caller)


async def test_a_message_waits_for_its_yes_and_goes_on_as_the_rules_have_it(house, recorded, shared):
    asked = await waits(house, "wait-1")
    ticket = await asked.answered()
    admitted = await asked.over()
    assert isinstance(admitted, Admitted)
    assert b"12345678" not in admitted.message
    (record,) = recorded()
    assert (record["decision"]["ticket"], record["decision"]["grant"]) == (ticket, f"g-{ticket}")
    assert (record["revealed"], len(record["identifiers"]) > 0) == ([], True)
    (hold,) = [line for line in records(shared[1]) if line["kind"] == "hold"]
    assert (hold["exchange"], hold["decision"]["ticket"]) == (asked.exchange.id, ticket)
    assert "12345678" not in str(hold)


async def test_a_message_that_waits_hears_of_a_no(house, recorded):
    asked = await waits(house, "wait-2")
    ticket = await asked.answered("reject")
    refused = await asked.over()
    assert (refused.status, refused.reason, refused.extra["ticket"]) == (403, "rejected", ticket)
    assert recorded()[0]["decision"]["reason"] == "rejected"


async def test_where_a_model_stands_elsewhere_by_now_it_waits_for_another_yes(house, monkeypatch):
    asked = await waits(house, "wait-4")
    ticket = await asked.ticket()
    elsewhere = Address("grpc", "127.0.0.1", 8002)
    monkeypatch.setattr(admission_module, "address_of", lambda _url: elsewhere)
    target = replace(house.policy.resolve("ward"), grpc="grpc://127.0.0.1:8002")
    monkeypatch.setattr(type(house.policy), "resolve", lambda *_: target)
    await asked.answered()
    assert await asked.ticket(ticket) != ticket
    assert not asked.task.done()
    await asked.answered("reject")
    assert (await asked.over()).reason == "rejected"


async def test_a_deny_that_comes_while_a_use_is_spent_counts_too(house, recorded, monkeypatch):
    asked, policy = await waits(house, "wait-6"), house.policy
    await asked.ticket()
    real = house.agreement.approvals.spend_grants

    async def slow(*arguments):
        found = await real(*arguments)
        text = policy.text.replace("rules:\n", "rules:\n  - {name: none, deny: ['*'], to: [predict]}\n", 1)
        house.put_in_force(parse_policy(text.encode(), "policy.yaml", policy.folder))
        return found

    monkeypatch.setattr(house.agreement.approvals, "spend_grants", slow)
    try:
        await asked.answered()
        assert (await asked.over()).reason == "not-decided"
    finally:
        house.put_in_force(policy)
    (record,) = recorded()
    assert (record["policy"], record["decision"]["verb"], record["revealed"]) == (policy.sha256, "deny", [])


async def test_for_a_call_that_is_over_nothing_is_spent(house, recorded):
    asked = await waits(house, "wait-5")
    await asked.ticket()
    asked.caller.gone = True
    await asked.answered()
    assert (await asked.over()).reason == "client-left"
    assert len(await house.agreement.approvals.live_grants((ISSUER, "wait-5"), time.time())) == 1
    assert recorded()[0]["decision"]["verb"] != "permit"


async def test_before_a_calls_deadline_it_is_told_its_ticket(house, monkeypatch):
    asked = await waits(house, "wait-6")
    asked.caller.ends = asyncio.get_running_loop().time() + admission_module.TELL + 0.1
    refused = await asked.over()
    assert (refused.reason, refused.extra["ticket"]) == ("approval-required", asked.exchange.ticket)


@pytest.mark.parametrize("change", ["leaving", "out"])
async def test_what_holds_by_now_is_asked_again(house, monkeypatch, change):
    asked = await waits(house, f"wait-{change}")
    await asked.ticket()
    if change == "leaving":
        monkeypatch.setattr(house, "leaving", True)
    else:
        monkeypatch.setattr(house.agreement.follow.revoked, "covers", lambda _subject: True)
    await asked.answered()
    refused = await asked.over()
    assert (refused.status, refused.reason) == ((503, "not-ready") if change == "leaving" else (401, "bearer-refused"))


async def test_a_policy_on_trial_is_asked_before_any_grant_as_the_real_one_was(house, recorded, monkeypatch):
    monkeypatch.setattr(house, "trial", SimpleNamespace(policy=house.policy))
    _, exchange = await asked(house, infer(), "privacy")
    now = time.time()

    def yes(of):
        return Step(Said((ISSUER, "eve"), "approve", "", now), "enough", grant_of(of, now))

    await house.agreement.approvals.answer(exchange.ticket, yes, now)
    assert isinstance((await asked(house, infer(), "privacy"))[0], Admitted)
    record = recorded()[-1]
    assert (record["decision"]["verb"], record["shadow"]["verb"], record["shadow"]["differs"]) == ("permit", "hold", [])


async def test_a_held_message_is_not_settled_without_a_ledger(house):
    await house.agreement.close()
    refused, _ = await asked(house, infer(), "privacy")
    assert (refused.status, refused.reason) == (503, "ledger-unavailable")
    house.agreement.going.clear()


async def test_a_message_that_is_too_much_is_on_record_and_nothing_of_it_is_read(house, recorded, monkeypatch):
    tail = "limits: [{roles: [clinician], requests: {per: PT1M, most: 2}, at_once: 1}]\n"
    limited = parse_policy(stage.policy_text(*RULES, tail=tail).encode(), "p.yaml", Path())
    monkeypatch.setattr(house, "policy", limited)
    monkeypatch.setattr(house, "meter", Meter(house.meter.sharing, house._digest))
    admission, caller = await called(house, "ward")
    first, second = (admission.exchange(caller, INFER) for _ in range(2))
    data = infer().SerializeToString()
    assert isinstance(await admission.admit(first, caller, INFER, data), Admitted)
    refused = await admission.admit(second, caller, INFER, data)
    assert (refused.status, refused.reason, refused.retry_after) == (429, "too-many-requests", 1)
    assert recorded()[-1]["decision"]["reason"] == "too-many-requests"
    assert recorded()[-1]["body"] is None
    house.meter.leave(first.id)
    denied = admission.exchange(caller, INFER)
    assert (await admission.admit(denied, caller, INFER, b"\xff")).status == 400
    assert len(house.meter) == 0
    late = await admission.admit(admission.exchange(caller, INFER), caller, INFER, data)
    assert (late.reason, late.retry_after > 50) == ("too-many-requests", True)


async def test_a_message_that_cannot_be_counted_is_on_record_and_does_not_go(house, recorded, monkeypatch):
    tail = "limits: [{roles: [clinician], at_once: 1, exact: true}]\n"
    limited = parse_policy(stage.policy_text(*RULES, tail=tail).encode(), "p.yaml", Path())
    monkeypatch.setattr(house, "policy", limited)
    monkeypatch.setattr(house, "meter", Meter(house.meter.sharing, house._digest))
    admission, caller = await called(house, "ward")
    data = infer().SerializeToString()
    first = admission.exchange(caller, INFER)
    assert isinstance(await admission.admit(first, caller, INFER, data), Admitted)
    refused = await admission.admit(admission.exchange(caller, INFER), caller, INFER, data)
    assert (refused.status, refused.reason) == (429, "too-many-requests")
    house.meter.leave(first.id)
    await house.agreement.close()
    refused = await admission.admit(admission.exchange(caller, INFER), caller, INFER, data)
    assert (refused.status, refused.reason) == (503, "ledger-unavailable")
    assert recorded()[-1]["decision"]["reason"] == "ledger-unavailable"
    assert len(house.meter) == 0
    house.agreement.going.clear()
