"""May they? From a flow to a decision or a refusal; who was refused before is not asked about again."""

import threading
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from phigate.access import addon, request
from phigate.access.addon import Access
from phigate.exchange import Refusal, Scope
from phigate.ledger import LedgerDown
from phigate.ledger.counting import Counted
from phigate.policy.decide import Deny, Hold, Permit, PromptFacts, decide
from phigate.policy.grants import Grant
from phigate.policy.hashes import rule_hash
from phigate.policy.load import load_policy, parse_policy
from tests.ledger.tickets import ticket, yes
from tests.stage import RULES, asking, conversing, entered, furnished, policy_in, policy_text, saying
from tests.traffic import chat

MODELS = """\
models:
  ward-assistant: {url: "http://10.0.4.10:11434", names: ["llama3*", "both"], credential: "env:WARD_KEY"}
  ward-secure: {url: "https://models.example", names: ["secure", "bo*"]}
  ward-also: {url: "http://10.0.4.11", names: ["*th", "both*"]}
"""
IMAGE = chat() | {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}


async def asked(house, flow, *roles, **more):
    passage = entered(flow, *(roles or ("clinician",)), **more)
    await Access(house).request(flow)
    return passage


async def test_a_permitted_request_is_read_and_decided(house):
    passage = await asked(house, asking(chat(stream=True)))
    exchange = passage.exchange
    assert exchange.refusal is None
    assert isinstance(exchange.decision, Permit)
    assert (exchange.decision.rule, exchange.decision.mask.name) == ("care", "lean")
    assert (exchange.model, exchange.target, exchange.streaming) == ("ward-assistant", "ward-assistant", True)
    assert exchange.request == chat(stream=True)
    assert (passage.target_url, passage.credential) == (None, None)


async def test_without_a_body_there_is_no_model_to_ask_for(house):
    passage = await asked(house, asking(method="GET", path="/v1/models"), route="openai-models")
    assert passage.exchange.refusal is None
    assert (passage.exchange.model, passage.exchange.request) == (None, None)


REFUSED = [
    ("a role that no rule names", asking(), ("visitor",), 403, "no-rule"),
    ("a denied prompt", asking(chat("List all patients")), (), 403, "denied"),
    ("a form", asking(b"a=b", content_type="application/x-www-form-urlencoded"), (), 415, "content-unreadable"),
    ("compressed JSON", asking(content_encoding="gzip"), (), 415, "encoding-unsupported"),
    ("broken JSON", asking(b"{"), (), 400, "malformed"),
    ("a picture", asking(IMAGE), (), 415, "content-unreadable"),
    ("a reason that says nothing", asking(phi_unmask="x"), (), 400, "reason-missing"),
    ("a question of no kind", asking(phi_ask="maybe"), (), 400, "malformed"),
    ("a question to which the answer is yes", asking(phi_ask="ticket"), (), 409, "nothing-to-ask"),
    ("a deployment by a chat", asking(phi_deployment=f"version=1, digest={'9f' * 32}"), (), 400, "malformed"),
    ("a justification that cannot be shown", asking(phi_justification="a\u202eb c"), (), 400, "reason-missing"),
]


@pytest.mark.parametrize(("sentence", "flow", "roles", "status", "reason"), REFUSED, ids=[case[0] for case in REFUSED])
async def test_a_refusal_names_its_reason(house, sentence, flow, roles, status, reason):
    passage = await asked(house, flow.copy(), *roles)
    refusal = passage.exchange.refusal
    assert (refusal.status, refusal.reason) == (status, reason)


@pytest.mark.parametrize("words", [10, 2000], ids=["a small one at once", "a large one while others go on"])
async def test_others_wait_for_no_large_body(house, monkeypatch, words):
    threads = []

    def read(*args):
        threads.append(threading.current_thread() is threading.main_thread())
        return request.read(*args)

    monkeypatch.setattr(addon, "read", read)
    passage = await asked(house, asking(chat("word " * words)))
    assert isinstance(passage.exchange.decision, Permit)
    assert threads == [words == 10]


