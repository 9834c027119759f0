"""Tickets and reviews over HTTP: real bearers, policy, ledger and journal; no socket."""

import time
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from phigate.console import tickets
from phigate.console.desk import Desk
from phigate.exchange import Scope
from phigate.journal.writer import JournalDown
from phigate.ledger import Revocation
from phigate.ledger.tickets import Review
from tests.ledger.tickets import ticket
from tests.stage import ISSUER, RULES, bearer, followed, furnished, kept, policy_text

CONSOLE = "http://127.0.0.1:8090"
REVIEWS = "{name: reviews, permit: [officer, researcher], to: [review], models: ['*']}"
PAIR = "{name: pair, hold: [researcher], to: [chat], models: ['*'], approvers: [officer], approvals: 2, mask: lean}"


@pytest.fixture
async def house(tmp_path):
    async with followed(furnished(tmp_path, policy_text(*RULES, REVIEWS, PAIR))) as made:
        yield made


@pytest.fixture
def counted():
    return []


@pytest.fixture
def call(house, counted):
    desk = Desk(house, "http://127.0.0.1:8080", CONSOLE, lambda *said: counted.append(said))
    app = FastAPI()
    app.include_router(tickets.routes(desk))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://evil.example")

    async def call(method, path, said=None, *, headers=None, **more):
        headers = (headers or {}) | ({"authorization": f"Bearer {said}"} if said else {})
        return await client.request(method, path, headers=headers, **more)

    return call


async def waiting(house, **changes):
    now = time.time()
    person = {"subject": (ISSUER, "ada"), "approvers": ("officer",), "rule": "see", "opened": now, "until": now + 60}
    one = ticket(**(person | changes))
    await house.agreement.approvals.open_ticket(one, now)
    return one


def error(answer):
    return (answer.status_code, answer.json()["error"]["code"])


OFFICER, ADA = bearer("privacy", who="eve"), bearer("ward", who="ada")


async def test_a_yes_gives_a_grant_and_all_of_it_is_on_record(house, call):
    one = await waiting(house)
    answer = await call("POST", "/tickets/t-1/approve", OFFICER, json={"comment": "for Mrs. Jane Roe, MRN 12345678"})
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["approvals"]) == ("approved", {"needed": 1, "given": 1})
    (grant,) = await house.agreement.approvals.live_grants((ISSUER, "ada"), time.time())
    assert (grant.ticket, grant.rule, grant.uses, grant.digest) == ("t-1", "see", 1, "aa")
    (said,), (given,) = kept(house, "ticket"), kept(house, "grant")
    assert (said["decision"], said["subject"]["id"], said["asked_by"]["id"]) == ("approve", "eve", "ada")
    assert "12345678" not in said["reason"]
    assert (given["grant"], given["for"]["id"], [each["id"] for each in given["by"]]) == (grant.id, "ada", ["eve"])
    assert (await house.agreement.approvals.ticket(one.id)).said[0].comment == said["reason"]


async def test_a_no_ends_it(house, call):
    await waiting(house)
    assert (await call("POST", "/tickets/t-1/reject", OFFICER)).json()["state"] == "rejected"
    assert error(await call("POST", "/tickets/t-1/approve", OFFICER)) == (409, "ticket-over")
    assert await house.agreement.approvals.live_grants((ISSUER, "ada"), time.time()) == []
    assert [each["decision"] for each in kept(house, "ticket")] == ["reject", "deny"]


async def test_two_different_people_are_needed_where_the_rule_says_two(house, call):
    await waiting(house, rule="pair", approvals=2)
    assert (await call("POST", "/tickets/t-1/approve", OFFICER)).json()["state"] == "pending"
    assert error(await call("POST", "/tickets/t-1/approve", bearer("privacy", "lab", who="eve"))) == (
        409,
        "already-said",
    )
    assert (await call("POST", "/tickets/t-1/approve", bearer("privacy", who="kai"))).json()["state"] == "approved"


async def test_the_requester_never_answers_whatever_roles_they_hold(house, call):
    await waiting(house)
    both = bearer("ward", "privacy", who="ada")
    assert error(await call("POST", "/tickets/t-1/approve", both)) == (403, "own-request")
    assert kept(house, "ticket")[-1]["reason"] == "own-request"
    assert (await house.agreement.approvals.ticket("t-1")).state == "pending"


