"""Deployments that pipelines state over HTTP: real bearers, policy, ledger and journal; no socket."""

import json
import time

import httpx
import pytest
from fastapi import FastAPI

from phigate.console import deployments, tickets
from phigate.console.desk import Desk
from phigate.exchange import Scope
from phigate.identity.verify import Verifier
from phigate.ledger import Revocation
from phigate.policy.hashes import rule_hash
from phigate.policy.load import parse_policy
from tests.ledger.tickets import ticket as ticket_of
from tests.stage import ISSUER, bearer, followed, furnished, kept, policy_text

CONSOLE = "http://127.0.0.1:8090"
ROLES = "  context_from: {commit: sha, pipeline: run_id}\n"
HOLD = (
    "{name: deploy, hold: [clinician], to: [manage-models], models: [llama3], approvers: [officer], approvals: 2,"
    " justification: required}"
)
FREE = "{name: scratch, permit: [clinician], to: [manage-models], models: [scratch]}"
CLOSED = "{name: frozen, deny: [clinician], to: [manage-models], models: [frozen], message: Frozen until Monday.}"
REVIEWS = "{name: reviews, permit: [officer], to: [review], models: ['*']}"
HEX = "9f" * 32
WHAT = {"model": "llama3", "version": "2.1.0", "digest": HEX, "justification": "release 2.1.0"}
RUN = {"sha": "9fceb02d0ae598e95dc970b74767f19372d61af8", "run_id": 8222997048}
PIPELINE = bearer("ward", who="repo:triage", **RUN)
EVE, KAI = bearer("privacy", who="eve"), bearer("privacy", who="kai")


@pytest.fixture
async def house(tmp_path):
    text = policy_text(HOLD, FREE, CLOSED, REVIEWS)
    async with followed(
        furnished(tmp_path, text.replace("groups_from: groups\n", "groups_from: groups\n  " + ROLES, 1))
    ) as made:
        yield made


@pytest.fixture
def call(house):
    desk = Desk(house, "http://127.0.0.1:8080", CONSOLE, lambda *_said: None)
    app = FastAPI()
    for room in (tickets, deployments):
        app.include_router(room.routes(desk))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://evil.example")

    async def call(method, path, said=PIPELINE, **more):
        headers = {"authorization": f"Bearer {said}"} | more.pop("headers", {})
        return await client.request(method, path, headers=headers, **more)

    return call


async def state(call, said=PIPELINE, **changes):
    return await call("POST", "/deployments", said, json={k: v for k, v in (WHAT | changes).items() if v is not None})


def error(answer):
    return answer.status_code, answer.json()["error"]["code"]


async def approved(call, ticket):
    for who in (EVE, KAI):
        assert (
            await call("POST", f"/tickets/{ticket}/approve", who, json={"comment": "as planned"})
        ).status_code == 200


async def test_a_statement_is_held_then_permitted_once_and_all_of_it_is_tied_together(house, call):
    held = (await state(call)).json()
    assert held["decision"] == "hold"
    assert (await state(call)).json()["ticket"] == held["ticket"]
    looked = (await call("GET", f"/tickets/{held['ticket']}", EVE)).json()["shown"]
    assert looked["deployment"] == {"version": "2.1.0", "digest": HEX}
    assert looked["context"] == {"commit": RUN["sha"], "pipeline": "8222997048"}
    await approved(call, held["ticket"])
    made = (await state(call)).json()
    assert made["decision"] == "permit"
    assert (await state(call)).json()["ticket"] != held["ticket"]
    (run,), (grant,) = kept(house, "deployment"), kept(house, "grant")
    assert (run["decision"]["ticket"], run["decision"]["grant"]) == (held["ticket"], grant["grant"])
    assert run["subject"]["context"] == {"commit": RUN["sha"], "pipeline": "8222997048"}
    assert (run["model"], run["deployment"]) == (
        "llama3",
        {"id": made["deployment"], "version": "2.1.0", "digest": HEX},
    )
    opened = kept(house, "ticket")[0]
    assert (opened["decision"], opened["deployment"]["digest"]) == ("open", HEX)