async def test_a_body_that_is_read_while_the_policy_changes_is_decided_by_one_of_them(house, monkeypatch, tmp_path):
    """The one in force when it began; the other would send it to a model that it was not decided for."""
    before, other = house.policy, load_policy(policy_in(tmp_path, policy_text(RULES[4], tail=MODELS)))

    def read(*args):
        house.policy = other
        return request.read(*args)

    monkeypatch.setattr(addon, "read", read)
    passage = await asked(house, asking(chat("word " * 2000)))
    assert isinstance(passage.exchange.decision, Permit)
    assert passage.decided_by is before
    assert passage.exchange.policy == before.sha256
    assert passage.target_url is None


LIMITED = "limits: [{roles: [clinician], requests: {per: PT1M, most: 2}, at_once: 1}]\n"


async def test_what_is_too_much_is_refused_before_it_is_read(tmp_path):
    house = furnished(tmp_path, policy_text(tail=LIMITED))
    first = await asked(house, asking())
    assert first.exchange.refusal is None
    second = await asked(house, asking(b"{"))
    refusal = second.exchange.refusal
    assert (refusal.status, refusal.reason, refusal.retry_after) == (429, "too-many-requests", 1)
    assert (second.exchange.request, second.exchange.decision) == (None, None)
    assert (await asked(house, asking(), "researcher")).exchange.refusal is None
    house.meter.leave(first.exchange.id)
    third = await asked(house, asking())
    assert third.exchange.refusal is None
    house.meter.leave(third.exchange.id)
    refusal = (await asked(house, asking())).exchange.refusal
    assert (refusal.status, refusal.reason) == (429, "too-many-requests")
    assert 50 < refusal.retry_after <= 60
    house.journal.close("test over")


async def test_each_message_of_a_conversation_is_a_request(tmp_path):
    house = furnished(tmp_path, policy_text(tail=LIMITED))
    flow, _ = conversing(house)
    refused = []
    for _ in range(3):
        message = saying(flow, {"type": "response.create"})
        await Access(house).websocket_message(flow)
        refused.append(message.refusal.reason if message.refusal else None)
    assert refused == [None, None, "too-many-requests"]
    answer = saying(flow, {"type": "response.done"}, caller=False)
    await Access(house).websocket_message(flow)
    assert answer.refusal is None
    house.journal.close("test over")


EXACT = "limits: [{roles: [clinician], requests: {per: PT1M, most: 2}, at_once: 1, exact: true}]\n"


async def test_what_all_gateways_count_is_asked_of_the_ledger_and_without_it_nobody_is_let_in(tmp_path):
    house = furnished(tmp_path, policy_text(tail=EXACT))
    refused = (await asked(house, asking())).exchange.refusal
    assert (refused.status, refused.reason) == (503, "ledger-unavailable")
    assert len(house.meter) == 0
    await house.agreement.look()
    (tmp_path / "other").mkdir()
    other = furnished(tmp_path / "other", policy_text(tail=EXACT))
    other.secrets, other.agreement._url = house.secrets, house.agreement._url
    await other.agreement.look()
    first = await asked(house, asking())
    assert first.exchange.refusal is None
    refused = (await asked(other, asking())).exchange.refusal
    assert (refused.reason, refused.retry_after) == ("too-many-requests", 1)
    assert (await asked(other, asking(), "researcher")).exchange.refusal is None
    await house.agreement.close()  # its places come back
    assert (await asked(other, asking())).exchange.refusal is None
    flow, _ = conversing(other)
    message = saying(flow, {"type": "response.create"})
    await Access(other).websocket_message(flow)
    assert message.refusal.reason == "too-many-requests"
    await other.agreement.close()
    message = saying(flow, {"type": "response.create"})
    await Access(other).websocket_message(flow)
    assert message.refusal.reason in {"too-many-requests", "ledger-unavailable"}
    for each in (house, other):
        each.journal.close("test over")


