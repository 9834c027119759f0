"""Who is asking? From a flow's credential to a subject, or to a refusal that tells nothing."""

import time
from dataclasses import replace

import pytest

from phigate.exchange import Refusal
from phigate.identity import addon
from phigate.identity.addon import Identity
from phigate.identity.replies import session_of
from phigate.ledger import LedgerDown, Revocation
from phigate.policy.load import parse_policy
from tests.stage import ISSUER, asking, bearer, conversing, entered, saying, until

WARD = ("ward",)


async def identified(house, flow):
    passage = entered(flow)
    await Identity(house).request(flow)
    return passage.exchange


async def test_a_believed_bearer_gives_a_subject_with_its_roles_and_session(house):
    exchange = await identified(house, asking(said=bearer("ward", "kitchen")))
    assert exchange.refusal is None
    assert (exchange.subject.issuer, exchange.subject.id) == (ISSUER, "ada")
    assert (exchange.subject.groups, exchange.subject.roles) == (("ward", "kitchen"), {"clinician"})
    assert exchange.session.startswith("se-")


WHERE = 'resource_metadata="http://127.0.0.1:8080/.well-known/oauth-protected-resource"'
MISSING = {"www-authenticate": f'Bearer realm="phigate", {WHERE}'}
INVALID = {"www-authenticate": f'Bearer realm="phigate", error="invalid_token", {WHERE}'}
REFUSED = [
    ("none", None, "bearer-missing", None, MISSING),
    ("one that has ended", {"exp": 1.0}, "bearer-refused", "expired", INVALID),
    ("one for somebody else", {"aud": "other"}, "bearer-refused", "aud-mismatch", INVALID),
    ("one of a stranger", {"iss": "https://evil.example"}, "bearer-refused", "issuer-unknown", INVALID),
]


@pytest.mark.parametrize(
    ("sentence", "claims", "reason", "detail", "headers"), REFUSED, ids=[case[0] for case in REFUSED]
)
async def test_any_other_bearer_is_401_and_the_reason_stays_inside(house, sentence, claims, reason, detail, headers):
    exchange = await identified(house, asking(said=None if claims is None else bearer(*WARD, **claims)))
    refusal = exchange.refusal
    assert (refusal.status, refusal.reason, refusal.detail, refusal.headers) == (401, reason, detail, headers)
    assert (exchange.subject, exchange.session) == (None, None)
    assert detail is None or detail not in refusal.message + str(headers)


async def test_where_the_protocol_has_a_field_of_its_own_the_bearer_may_stand_there(house):
    said = bearer(*WARD)
    flow = asking(x_api_key=said)
    passage = entered(flow, route="anthropic-messages")
    await Identity(house).request(flow)
    assert (passage.exchange.refusal, passage.exchange.subject.id) == (None, "ada")
    assert (await identified(house, asking(x_api_key=said))).refusal.reason == "bearer-missing"
    both = asking(said=said, x_api_key=said)
    passage = entered(both, route="anthropic-messages")
    await Identity(house).request(both)
    assert passage.exchange.refusal.detail == "two-credentials"


async def test_an_earlier_refusal_stays_and_the_bearer_is_not_even_read(house):
    flow = asking(said=bearer(*WARD))
    exchange = entered(flow).exchange
    exchange.refusal = Refusal(503, "not-ready", "No.")
    await Identity(house).request(flow)
    assert (exchange.refusal.reason, exchange.subject) == ("not-ready", None)


async def test_a_flow_that_never_entered_is_left_alone(house):
    await Identity(house).request(asking(said=bearer(*WARD)))


async def identified_again(house, flow, route="openai-chat"):
    room = Identity(house)
    passage = entered(flow, route=route)
    await room.request(flow)
    passage.exchange.subject = None
    await room.again(flow)
    return passage.exchange


async def test_who_waited_is_the_same_by_the_same_bearer(house):
    exchange = await identified_again(house, asking(said=bearer(*WARD), phi_session="x"))
    assert (exchange.refusal, exchange.subject.id, exchange.subject.roles) == (None, "ada", {"clinician"})
    assert exchange.session == session_of(exchange.subject, b"x")


async def test_who_waited_is_not_asked_for_what_proved_the_bearer_at_first(house, monkeypatch):
    """A proof (RFC 9449) is good once."""
    proven = []

    async def verify(_fields, presented, _now, _own):
        proven.append(presented)
        return (await house.verifier.believe(said, time.time())).subject

    said = bearer(*WARD)
    monkeypatch.setattr(house.verifier, "verify", verify)
    exchange = await identified_again(house, asking(said=said))
    assert (exchange.refusal, exchange.subject.id, len(proven)) == (None, "ada", 1)