async def test_how_it_ended_is_said_once_by_whoever_deployed(house, call):
    made = (await state(call, model="scratch")).json()
    path = f"/deployments/{made['deployment']}/outcome"
    ended = {name: WHAT[name] for name in ("version", "digest")} | {"model": "scratch", "code": 0}
    ended |= {"receipt": made["receipt"]}
    for other in ({"version": "2.1.1"}, {"model": "llama3"}, {"receipt": made["receipt"][:-1] + "x"}):
        assert (await call("POST", path, json=ended | other)).status_code in {400, 404}
    later = bearer("ward", who="repo:triage", **(RUN | {"run_id": 9}))
    assert error(await call("POST", path, later, json=ended)) == (404, "unknown")
    assert error(await call("POST", "/deployments/d-1/outcome", json=ended)) == (404, "unknown")
    assert (await call("POST", path, json=ended | {"code": 3})).json()["outcome"] == "failed"
    assert error(await call("POST", path, json=ended)) == (409, "already-said")
    assert [(each.get("outcome"), each["deployment"]["id"]) for each in kept(house, "deployment")] == [
        (None, made["deployment"]),
        ("failed", made["deployment"]),
    ]


async def test_a_receipt_is_over_after_a_day(call, monkeypatch):
    made = (await state(call, model="scratch")).json()
    ended = {"model": "scratch", "version": "2.1.0", "digest": HEX, "receipt": made["receipt"], "code": 0}
    later, verify = time.time() + deployments.DEPLOYING + 1, Desk.verify
    monkeypatch.setattr(Desk, "now", lambda _self: later)
    monkeypatch.setattr(Desk, "verify", lambda self, fields, shown, _now: verify(self, fields, shown, time.time()))
    assert error(await call("POST", f"/deployments/{made['deployment']}/outcome", json=ended)) == (404, "unknown")


async def test_two_runs_of_one_pipeline_ask_for_themselves(call):
    """They share issuer and subject; a yes to one is none to the other."""
    other = bearer("ward", who="repo:triage", **(RUN | {"sha": "0" * 40}))
    first, second = (await state(call)).json()["ticket"], (await state(call, other)).json()["ticket"]
    assert first != second
    await approved(call, first)
    assert (await state(call, other)).json()["ticket"] == second
    assert (await state(call)).json()["decision"] == "permit"


LONG = (
    "{name: lasting, hold: [clinician], to: [manage-models], models: [ward], approvers: [officer], grant: {for: PT30M}}"
)


WARD = "models: {ward: {url: 'http://10.0.0.1:1'}, llama3: {url: 'http://10.0.0.1:1'}}\n"


async def test_a_yes_to_a_statement_is_for_it_alone_whatever_else_its_rule_gives(house, call):
    text = policy_text(LONG, HOLD, REVIEWS, tail=WARD)
    house.put_in_force(parse_policy(text.encode(), "policy.yaml", house.policy.folder))
    ticket = (await state(call, model="ward")).json()["ticket"]
    given = (await call("POST", f"/tickets/{ticket}/approve", EVE)).json()["grant"]
    assert given == {"seconds": 1800.0, "uses": 1, "bound": True, "hours": None}
    (grant,) = await house.agreement.approvals.live_grants((ISSUER, "repo:triage"), time.time())
    assert grant.digest is not None
    assert (await state(call, model="ward", version="2.1.1")).json()["decision"] == "hold"
    assert [(await state(call, model="ward")).json()["decision"] for _ in range(2)] == ["permit", "hold"]


async def test_what_lets_requests_through_lets_no_statement(house, call):
    text = policy_text(LONG, HOLD, REVIEWS, tail=WARD)
    house.put_in_force(parse_policy(text.encode(), "policy.yaml", house.policy.folder))
    now, who = time.time(), (ISSUER, "repo:triage")
    asked = {"rule": "lasting", "subject": who, "actions": frozenset({"manage-models"}), "model": "ward"}
    terms = {"approvers": ("officer",), "opened": now, "until": now + 60, "bound": False}
    one = ticket_of(**asked, **terms, uses=None, rule_hash=rule_hash(house.policy, "lasting"))
    await house.agreement.approvals.open_ticket(one, now)
    assert (await call("POST", f"/tickets/{one.id}/approve", EVE)).status_code == 200
    (grant,) = await house.agreement.approvals.live_grants(who, now + 1)
    assert grant.digest is None
    assert (await state(call, model="ward")).json()["decision"] == "hold"


async def test_another_statement_needs_another_yes(call):
    await approved(call, (await state(call)).json()["ticket"])
    for change in ({"version": "2.1.1"}, {"digest": "00" * 32}):
        assert (await state(call, **change)).json()["decision"] == "hold"
    assert (await state(call)).json()["decision"] == "permit"