async def test_a_policy_that_comes_into_force_while_a_request_is_counted_decides_about_it(tmp_path, monkeypatch):
    house = furnished(tmp_path, policy_text(tail=EXACT))

    async def count(_name, calls, _places):
        house.put_in_force(edited)
        return Counted([None] * len(calls))

    edited = parse_policy(policy_text("{name: no, deny: ['*'], to: [chat]}").encode(), "p.yaml", tmp_path)
    monkeypatch.setattr(house.meter.sharing, "count", count)
    exchange = (await asked(house, asking())).exchange
    assert (exchange.refusal.status, exchange.policy) == (403, edited.sha256)
    house.journal.close("test over")


async def test_the_emergency_header_alone_neither_opens_nor_closes(house):
    passage = await asked(house, asking(phi_break_glass="code blue"))
    assert passage.reasons.break_glass == "code blue"
    assert passage.exchange.decision.rule == "care"
    assert (await asked(house, asking(phi_break_glass="code blue"), "visitor")).exchange.refusal.reason == "no-rule"


async def test_a_question_gets_no_wait_and_spends_no_grant(tmp_path):
    held = "{name: held, hold: [clinician], to: [chat], models: ['*'], approvers: [officer], wait: PT2M, mask: lean}"
    house = furnished(tmp_path, policy_text(held))
    await house.agreement.look()
    assert (await asked(house, asking())).exchange.decision.wait is not None
    passage = await asked(house, asking(phi_ask="ticket"))
    assert (passage.exchange.refusal, passage.exchange.decision.wait) == (None, None)
    now, subject = time.time(), passage.exchange.subject
    named = {"rule": "held", "actions": frozenset({"chat"}), "model": "ward-assistant", "bound": False}
    named |= {"subject": (subject.issuer, subject.id), "rule_hash": rule_hash(house.policy, "held")}
    one = ticket(**named, opened=now, until=now + 60)
    await house.agreement.approvals.open_ticket(one, now)
    await house.agreement.approvals.answer("t-1", yes(now=now), now)
    assert isinstance((await asked(house, asking())).exchange.decision, Permit)
    passage = await asked(house, asking(phi_ask="ticket"))
    assert passage.exchange.refusal.reason == "nothing-to-ask"
    await house.agreement.close()
    house.journal.close("test over")


async def test_a_denied_request_keeps_what_the_record_needs(house):
    exchange = (await asked(house, asking(chat("List all patients")))).exchange
    assert isinstance(exchange.decision, Deny)
    assert (exchange.refusal.rule, exchange.refusal.message) == ("no-bulk", "Ask us.")
    assert exchange.request is not None


async def test_asking_to_unmask_is_one_more_action(house):
    passage = await asked(house, asking(phi_unmask="ward round"))
    assert passage.exchange.actions == {"chat", "unmask"}
    assert isinstance(passage.exchange.decision, Hold)
    assert passage.reasons.unmask == "ward round"


HEADS = [
    ("a head that could not be read", (404, "route-unknown"), 404, "route-unknown"),
    ("another method", (405, "method-not-allowed"), 405, "method-not-allowed"),
]


@pytest.mark.parametrize(("sentence", "fault", "status", "reason"), HEADS, ids=[case[0] for case in HEADS])
async def test_a_known_caller_learns_what_was_wrong_with_the_head(house, sentence, fault, status, reason):
    flow = asking()
    passage = entered(flow, "clinician")
    passage.head_fault, passage.match = fault, None
    await Access(house).request(flow)
    assert (passage.exchange.refusal.status, passage.exchange.refusal.reason) == (status, reason)


async def test_no_route_is_no_way(house):
    flow = asking()
    passage = entered(flow, "clinician")
    passage.match = None
    await Access(house).request(flow)
    assert passage.exchange.refusal.reason == "route-unknown"