async def test_nobody_else_even_sees_it(house, call):
    await waiting(house)
    for who in (bearer("lab", who="ben"), bearer("ward", who="ben"), bearer(who="ben")):
        assert error(await call("GET", "/tickets/t-1", who)) == (404, "unknown")
        assert error(await call("POST", "/tickets/t-1/approve", who)) == (404, "unknown")
        assert (await call("GET", "/tickets", who)).json() == {"tickets": []}
    assert error(await call("GET", "/tickets/t-9", OFFICER)) == (404, "unknown")
    assert error(await call("GET", "/tickets/t%2D1%00", OFFICER)) == (404, "unknown")


async def test_approver_and_requester_see_what_waits_and_that_they_looked_is_on_record(house, call):
    await waiting(house)
    for who in (OFFICER, ADA):
        (listed,) = (await call("GET", "/tickets", who)).json()["tickets"]
        assert (listed["ticket"], listed["state"], listed["asked_by"]["id"]) == ("t-1", "pending", "ada")
        assert "shown" not in listed
        one = (await call("GET", "/tickets/t-1", who)).json()
        assert one["shown"]["model"] == "llama3"
    looks = kept(house, "look")
    assert [each["subject"]["id"] for each in looks] == ["eve", "ada"]
    assert looks[0]["about"] == {"ticket": "t-1", "exchange": "ex-1"}


async def test_what_others_are_asked_hides_nothing(house, call, monkeypatch):
    monkeypatch.setattr("phigate.ledger.approvals.MOST_LISTED", 1)
    await waiting(house)
    later = time.time() + 10
    await waiting(house, id="t-2", rule="care", subject=(ISSUER, "ben"), opened=later, until=later + 60)
    for who in (OFFICER, ADA):
        assert [each["ticket"] for each in (await call("GET", "/tickets", who)).json()["tickets"]] == ["t-1"]


async def test_what_was_given_is_taken_back(house, call):
    await waiting(house)
    await call("POST", "/tickets/t-1/approve", OFFICER)
    assert (await call("POST", "/tickets/t-1/revoke", OFFICER)).json()["state"] == "revoked"
    assert await house.agreement.approvals.live_grants((ISSUER, "ada"), time.time()) == []
    assert kept(house, "ticket")[-1]["decision"] == "revoke"
    assert error(await call("POST", "/tickets/t-1/revoke", OFFICER)) == (409, "ticket-over")


async def test_the_requester_takes_back_what_they_asked(house, call):
    await waiting(house)
    assert (await call("POST", "/tickets/t-1/revoke", ADA)).json()["state"] == "revoked"


async def test_without_a_bearer_nothing_is_told(house, call, counted):
    await waiting(house)
    for method, path in (
        ("GET", "/tickets"),
        ("GET", "/tickets/t-1"),
        ("POST", "/tickets/t-1/approve"),
        ("GET", "/reviews"),
    ):
        assert error(await call(method, path)) == (401, "bearer-missing")
        assert error(await call(method, path, bearer("privacy", exp=10))) == (401, "bearer-refused")
    assert len(counted) == 8


async def test_a_narrowed_bearer_answers_nothing_that_it_is_not_for(house, call, monkeypatch):
    await waiting(house)
    verify = house.verifier.verify

    async def narrowed(*asked):
        return replace(await verify(*asked), scope=Scope(frozenset(), frozenset({"chat"})))

    monkeypatch.setattr(house.verifier, "verify", narrowed)
    assert error(await call("POST", "/tickets/t-1/approve", OFFICER)) == (404, "unknown")


async def test_a_bearer_for_one_exchange_is_for_no_answer(house, call, monkeypatch):
    await waiting(house)
    verify = house.verifier.verify

    async def once(*asked):
        return replace(await verify(*asked), uses=1)

    monkeypatch.setattr(house.verifier, "verify", once)
    assert error(await call("POST", "/tickets/t-1/approve", OFFICER)) == (403, "not-an-approver")


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"comment": 1}', b'{"other": "x"}', b'{"comment": "\\u0000"}'])
async def test_what_is_no_answer_changes_nothing(house, call, body):
    await waiting(house)
    said = {"content": body, "headers": {"content-type": "application/json"}}
    answer = await call("POST", "/tickets/t-1/approve", OFFICER, **said)
    assert error(answer) == (400, "malformed")
    assert (await house.agreement.approvals.ticket("t-1")).state == "pending"