REFUSED = [
    ("what the policy denies", {"model": "frozen"}, 403, "denied"),
    ("what no rule speaks of", {"model": "ward"}, 403, "no-rule"),
    ("a reason that is needed and missing", {"justification": None}, 403, "justification-missing"),
    ("a reason that says nothing", {"justification": "x"}, 400, "malformed"),
    ("a name of no model", {"model": "; rm"}, 404, "model-unknown"),
    ("no name", {"model": None}, 400, "malformed"),
    ("no digest", {"digest": "latest"}, 400, "malformed"),
    ("prose for a version", {"version": "for Jane Roe"}, 400, "malformed"),
    ("a member of no meaning", {"force": True}, 400, "malformed"),
]


@pytest.mark.parametrize(("sentence", "changes", "status", "code"), REFUSED, ids=[case[0] for case in REFUSED])
async def test_it_is_refused(call, sentence, changes, status, code):
    assert error(await state(call, **changes)) == (status, code)


async def test_a_refused_statement_is_on_record(house, call):
    assert (await state(call, model="frozen")).json()["error"]["message"] == "Frozen until Monday."
    (made,) = kept(house, "deployment")
    assert (made["decision"]["verb"], made["decision"]["rule"]) == ("deny", "frozen")


async def test_what_is_no_json_is_malformed(call):
    answer = await call("POST", "/deployments", content=b"{")
    assert error(answer) == (400, "malformed")


@pytest.mark.parametrize("path", ["/deployments", "/deployments/d-1/outcome"])
async def test_whose_bearer_is_taken_back_while_a_statement_comes_slowly_has_stated_nothing(house, call, path):
    async def slowly():
        yield json.dumps(WHAT).encode()
        await house.agreement.ledger.revoke(Revocation(ISSUER, "repo:triage", None, time.time(), 9e9, "kai", "lost"))
        await house.agreement.look()
        yield b" "

    headers = {"content-type": "application/json"}
    assert error(await call("POST", path, content=slowly(), headers=headers)) == (401, "bearer-refused")
    assert kept(house, "ticket", "deployment") == []


async def test_a_narrowed_bearer_states_nothing_that_it_is_not_for(call, monkeypatch):
    present = Verifier.present

    async def narrowed(self, *more):
        subject = await present(self, *more)
        return subject.__class__(**{name: getattr(subject, name) for name in subject.__slots__} | {"scope": CHATS})

    monkeypatch.setattr(Verifier, "present", narrowed)
    assert error(await state(call)) == (403, "scope-exceeded")


CHATS = Scope(actions=frozenset({"chat"}))


async def test_who_asked_sees_what_became_of_it_and_nobody_else_does(house, call):
    ticket = (await state(call)).json()["ticket"]
    assert (await call("POST", f"/tickets/{ticket}/reject", EVE, json={"comment": "not on Fridays"})).status_code == 200
    seen = (await call("GET", f"/tickets/{ticket}/state")).json()
    assert (seen["state"], seen["said"][0]["comment"]) == ("rejected", "not on Fridays")
    assert "page" not in seen
    house.policy = house.policy.model_copy(update={"sign_in": True})
    seen = (await call("GET", f"/tickets/{ticket}/state")).json()
    assert seen["page"] == f"{CONSOLE}/desk/tickets/{ticket}"
    assert "shown" not in seen
    assert kept(house, "look") == []
    for path in (f"/tickets/{ticket}/state", "/tickets/t-0/state", "/tickets/t%00/state"):
        assert error(await call("GET", path, EVE)) == (404, "unknown")


OPEN = HOLD.replace("approvals: 2", "approvals: 2, grant: {for: PT1H}")


async def test_where_a_yes_is_for_a_time_a_statement_still_gets_its_own_and_opens_nothing_else(house, call):
    edited = house.policy.text.replace(HOLD, OPEN)
    house.put_in_force(parse_policy(edited.encode(), "policy.yaml", house.policy.folder))
    await approved(call, (await state(call)).json()["ticket"])
    who, now = ("https://idp.example", "repo:triage"), time.time()
    assert [each.digest is not None for each in await house.agreement.approvals.live_grants(who, now)] == [True]
    assert (await state(call, version="2.1.1")).json()["decision"] == "hold"
    assert (await state(call)).json()["decision"] == "permit"
