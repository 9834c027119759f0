"""Yes, no, taken back, signed: by a real policy, ledger and journal, whichever way they come."""

import time
from dataclasses import replace

import pytest

from phigate.answering import Answering, Caller
from phigate.approval.refusals import No
from phigate.console.desk import Desk
from phigate.exchange import Scope, Subject
from phigate.journal.writer import JournalDown
from phigate.ledger import Revocation
from phigate.ledger.tickets import Review
from phigate.policy.load import parse_policy
from tests.ledger.tickets import ticket
from tests.stage import ISSUER, RULES, followed, furnished, kept, policy_text

REVIEWS = "{name: reviews, permit: [officer, researcher], to: [review], models: ['*']}"


@pytest.fixture
async def house(tmp_path):
    async with followed(furnished(tmp_path, policy_text(*RULES, REVIEWS))) as made:
        yield made


@pytest.fixture
def answering(house):
    return Answering(Desk(house, "http://127.0.0.1:8080", "http://127.0.0.1:8090", lambda *_said: None))


def caller(house, *groups, who="eve", via="console"):
    roles = house.policy.roles_of(groups)
    return Caller(Subject(ISSUER, who, groups, roles, time.time() + 60), "192.0.2.1", via)


async def opened(house, **changes):
    now = time.time()
    person = {"subject": (ISSUER, "ada"), "approvers": ("officer",), "rule": "see", "opened": now, "until": now + 60}
    one = ticket(**(person | changes))
    await house.agreement.approvals.open_ticket(one, now)
    return one


async def test_who_said_it_and_by_which_way_is_kept(house, answering):
    one = await opened(house)
    officer = caller(house, "privacy", via="slack")
    assert [each.id for each in await answering.waiting(officer)] == [one.id]
    assert (await answering.see(one.id, officer)).shown == one.shown
    after = await answering.answer(one.id, officer, "approve", "seen")
    assert after.state == "approved"
    (said,) = (await house.agreement.approvals.ticket(one.id)).said
    assert (said.by, said.groups, said.via, said.comment) == ((ISSUER, "eve"), ("privacy",), "slack", "seen")
    (recorded,), (look,) = kept(house, "ticket"), kept(house, "look")
    assert recorded["client"] == look["client"] == {"ip": "192.0.2.1", "via": "slack"}


async def test_whoever_could_say_yes_is_told_so_and_has_not_said_it(house, answering):
    one = await opened(house)
    assert (await answering.could(one.id, caller(house, "privacy"))).id == one.id
    assert kept(house, "ticket") == []
    with pytest.raises(No, match="own-request"):
        await answering.could(one.id, caller(house, "privacy", who="ada"))
    with pytest.raises(No, match="unknown"):
        await answering.could(one.id, caller(house, "ward", who="ben"))
    assert [(each["decision"], each["reason"]) for each in kept(house, "ticket")] == [("deny", "own-request")]
    await answering.answer(one.id, caller(house, "privacy"), "approve", "")
    with pytest.raises(No, match="ticket-over"):
        await answering.could(one.id, caller(house, "privacy", who="kai"))


async def test_what_nobody_may_answer_nobody_sees(house, answering):
    one = await opened(house)
    for other in (caller(house, "ward", who="ben"), caller(house, who="ben")):
        for attempt in (
            answering.see(one.id, other),
            answering.answer(one.id, other, "approve", ""),
            answering.revoke(one.id, other, ""),
        ):
            with pytest.raises(No, match="unknown"):
                await attempt
        assert await answering.waiting(other) == []
    assert (await house.agreement.approvals.ticket(one.id)).state == "pending"
    assert kept(house, "ticket") == []


async def test_of_an_edited_rule_nobody_is_asked_and_no_yes_counts(house, answering):
    one = await opened(house, rule_hash="of another time")
    officer = caller(house, "privacy")
    assert await answering.waiting(officer) == []
    with pytest.raises(No, match="ticket-over"):
        await answering.answer(one.id, officer, "approve", "")
    assert (await answering.revoke(one.id, officer, "")).state == "revoked"


async def test_the_requester_never_answers_by_any_way(house, answering):
    one = await opened(house)
    for via in ("console", "page", "slack", "mitmproxy"):
        with pytest.raises(No, match="own-request"):
            await answering.answer(one.id, caller(house, "privacy", who="ada", via=via), "approve", "")
    assert (await house.agreement.approvals.ticket(one.id)).said == ()
    assert {record["reason"] for record in kept(house, "ticket")} == {"own-request"}


PAIR = "{name: pair, hold: [researcher], to: [chat], models: ['*'], approvers: [officer], approvals: 2, mask: lean}"


@pytest.fixture(autouse=True)
def _signing(monkeypatch):
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "of a test")


async def half(house, answering, *, via="console"):
    """A ticket with one of two yeses."""
    tail = MEMBER.replace("MEMBER", "eve").replace("GROUP", "privacy")
    text = policy_text(*RULES, REVIEWS, PAIR, tail=tail)
    house.put_in_force(parse_policy(text.encode(), "policy.yaml", house.policy.folder))
    one = await opened(house, rule="pair", approvals=2)
    eve = caller(house, "privacy", via=via)
    assert (await answering.answer(one.id, eve, "approve", "")).agreed == {(ISSUER, "eve")}
    return one