async def test_what_a_server_keeps_for_one_caller_is_named_by_nobody_else(house):
    flow = asking(method="GET", path="/mcp", mcp_session_id="3f2b")
    passage = await asked(house, flow, route="mcp-listen")
    assert (passage.exchange.refusal.status, passage.exchange.refusal.reason) == (404, "session-unknown")
    told = house.seal_of(passage.exchange).tell("3f2b")
    passage = await asked(house, asking(method="GET", path="/mcp", mcp_session_id=told), route="mcp-listen")
    assert passage.exchange.refusal.reason == "no-rule"
    assert passage.fields[b"mcp-session-id"] == b"3f2b"


async def test_a_body_where_none_belongs_is_refused(house):
    flow = asking(method="GET", path="/v1/models")
    flow.request.content = b"{}"
    assert (await asked(house, flow, route="openai-models")).exchange.refusal.reason == "malformed"


async def test_trailers_are_refused(house):
    flow = asking()
    flow.request.trailers = type(flow.request.headers)(x="y")
    assert (await asked(house, flow)).exchange.refusal.reason == "malformed"


async def test_nobody_is_not_decided_about(house):
    flow = asking()
    passage = entered(flow)
    with pytest.raises(ValueError, match="no subject"):
        await Access(house).request(flow)
    assert passage.exchange.decision is None


async def test_who_was_refused_is_not_asked_about(house):
    flow = asking()
    passage = entered(flow, "clinician")
    passage.exchange.refusal = Refusal(401, "bearer-missing", "A bearer is needed.")
    await Access(house).request(flow)
    assert passage.exchange.decision is None
    assert passage.exchange.refusal.reason == "bearer-missing"


async def test_a_flow_that_never_entered_is_left_alone(house):
    await Access(house).request(asking())


@pytest.fixture
def several(tmp_path, monkeypatch):
    """A house whose policy names its models."""
    monkeypatch.setenv("WARD_KEY", "the-models-own")
    (tmp_path / "several").mkdir()
    made = furnished(tmp_path / "several", policy_text(tail=MODELS))
    yield made
    made.journal.close("test over")


PLACES = [
    ("by a glob", "llama3:8b", "ward-assistant", (b"http", "10.0.4.10", 11434), "the-models-own"),
    ("by an exact name, over two globs", "both", "ward-assistant", (b"http", "10.0.4.10", 11434), "the-models-own"),
    ("with the port of https", "secure", "ward-secure", (b"https", "models.example", 443), None),
]


@pytest.mark.parametrize(("sentence", "name", "target", "url", "own"), PLACES, ids=[case[0] for case in PLACES])
async def test_a_models_name_leads_to_its_server(several, sentence, name, target, url, own):
    passage = await asked(several, asking(chat() | {"model": name}))
    assert passage.exchange.refusal is None
    assert passage.exchange.target == target
    assert (passage.target_url, passage.credential) == (url, own)


NAMES = [("nobody's", "gpt", "model-unknown"), ("two models'", "bother", "model-ambiguous")]


@pytest.mark.parametrize(("sentence", "name", "reason"), NAMES, ids=[case[0] for case in NAMES])
async def test_a_name_that_is_not_one_models_is_refused(several, sentence, name, reason):
    refusal = (await asked(several, asking(chat() | {"model": name}))).exchange.refusal
    assert (refusal.status, refusal.reason) == (404, reason)


async def test_a_missing_credential_is_the_gateways_fault(several, monkeypatch):
    monkeypatch.delenv("WARD_KEY")
    refusal = (await asked(several, asking(chat() | {"model": "llama3"}))).exchange.refusal
    assert (refusal.status, refusal.reason) == (503, "credential-missing")


# -- a policy on trial ----------------------------------------------------------------------------------------------


def on_trial(house, *rules, tail=""):
    text = policy_text(*rules, tail=tail).replace("keys: file:keys.json", "keys: discover")
    house.trial = SimpleNamespace(policy=parse_policy(text.encode(), "shadow.yaml", Path()))
    return house