async def test_who_waited_and_is_out_by_now_is_refused(house, monkeypatch):
    flow = asking(said=bearer(*WARD))
    exchange = await identified_again(house, flow)
    issued = exchange.subject.issued
    house.agreement.follow.revoked.add([Revocation(ISSUER, "ada", None, issued, time.time() + 900, "eve", "left")])
    assert (await identified_again_only(house, flow)).refusal.detail == "revoked"
    monkeypatch.setattr(type(house.agreement.follow), "current", False)
    assert (await identified_again_only(house, flow)).refusal.status == 401


async def identified_again_only(house, flow):
    passage = entered(flow)
    await Identity(house).again(flow)
    return passage.exchange


NOT_AGAIN = [
    ("no bearer", None, "bearer-missing"),
    ("one that has ended meanwhile", {"exp": 1.0}, "bearer-refused"),
]


@pytest.mark.parametrize(("sentence", "claims", "reason"), NOT_AGAIN, ids=[case[0] for case in NOT_AGAIN])
async def test_who_waited_with(house, sentence, claims, reason):
    flow = asking(said=None if claims is None else bearer(*WARD, **claims))
    assert (await identified_again_only(house, flow)).refusal.reason == reason


async def test_a_refusal_that_came_before_stays_when_asked_again(house):
    flow = asking(said=bearer(*WARD))
    exchange = entered(flow).exchange
    exchange.refusal = Refusal(503, "not-ready", "No.")
    await Identity(house).again(flow)
    assert (exchange.refusal.reason, exchange.subject) == ("not-ready", None)


async def test_what_was_stated_in_the_request_names_the_session(house):
    said = bearer(*WARD)
    stated = await identified(house, asking(said=said, phi_session="round"))
    assert stated.session == session_of(stated.subject, b"round")
    assert stated.subject.expires > time.time()


# -- bearers that are taken back ------------------------------------------------------------------------------------


def out(who="ada"):
    return Revocation(ISSUER, who, None, cut=time.time(), expires=time.time() + 600, by="eve", reason="lost")


async def test_a_bearer_that_was_taken_back_is_refused_though_it_is_remembered(house):
    said = bearer(*WARD)
    assert (await identified(house, asking(said=said))).refusal is None
    house.agreement.follow.revoked.add([out()])
    assert (await identified(house, asking(said=said))).refusal.detail == "revoked"


async def test_nobody_is_let_in_while_nobody_knows_who_is_out(house, monkeypatch):
    monkeypatch.setattr("phigate.identity.follow.PATIENCE", -1.0)
    refusal = (await identified(house, asking(said=bearer(*WARD)))).refusal
    assert (refusal.status, refusal.reason) == (503, "ledger-unavailable")


async def test_whoever_was_taken_back_meanwhile_sees_nothing_of_the_answer(house):
    flow = asking(said=bearer(*WARD))
    passage = entered(flow)
    await Identity(house).request(flow)
    passage.exchange.contacted = True
    Identity(house).response(flow)
    assert passage.exchange.refusal is None
    house.agreement.follow.revoked.add([out("bob")])
    Identity(house).response(flow)
    assert passage.exchange.refusal is None
    house.agreement.follow.revoked.add([out()])
    Identity(house).response(flow)
    assert (passage.exchange.refusal.detail, passage.outcome) == ("revoked", "revoked")


async def test_while_nobody_knows_who_is_out_no_answer_is_let_go(house, monkeypatch):
    flow = asking(said=bearer(*WARD))
    passage = entered(flow)
    await Identity(house).request(flow)
    passage.exchange.contacted = True
    monkeypatch.setattr("phigate.identity.follow.PATIENCE", -1.0)
    Identity(house).response(flow)
    assert (passage.exchange.refusal.reason, passage.outcome) == ("ledger-unavailable", "interrupted")


async def test_whoever_was_let_in_just_before_the_word_came_is_ended_by_the_next_tick(house):
    room, flow, other = Identity(house), asking(said=bearer(*WARD)), asking(said=bearer(*WARD, who="bob"))
    passages = [entered(each) for each in (flow, other)]
    for each in (flow, other):
        await room.request(each)
    house.agreement.follow.revoked.add([out()])
    for number, each in enumerate((flow, other)):  # as Release does, after the word came
        house.contacted[f"ex-{number}"] = each
    for tick in house.ticks:
        tick()
    assert [passage.outcome for passage in passages] == ["revoked", "complete"]


async def test_a_stream_without_an_end_ends_with_its_bearer_and_an_answer_some_time_after_it(house):
    room, passages = Identity(house), []
    for number, (route, late) in enumerate(
        [("mcp-listen", 70), ("mcp-listen", 50), ("mcp-send", 70), ("mcp-send", 910)]
    ):
        flow = asking(said=bearer(*WARD))
        passage = entered(flow, route=route)
        await room.request(flow)
        passage.exchange.subject = replace(passage.exchange.subject, expires=time.time() - late)
        house.contacted[f"ex-{number}"] = flow
        passages.append(passage)
    for tick in house.ticks:
        tick()
    assert [passage.outcome for passage in passages] == ["interrupted", "complete", "complete", "interrupted"]