async def test_nothing_counts_that_is_not_on_record(house, call, monkeypatch):
    await waiting(house)
    record, broken = house.record, {"ticket"}

    async def failing(kind, fields):
        if kind in broken:
            raise JournalDown("gone")
        await record(kind, fields)

    monkeypatch.setattr(house, "record", failing)
    assert error(await call("POST", "/tickets/t-1/approve", OFFICER)) == (503, "unavailable")
    assert (await house.agreement.approvals.ticket("t-1")).state == "pending"
    broken.symmetric_difference_update({"ticket", "grant"})
    assert error(await call("POST", "/tickets/t-1/approve", OFFICER)) == (503, "unavailable")
    assert await house.agreement.approvals.live_grants((ISSUER, "ada"), time.time()) == []
    assert (await house.agreement.approvals.ticket("t-1")).state == "revoked"


async def test_without_a_ledger_nothing_is_answered(house, call):
    await house.agreement.close()
    assert error(await call("POST", "/tickets/t-1/approve", OFFICER)) == (503, "unavailable")


# -- reviews --------------------------------------------------------------------------------------------------------


async def broken_glass(house, who="ada"):
    shown = {"reason": "cardiac arrest", "prompt": "[PERSON]"}
    now = time.time()
    await house.agreement.approvals.open_review(
        Review("ex-1", "sos", (ISSUER, who), ("officer",), now, shown, due=now + 60)
    )


async def test_a_use_of_break_glass_is_reviewed_once_by_somebody_else(house, call):
    await broken_glass(house)
    (one,) = (await call("GET", "/reviews", OFFICER)).json()["reviews"]
    assert (one["exchange"], one["shown"]["reason"]) == ("ex-1", "cardiac arrest")
    assert one["due"] == one["opened"] + 60
    assert error(await call("POST", "/reviews/ex-1/approve", bearer("lab", who="ben"))) == (403, "not-an-approver")
    answer = await call("POST", "/reviews/ex-1/reject", OFFICER, json={"comment": "no emergency"})
    assert answer.json() == {"exchange": "ex-1", "decision": "reject"}
    assert error(await call("POST", "/reviews/ex-1/approve", bearer("privacy", who="kai"))) == (409, "already-said")
    assert (await call("GET", "/reviews", OFFICER)).json() == {"reviews": []}
    (review,) = kept(house, "review")
    assert (review["exchange"], review["decision"], review["reason"]) == ("ex-1", "reject", "no emergency")
    assert [each["reason"] for each in kept(house, "look")] == [None, "not-an-approver", "already-said"]


async def test_nobody_reviews_themselves(house, call):
    await broken_glass(house, "eve")
    assert error(await call("POST", "/reviews/ex-1/approve", OFFICER)) == (403, "own-request")


async def test_who_may_not_review_learns_of_none(house, call):
    await broken_glass(house)
    assert (await call("GET", "/reviews", ADA)).json() == {"reviews": []}
    assert error(await call("POST", "/reviews/ex-1/approve", ADA)) == (404, "unknown")
    assert error(await call("POST", "/reviews/ex-2/approve", OFFICER)) == (404, "unknown")


async def test_a_code_is_given_to_whoever_could_say_yes(house, call):
    await waiting(house)
    answer = await call("POST", "/tickets/t-1/code", OFFICER)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.json().keys() == {"ticket", "code", "until"}
    assert error(await call("POST", "/tickets/t-1/code", bearer("ward", "privacy", who="ada"))) == (403, "own-request")
    assert error(await call("POST", "/tickets/t-1/code", bearer("lab", who="ben"))) == (404, "unknown")
    assert error(await call("POST", "/tickets/t-1/code")) == (401, "bearer-missing")
    assert error(await call("POST", "/tickets/t-9/code", OFFICER)) == (404, "unknown")


@pytest.mark.parametrize(
    "path", ["/tickets/t-1/approve", "/tickets/t-1/reject", "/tickets/t-1/revoke", "/reviews/ex-1/approve"]
)
async def test_who_is_taken_back_while_what_they_say_comes_slowly_has_said_nothing(house, call, counted, path):
    await waiting(house)
    await broken_glass(house)

    async def slowly():
        yield b'{"comment":'
        await house.agreement.ledger.revoke(Revocation(ISSUER, "eve", None, time.time(), 9e9, "kai", "lost"))
        await house.agreement.look()
        yield b'"late"}'

    answer = await call("POST", path, OFFICER, content=slowly(), headers={"content-type": "application/json"})
    assert error(answer) == (401, "bearer-refused")
    assert [reason for _, reason in counted] == ["revoked"]
    assert kept(house, "ticket", "review", "grant", "look") == []
    assert (await house.agreement.approvals.ticket("t-1")).said == ()