NOBODY = "{name: nobody, deny: ['*'], to: ['*']}"
ANYBODY = "{name: any, permit: [clinician], to: [chat, unmask], models: ['*'], mask: reveal, opaque: permit}"
TRIALS = [
    ("a permit that would be a denial", NOBODY, {}, ["newly-denied"]),
    ("a denial that would be a permit", ANYBODY, {"body": chat("List all patients")}, ["newly-permitted"]),
    ("a hold that would be a permit", ANYBODY, {"phi_unmask": "ward round"}, ["newly-permitted", "no-longer-held"]),
    ("a picture that would pass", ANYBODY, {"body": IMAGE}, ["newly-permitted"]),
]


@pytest.mark.parametrize(("sentence", "rule", "more", "differs"), TRIALS, ids=[case[0] for case in TRIALS])
async def test_a_policy_on_trial_is_recorded_and_changes_nothing(house, sentence, rule, more, differs):
    async def settled():
        passage = entered(flow := asking(**more), "clinician")
        passage.exchange.subject = replace(passage.exchange.subject, groups=("ward",))
        await Access(house).request(flow)
        return passage.exchange

    before = await settled()
    on_trial(house, rule)
    after = await settled()
    assert before.shadow is None
    assert (after.decision, after.refusal) == (before.decision, before.refusal)
    assert after.shadow["differs"] == differs
    assert after.shadow["verb"] == ("deny" if rule == NOBODY else "permit")
    assert after.shadow["policy"] == house.trial.policy.sha256


async def test_a_policy_on_trial_that_breaks_is_on_record_and_breaks_nothing_else(house):
    house.trial = SimpleNamespace(policy=None)
    exchange = (await asked(house, asking())).exchange
    assert exchange.refusal is None
    assert isinstance(exchange.decision, Permit)
    assert exchange.shadow == {"error": "AttributeError"}


async def test_a_model_that_only_the_policy_on_trial_knows_is_on_record(several):
    on_trial(several, ANYBODY)
    flow = asking(chat() | {"model": "gpt"})
    passage = entered(flow, "clinician")
    passage.exchange.subject = replace(passage.exchange.subject, groups=("ward",))
    await Access(several).request(flow)
    assert passage.exchange.refusal.reason == "model-unknown"
    assert passage.exchange.shadow["differs"] == ["newly-permitted"]


async def test_what_no_policy_is_asked_about_the_one_on_trial_is_not_either(house):
    on_trial(house, ANYBODY)
    assert (await asked(house, asking(phi_unmask="x"))).exchange.shadow is None


# -- bearers of the gateway's own -----------------------------------------------------------------------------------


async def limited(house, flow, **changes):
    """A clinician whose bearer is limited in some way."""
    passage = entered(flow, "clinician")
    passage.exchange.subject = replace(passage.exchange.subject, jti="one", **changes)
    await Access(house).request(flow)
    return passage.exchange


SCOPES = [
    ("to nothing", Scope(), None),
    ("to this model and action", Scope(frozenset({"ward-assistant"}), frozenset({"chat"})), None),
    ("to another model", Scope(models=frozenset({"other"})), "scope-exceeded"),
    ("to another action", Scope(actions=frozenset({"embed"})), "scope-exceeded"),
]


@pytest.mark.parametrize(("sentence", "scope", "reason"), SCOPES, ids=[case[0] for case in SCOPES])
async def test_a_bearer_is_limited(house, sentence, scope, reason):
    exchange = await limited(house, asking(chat() | {"model": "ward-assistant"}), scope=scope)
    assert (exchange.refusal.reason if exchange.refusal else None) == reason
    assert reason is None or exchange.refusal.status == 403


async def test_a_chats_scope_does_not_unmask(house):
    flow = asking(phi_unmask="ward round")
    exchange = await limited(house, flow, scope=Scope(actions=frozenset({"chat"})))
    assert exchange.refusal.reason == "scope-exceeded"