async def test_a_yes_of_somebody_who_is_out_since_counts_no_more(house, answering):
    one = await half(house, answering)
    now = time.time()
    out = Revocation(ISSUER, "eve", None, cut=now, expires=now + 600, by="kai", reason="left")
    await house.agreement.ledger.revoke(out)
    await house.agreement.look()
    after = await answering.answer(one.id, caller(house, "privacy", who="kai"), "approve", "")
    assert (after.state, after.agreed) == ("pending", {(ISSUER, "kai")})
    after = await answering.answer(one.id, caller(house, "privacy", who="zoe"), "approve", "")
    assert after.state == "approved"
    (given,) = kept(house, "grant")
    assert [each["id"] for each in given["by"]] == ["kai", "zoe"]


async def test_a_yes_of_a_role_that_the_policy_gives_no_more_counts_no_more(house, answering):
    one = await half(house, answering)
    edited = policy_text(*RULES, REVIEWS, PAIR).replace("officer: [privacy]", "officer: [board]")
    house.put_in_force(parse_policy(edited.encode(), "policy.yaml", house.policy.folder))
    after = await answering.answer(one.id, caller(house, "board", who="kai"), "approve", "")
    assert (after.state, after.agreed) == ("pending", {(ISSUER, "kai")})


MEMBER = """
approvers_from:
  - slack: T024BE7LD
    secret: env:SLACK_SIGNING_SECRET
    people:
      U024BE7LH: {issuer: "https://idp.example", id: MEMBER, groups: [GROUP]}
"""


@pytest.mark.parametrize(
    ("member", "group", "counts"), [("eve", "privacy", True), ("eve", "lab", False), ("zoe", "privacy", False)]
)
async def test_a_yes_from_slack_counts_while_the_policy_says_that_they_may(house, answering, member, group, counts):
    one = await half(house, answering, via="slack")
    tail = MEMBER.replace("MEMBER", member).replace("GROUP", group)
    edited = policy_text(*RULES, REVIEWS, PAIR, tail=tail)
    house.put_in_force(parse_policy(edited.encode(), "policy.yaml", house.policy.folder))
    after = await answering.answer(one.id, caller(house, "privacy", who="kai"), "approve", "")
    assert ((ISSUER, "eve") in after.agreed, after.state) == (counts, "approved" if counts else "pending")


async def test_a_yes_of_an_issuer_that_is_believed_no_more_counts_no_more(house, answering):
    one = await half(house, answering)
    elsewhere = "https://new.example"
    edited = policy_text(*RULES, REVIEWS, PAIR).replace(ISSUER, elsewhere)
    house.put_in_force(parse_policy(edited.encode(), "policy.yaml", house.policy.folder))
    kai = caller(house, "privacy", who="kai")
    after = await answering.answer(one.id, replace(kai, subject=replace(kai.subject, issuer=elsewhere)), "approve", "")
    assert (after.state, after.agreed) == ("pending", {(elsewhere, "kai")})


async def test_a_bearer_that_is_not_for_reviews_answers_nothing(house, answering):
    one = await opened(house)
    officer = caller(house, "privacy")
    narrow = replace(officer, subject=replace(officer.subject, scope=Scope(actions=frozenset({"chat"}))))
    with pytest.raises(No, match="unknown"):
        await answering.answer(one.id, narrow, "approve", "")


async def test_a_grant_without_its_record_is_none(house, answering, monkeypatch):
    one = await opened(house)
    record = house.record

    async def broken(kind, fields):
        if kind == "grant":
            raise JournalDown("the disk is full")
        await record(kind, fields)

    monkeypatch.setattr(house, "record", broken)
    with pytest.raises(JournalDown):
        await answering.answer(one.id, caller(house, "privacy"), "approve", "")
    assert (await house.agreement.approvals.ticket(one.id)).state == "revoked"
    assert await house.agreement.approvals.live_grants((ISSUER, "ada"), time.time()) == []


async def test_what_is_taken_back_is_on_record(house, answering):
    one = await opened(house)
    assert (await answering.revoke(one.id, caller(house, "ward", who="ada"), "not needed")).state == "revoked"
    assert [(each["decision"], each["reason"]) for each in kept(house, "ticket")] == [("revoke", "not needed")]


async def test_a_review_without_its_record_stays_open(house, answering, monkeypatch):
    await house.agreement.approvals.open_review(Review("ex-1", "rush", (ISSUER, "ada"), ("officer",), time.time(), {}))
    record = house.record

    async def broken(kind, fields):
        if kind == "review":
            raise JournalDown("the disk is full")
        await record(kind, fields)

    with monkeypatch.context() as patch:
        patch.setattr(house, "record", broken)
        with pytest.raises(JournalDown):
            await answering.sign("ex-1", caller(house, "privacy"), "approve", "")
    assert (await house.agreement.approvals.review("ex-1")).signed is None
    await answering.sign("ex-1", caller(house, "privacy"), "approve", "")
    assert len(kept(house, "review")) == 1


async def test_a_review_is_signed_by_its_role_and_never_by_whom_it_is_about(house, answering):
    await house.agreement.approvals.open_review(Review("ex-1", "rush", (ISSUER, "ada"), ("officer",), time.time(), {}))
    with pytest.raises(No, match="own-request"):
        await answering.sign("ex-1", caller(house, "privacy", who="ada"), "approve", "")
    assert [each.exchange for each in await answering.reviews(caller(house, "privacy"))] == ["ex-1"]
    await answering.sign("ex-1", caller(house, "privacy"), "reject", "no emergency")
    with pytest.raises(No, match="already-said"):
        await answering.sign("ex-1", caller(house, "privacy", who="kai"), "approve", "")
    (recorded,) = kept(house, "review")
    assert (recorded["decision"], recorded["client"]["via"]) == ("reject", "console")