async def test_what_is_under_way_is_ended_where_nobody_knows_who_is_out(house, monkeypatch):
    room, flow = Identity(house), asking(said=bearer(*WARD))
    passage = entered(flow)
    await room.request(flow)
    house.contacted["ex-1"] = flow
    monkeypatch.setattr("phigate.identity.follow.PATIENCE", -1.0)
    for tick in house.ticks:
        tick()
    assert passage.outcome == "interrupted"


# -- looking at the ledger ------------------------------------------------------------------------------------------

FAULTS = [
    ("the ledger's own", lambda: LedgerDown("Quartermaine"), "the ledger does not answer (LedgerDown)"),
    ("one that nobody foresaw", lambda: KeyError("Quartermaine"), "looking at the ledger broke (KeyError at "),
]


@pytest.mark.parametrize(("sentence", "fault", "said"), FAULTS, ids=[case[0] for case in FAULTS])
async def test_looking_goes_on_after_any_fault_which_is_said_once_and_lets_nobody_in(
    house, monkeypatch, caplog, sentence, fault, said
):
    monkeypatch.setattr(addon, "LOOK", 0.005)
    house.agreement.follow._clock = lambda: time.monotonic() + 1000  # it was looked at before, to furnish the house
    looked, works = [], house.agreement.look

    async def broken():
        looked.append(True)
        raise fault()

    monkeypatch.setattr(house.agreement, "look", broken)
    room = Identity(house)
    room.running()
    await until(lambda: len(looked) > 3)
    assert not house.agreement.follow.current
    assert (await identified(house, asking(said=bearer(*WARD)))).refusal.reason == "ledger-unavailable"
    (told,) = [record.message for record in caplog.records]
    assert told.startswith(said)
    assert told.endswith("; no bearer is believed until that is over")
    assert "Quartermaine" not in told
    monkeypatch.setattr(house.agreement, "look", works)
    await until(lambda: house.agreement.follow.current)
    assert (await identified(house, asking(said=bearer(*WARD)))).refusal is None
    await house.agreement.close()


# -- open connections -----------------------------------------------------------------------------------------------


async def talked(house, change):
    flow, passage = conversing(house)
    change(house, passage.exchange)
    message = saying(flow, b"{}")
    await Identity(house).websocket_message(flow)
    return message


EDITS = [
    ("others hold the role", "clinician: [ward]", "clinician: [night]", None),
    ("another issuer is believed", f"issuer: {ISSUER}", "issuer: https://other.example", "bearer-refused"),
    ("it has to be proven", "audience: phigate", "audience: phigate\n    proof: mtls", "bearer-refused"),
    ("all of that is the same", "version: 1", "version: 1  # edited", None),
]


@pytest.mark.parametrize(("sentence", "was", "now", "reason"), EDITS, ids=[case[0] for case in EDITS])
async def test_under_a_new_policy_a_connections_bearer_is_believed_anew(house, sentence, was, now, reason):
    flow, passage = conversing(house)
    passage.fields[b"authorization"] = b"Bearer " + bearer("ward").encode()
    message = saying(flow, b"{}")
    assert was in house.policy.text
    edited = house.policy.text.replace(was, now)
    house.put_in_force(parse_policy(edited.encode(), "policy.yaml", house.policy.folder))
    await Identity(house).websocket_message(flow)
    assert (message.refusal.reason if message.refusal else None) == reason
    if reason is None:
        assert passage.believed_by is house.policy
        assert passage.exchange.subject.roles == ({"clinician"} if "edited" in now else set())


def ends(_house, exchange):
    exchange.subject = replace(exchange.subject, expires=time.time() - 0.1)


def is_taken_back(house, _exchange):
    house.agreement.follow.revoked.add([out()])


@pytest.mark.parametrize(("change", "outcome"), [(ends, "expired"), (is_taken_back, "revoked")])
async def test_whose_bearer_is_over_says_and_hears_nothing_more(house, change, outcome):
    message = await talked(house, change)
    assert (message.refusal.reason, message.outcome) == ("bearer-refused", outcome)


async def test_an_open_connection_is_closed_by_the_next_tick(house, context, monkeypatch):
    closed = []
    monkeypatch.setattr(addon.sockets, "close", lambda _master, flow, code: closed.append((flow, code)))
    flow, passage = conversing(house)
    house.contacted["ex-1"] = flow
    Identity(house)._end()
    assert closed == []
    ends(house, passage.exchange)
    Identity(house)._end()
    assert (closed, passage.outcome) == ([(flow, 1008)], "expired")


async def test_a_browsers_bearer_is_believed_on_a_websocket_alone(house):
    for route, reason in (("realtime", None), ("openai-chat", "bearer-missing")):
        flow = asking()
        passage = entered(flow, route=route)
        passage.protocols = ["realtime", f"openai-insecure-api-key.{bearer(*WARD)}"]
        await Identity(house).request(flow)
        assert (passage.exchange.refusal.reason if passage.exchange.refusal else None) == reason