OPERATORS = (
    "{name: run, permit: [clinician], to: [manage-models], models: [base, new], mask: lean}",
    "{name: ask, hold: [clinician], to: [manage-models], models: [ward], approvers: [officer], grant: {uses: 1}}",
)
MADE = [
    ("of one that is permitted", {"model": "new", "from": "base"}, Scope(), None),
    ("of nothing", {"model": "new", "system": "Be brief."}, Scope(), None),
    ("of one that is held", {"model": "new", "from": "ward"}, Scope(), "models-differ"),
    ("of one that no rule speaks of", {"model": "new", "from": "other"}, Scope(), "no-rule"),
    ("of one beyond the bearer", {"model": "new", "from": "base"}, Scope(frozenset({"new"})), "scope-exceeded"),
    ("of one within the bearer", {"model": "new", "from": "base"}, Scope(frozenset({"new", "base"})), None),
]


@pytest.mark.parametrize(("sentence", "body", "scope", "reason"), MADE, ids=[case[0] for case in MADE])
async def test_a_model_is_made_of_what_its_maker_may_change_too(sentence, body, scope, reason, tmp_path):
    made = furnished(tmp_path, policy_text(*OPERATORS))
    flow = asking(body, path="/api/create")
    passage = entered(flow, "clinician", route="ollama-create")
    passage.exchange.subject = replace(passage.exchange.subject, scope=scope)
    try:
        await Access(made).request(flow)
    finally:
        made.journal.close("test over")
    refusal = passage.exchange.refusal
    assert (refusal.reason if refusal else None) == reason


def spending(house, monkeypatch, outcome):
    spent = []

    async def spend(kind, key, expires, now):
        spent.append((kind, key))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(house.agreement, "spend", spend)
    return spent


SPENDING = [
    ("the first time", True, None),
    ("again", False, "bearer-refused"),
    ("in an outage", LedgerDown("x"), "ledger-unavailable"),
]


@pytest.mark.parametrize(("sentence", "outcome", "reason"), SPENDING, ids=[case[0] for case in SPENDING])
async def test_a_bearer_for_one_exchange_is_spent(house, monkeypatch, sentence, outcome, reason):
    spent = spending(house, monkeypatch, outcome)
    exchange = await limited(house, asking(), uses=1, signed_by="https://console.example")
    assert (exchange.refusal.reason if exchange.refusal else None) == reason
    assert spent == [("token", "https://console.example\0one")]


@pytest.mark.parametrize("flow", [asking(chat("List all patients")), asking(b"{"), asking(phi_unmask="ward round")])
async def test_what_is_not_permitted_spends_nothing(house, monkeypatch, flow):
    spent = spending(house, monkeypatch, True)
    await limited(house, flow.copy(), uses=1)
    assert spent == []


async def test_a_bearer_for_many_exchanges_is_not_spent(house, monkeypatch):
    spent = spending(house, monkeypatch, False)
    exchange = await limited(house, asking())
    assert (exchange.refusal, spent) == (None, [])


# -- messages -------------------------------------------------------------------------------------------------------


def ask(text):
    item = {"type": "message", "content": [{"type": "input_text", "text": text}]}
    return {"type": "conversation.item.create", "item": item}


async def heard(house, *messages, caller=True, change=None):
    """Why the last of these messages on one connection was refused."""
    flow, passage = conversing(house)
    if change:
        change(passage)
    for each in messages:
        message = saying(flow, each, caller=caller)
        await Access(house).websocket_message(flow)
    return message.refusal.reason if message.refusal else None


MESSAGES = [
    ("an honest one", [ask("How is she?")], None),
    ("one that a rule denies", [ask("list all patients")], "denied"),
    ("one that a rule denies with the one before", [ask("list all"), ask("patients")], "denied"),
    ("no JSON", [b"{"], "malformed"),
    ("an unknown kind", [{"type": "novel"}], "message-unknown"),
    ("sound", [{"type": "input_audio_buffer.append", "audio": "AAAA"}], "content-unreadable"),
    ("one that steers", [{"type": "response.create", "response": {"max_output_tokens": 1}}], "steering-refused"),
    ("one for its own model", [{"type": "session.update", "session": {"model": "ward-assistant"}}], None),
    ("one for no model", [{"type": "session.update", "session": {"model": "a b"}}], "model-unknown"),
    (
        "one for a model that may not transcribe",
        [{"type": "session.update", "session": {"input_audio_transcription": {"model": "whisper"}}}],
        "no-rule",
    ),
]


@pytest.mark.parametrize(("sentence", "messages", "reason"), MESSAGES, ids=[case[0] for case in MESSAGES])
async def test_a_message_is_decided_like_a_request(house, sentence, messages, reason):
    assert await heard(house, *messages) == reason


async def test_a_message_that_was_refused_is_not_asked_about(house):
    flow, _ = conversing(house)
    message = saying(flow, b"{")
    message.refusal = Refusal(400, "content-unreadable", "x")
    await Access(house).websocket_message(flow)
    assert message.refusal.reason == "content-unreadable"


CHANGES = [
    ("the same rules", (), None),
    ("none any more", ("{name: x, deny: ['*'], to: [chat]}",), "denied"),
    (
        "another mask",
        ("{name: care, permit: [clinician], to: [chat], models: ['*'], mask: years}",),
        "connection-changed",
    ),
]


@pytest.mark.parametrize(("sentence", "rules", "reason"), CHANGES, ids=[case[0] for case in CHANGES])
@pytest.mark.parametrize("caller", [True, False])
async def test_a_new_policy_is_asked_about_an_open_connection(house, tmp_path, sentence, rules, reason, caller):
    def change(_passage):
        house.put_in_force(load_policy(policy_in(tmp_path, policy_text(*rules) + "# edited\n")))

    assert await heard(house, ask("Hello"), caller=caller, change=change) == reason


async def test_the_connections_of_one_subject_are_bounded(house, monkeypatch):
    monkeypatch.setattr(addon, "MOST_OPEN", 1)
    flow, passage = conversing(house)
    room, subject = Access(house), passage.exchange.subject
    assert room._crowded(subject) is None
    house.contacted["ex-1"] = flow
    assert room._crowded(subject).reason == "too-many-connections"
    assert room._crowded(replace(subject, id="bob")) is None
    monkeypatch.setattr(addon, "MOST_OPEN_IN_ALL", 1)
    assert room._crowded(replace(subject, id="bob")).status == 429


# -- hours ----------------------------------------------------------------------------------------------------------

DAYTIME = 'hours: {from: "07:00", to: "19:00", zone: Europe/Berlin}'
NOON, NIGHT = (datetime.fromisoformat(f"2026-11-25T{hour}:00:00+01:00").timestamp() for hour in (12, 23))


def daytime(tmp_path, monkeypatch, *rules):
    """A house of these rules, and a way to say what time it is there."""
    house = furnished(tmp_path, policy_text(*rules))
    clock = SimpleNamespace(time=lambda: NOON)
    monkeypatch.setattr(addon, "time", clock)

    def at(now):
        clock.time = lambda: now

    return house, at


async def test_a_request_and_each_message_are_decided_by_their_own_time(tmp_path, monkeypatch):
    care = f"{{name: care, permit: [clinician], to: [chat], models: ['*'], mask: lean, {DAYTIME}}}"
    house, at = daytime(tmp_path, monkeypatch, care)
    assert (await asked(house, asking())).exchange.refusal is None
    flow, passage = conversing(house)
    subject, actions = passage.exchange.subject, passage.exchange.actions
    passage.exchange.decision = decide(house.policy, subject, actions, "ward-assistant", passage.reasons, (), NOON)
    said = []
    for now in (NOON, NIGHT):
        at(now)
        from_caller = saying(flow, ask("How is she?"))
        await Access(house).websocket_message(flow)
        said.append(from_caller.refusal and from_caller.refusal.reason)
    assert said == [None, "no-rule"]
    from_model = saying(flow, {"type": "response.done"}, caller=False)
    await Access(house).websocket_message(flow)
    assert from_model.refusal is None
    assert (await asked(house, asking())).exchange.refusal.reason == "no-rule"
    house.journal.close("test over")


async def test_what_was_approved_for_other_hours_is_told_so_and_asks_nobody(tmp_path, monkeypatch):
    held = "{name: held, hold: [clinician], to: [chat], models: ['*'], approvers: [officer], mask: lean,"
    house, at = daytime(tmp_path, monkeypatch, f"{held} grant: {{for: P2D, {DAYTIME}}}}}")
    await house.agreement.look()
    passage = await asked(house, asking())
    person = (passage.exchange.subject.issuer, passage.exchange.subject.id)
    named = {"rule": "held", "subject": person, "actions": frozenset({"chat"}), "model": "ward-assistant"}
    one = ticket(**named, bound=False, uses=None, lasts=2 * 86400.0, opened=NOON, until=NOON + 60)
    one = replace(one, rule_hash=rule_hash(house.policy, "held"))
    await house.agreement.approvals.open_ticket(one, NOON)
    await house.agreement.approvals.answer(one.id, yes(now=NOON), NOON)
    assert isinstance((await asked(house, asking())).exchange.decision, Permit)
    at(NIGHT)
    exchange = (await asked(house, asking())).exchange
    assert (exchange.refusal.status, exchange.refusal.reason, exchange.refusal.rule) == (403, "outside-hours", "held")
    assert exchange.refusal.message == "What was approved does not count at this hour."
    at(NOON + 86400)
    assert isinstance((await asked(house, asking())).exchange.decision, Permit)
    await house.agreement.close()
    house.journal.close("test over")


# -- what somebody said yes to ---------------------------------------------------------------------------------------


async def test_a_message_counts_by_the_grant_that_its_connection_was_opened_with(house):
    flow, passage = conversing(house)
    exchange, now = passage.exchange, time.time()
    exchange.actions = frozenset({"chat", "unmask"})
    passage.reasons = PromptFacts(unmask="ward round", digest="aa")
    who = (exchange.subject.issuer, exchange.subject.id)
    live = (now - 1, now + 60, 1, rule_hash(house.policy, "see"))
    grant = Grant("g", "t", "see", who, exchange.actions, exchange.target, "aa", *live)
    asked = (house.policy, exchange.subject, exchange.actions, exchange.target, passage.reasons)
    exchange.decision = decide(*asked, (grant,), now)
    assert exchange.decision.grants == (grant,)
    for grants, reason in (((grant,), None), ((replace(grant, expires=now - 1),), "connection-changed")):
        exchange.decision = replace(exchange.decision, grants=grants)
        message = saying(flow, {"type": "session.update", "session": {"instructions": "Be kind."}})
        await Access(house).websocket_message(flow)
        assert (message.refusal and message.refusal.reason) == reason


async def test_a_message_is_not_let_by_for_a_grant_that_its_connection_did_not_spend(tmp_path, context):
    slow = "{name: slow, hold: [clinician], to: [chat], models: ['*'], approvers: [officer], grant: {uses: 1},"
    house = furnished(tmp_path, policy_text(*RULES, f"{slow} mask: lean, when: {{prompt_matches: [everybody]}}}}"))
    await house.agreement.look()
    flow, passage = conversing(house)
    exchange, now = passage.exchange, time.time()
    exchange.actions, passage.reasons = frozenset({"chat", "unmask"}), PromptFacts(unmask="ward round")
    passage.content = (True, False)
    for rule in ("see", "slow"):
        asked = {
            "subject": (exchange.subject.issuer, exchange.subject.id),
            "actions": exchange.actions,
            "rule_hash": rule_hash(house.policy, rule),
        }
        one = ticket(id=f"t-{rule}", rule=rule, model=exchange.target, bound=False, opened=now, until=now + 60, **asked)
        await house.agreement.approvals.open_ticket(one, now)
        await house.agreement.approvals.answer(one.id, yes(now=now), now)
    assert await Access(house)._by_grant(house.policy, flow.request, passage) is None
    assert exchange.decision.ticket == "t-see"
    for text, reason in (("Hello", None), ("and everybody else?", "connection-changed")):
        message = saying(flow, ask(text))
        await Access(house).websocket_message(flow)
        assert (message.refusal and message.refusal.reason) == reason
    await house.agreement.close()
    house.journal.close("test over")
