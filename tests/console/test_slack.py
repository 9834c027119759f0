"""Buttons pressed in Slack: real policy, ledger and journal, requests as Slack signs them; no socket."""

import hmac
import json
import time
from urllib.parse import urlencode

import httpx
import pytest
from fastapi import FastAPI

from phigate.approval import blocks
from phigate.console import slack
from phigate.console.desk import Desk
from phigate.ledger import LedgerDown, Revocation
from tests.ledger.tickets import ticket
from tests.stage import ISSUER, RULES, followed, furnished, kept, policy_text

SECRET, OTHER = "8f742231b10e8888abcd99yyyzzz85a5", "0f742231b10e8888abcd99yyyzzz85a5"
REVIEWS = "{name: reviews, permit: [officer], to: [review], models: ['*']}"
PAIR = "{name: pair, hold: [researcher], to: [chat], models: ['*'], approvers: [officer], approvals: 2, mask: lean}"
PEOPLE = {"UEVE": ("eve", "privacy"), "UKAI": ("kai", "privacy"), "UADA": ("ada", "privacy"), "UBEN": ("ben", "lab")}
MAPPED = ", ".join(
    f"{member}: {{issuer: '{ISSUER}', id: {who}, groups: [{group}]}}" for member, (who, group) in PEOPLE.items()
)
EVE = f"UEVE: {{issuer: '{ISSUER}', id: eve, groups: [lab]}}"
TEAMS = (
    f"approvers_from: [{{slack: T12, secret: env:SIGN, people: {{{MAPPED}}}}}, "
    f"{{slack: T34, secret: env:SIGN_OTHER, people: {{{EVE}}}}}]\n"
)
REPLY = "https://hooks.slack.com/actions/T12/1/abc"


@pytest.fixture
async def house(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGN", SECRET)
    monkeypatch.setenv("SIGN_OTHER", OTHER)
    async with followed(furnished(tmp_path, policy_text(*RULES, REVIEWS, PAIR, tail=TEAMS))) as made:
        now = time.time()
        person = {
            "subject": (ISSUER, "ada"),
            "approvers": ("officer",),
            "rule": "see",
            "opened": now,
            "until": now + 60,
        }
        await made.agreement.approvals.open_ticket(ticket(**person), now)
        yield made


@pytest.fixture
def counted():
    return []


@pytest.fixture
def send(house, counted):
    desk = Desk(house, "http://127.0.0.1:8080", "http://127.0.0.1:8090", lambda *said: counted.append(said))
    app = FastAPI()
    app.include_router(slack.routes(desk))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://console.example")

    async def send(raw, *, secret=SECRET, at=None, path="/slack/actions", **headers):
        stamp = str(int(time.time() if at is None else at))
        said = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + raw, "sha256").hexdigest()
        own = {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={said}"}
        own["content-type"] = "application/x-www-form-urlencoded"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await client.post(path, content=raw, headers=[*(own | named).items()])

    return send


def pressed(member="UEVE", action=blocks.APPROVE, value="t-1", **more):
    said = {
        "type": "block_actions",
        "team": {"id": "T12", "domain": "ward"},
        "user": {"id": member, "team_id": "T12"},
        "actions": [{"action_id": action, "value": value, "type": "button"}],
        "response_url": REPLY,
    }
    return urlencode({"payload": json.dumps(said | more)}).encode()


async def replies(house):
    found = await house.agreement.ledger.outbox.claim("slack:T12", time.time() + 1, 50)
    return [(each.to, json.loads(each.body)) for each in found]


async def state(house):
    return (await house.agreement.approvals.ticket("t-1")).state


async def test_a_yes_from_slack_gives_a_grant_and_all_of_it_is_on_record(house, send):
    answer = await send(pressed())
    assert (answer.status_code, answer.content) == (200, b"")
    (grant,) = await house.agreement.approvals.live_grants((ISSUER, "ada"), time.time())
    (said,), (given,) = kept(house, "ticket"), kept(house, "grant")
    assert (said["decision"], said["client"]["via"], said["subject"]["id"]) == ("approve", "slack", "eve")
    assert (given["grant"], [each["id"] for each in given["by"]]) == (grant.id, ["eve"])
    assert await replies(house) == [(REPLY, {"text": "t-1 was approved by eve.", "replace_original": True})]


async def test_a_no_from_slack_ends_it(house, send):
    assert (await send(pressed(action=blocks.REJECT))).status_code == 200
    assert await state(house) == "rejected"
    await send(pressed("UKAI"))
    assert [said["text"] for _, said in await replies(house)] == [
        "t-1 was rejected by eve.",
        "This ticket is not waiting any more.",
    ]


async def test_where_two_are_needed_the_buttons_stay_for_the_second(house, send):
    now = time.time()
    person = {"subject": (ISSUER, "ben"), "approvers": ("officer",), "opened": now, "until": now + 60, "digest": "bb"}
    await house.agreement.approvals.open_ticket(ticket(id="t-2", rule="pair", approvals=2, **person), now)
    await send(pressed(value="t-2"))
    ((_, said),) = await replies(house)
    assert said == {
        "text": "Your yes to t-2 counts: 1 of 2.",
        "response_type": "ephemeral",
        "replace_original": False,
    }
    await send(pressed("UKAI", value="t-2"))
    assert (await house.agreement.approvals.ticket("t-2")).state == "approved"


NOTHING = [
    ("UADA", "Nobody answers what they asked for themselves.", None),  # who asked, whatever groups the policy gives
    ("UBEN", "There is no such thing, or it is not yours to see.", None),
    ("UXYZ", slack._NOBODY, "slack-member-unknown"),
]


@pytest.mark.parametrize(("member", "text", "reason"), NOTHING)
async def test_whoever_may_not_answer_is_told_so_alone(house, send, counted, member, text, reason):
    assert (await send(pressed(member))).status_code == 200
    ((_, said),) = await replies(house)
    assert (said["text"], said["response_type"]) == (text, "ephemeral")
    assert await state(house) == "pending"
    assert [why for _, why in counted] == ([reason] if reason else [])


async def test_whose_bearers_were_taken_back_answers_nothing(house, send, counted):
    """Also where that was long before: from Slack nobody signs in anew."""
    now = time.time()
    await house.agreement.ledger.revoke(Revocation(ISSUER, "eve", None, now - 3600, now + 600, "it", "left"))
    await house.agreement.look()
    await send(pressed())
    assert await state(house) == "pending"
    assert [why for _, why in counted] == ["revoked"]
    await send(pressed("UKAI"))
    assert await state(house) == "approved"


async def test_while_nobody_knows_who_is_out_nothing_is_answered(house, send, monkeypatch):
    monkeypatch.setattr(house.agreement.follow, "_looked", float("-inf"))
    assert (await send(pressed())).status_code == 503
    assert await state(house) == "pending"


async def test_a_role_that_was_taken_away_since_counts_no_more(house, send, tmp_path):
    text = (tmp_path / "policy.yaml").read_text()
    (tmp_path / "policy.yaml").write_text(text.replace("id: eve, groups: [privacy]", "id: eve, groups: [lab]"))
    house.edits.reload_if_changed()
    await send(pressed())
    assert await state(house) == "pending"


# -- whose word it is -----------------------------------------------------------------------------------------------


async def test_the_same_request_counts_once(house, send, counted):
    at = time.time()
    assert (await send(pressed("UXYZ"), at=at)).status_code == 200
    again = await send(pressed("UXYZ"), at=at)
    assert (again.status_code, again.json()["error"]["code"]) == (403, "signature-refused")
    assert len(await replies(house)) == 1
    assert [why for _, why in counted] == ["slack-member-unknown", "signature-refused"]


FORGED = [
    {"secret": "guessed"},
    {"at": 1_700_000_000},
    {"x_slack_signature": "v0=" + "0" * 64},
    {"x_slack_signature": ""},
    {"x_slack_request_timestamp": "now"},
]


async def test_what_is_not_slacks_does_nothing(house, send, counted):
    for forged in FORGED:
        answer = await send(pressed(), **forged)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "signature-refused"), forged
    assert [why for _, why in counted] == ["signature-refused"] * len(FORGED)
    assert (await state(house), await replies(house)) == ("pending", [])


OTHERS = [
    {"team": {"id": "T34"}},  # signed by one workspace, said of another
    {"user": {"id": "UEVE", "team_id": "T34"}},  # somebody of another one, in a shared channel
]


async def test_a_workspace_speaks_for_its_own_people_only(house, send):
    for other in OTHERS:
        assert (await send(pressed(**other))).status_code == 403, other
    assert await state(house) == "pending"


async def test_the_other_workspace_has_its_own_secret_and_people(house, send):
    other = {"team": {"id": "T34"}, "user": {"id": "UEVE"}}
    assert (await send(pressed(**other), secret=OTHER)).status_code == 200  # there she is only in `lab`
    assert (await send(pressed(), secret=OTHER)).status_code == 403
    assert await state(house) == "pending"


MALFORMED = [
    b"",
    b"payload=",
    b"payload=%5B%5D",
    b"payload=1",
    b"payload=null",
    b"payload={}&payload={}",
    b"other=1",
    b"\xff",
    b"payload=" + b"%5B" * 5000,
    pressed(actions=[]),
    pressed(actions=[{}, {}]),
    pressed(actions=[{"action_id": [], "value": "t-1"}]),
    pressed(value=["t-1"]),
    pressed(value=None),
    pressed(team=None),
    pressed(user=None),
    pressed(user={"id": 5, "team_id": "T12"}),
]


async def test_what_is_no_press_of_a_button_is_malformed(house, send):
    for raw in MALFORMED:
        assert (await send(raw)).status_code == 400, raw
    assert (await state(house), await replies(house)) == ("pending", [])


async def test_what_is_too_much_or_in_another_form_is_not_looked_at(house, send):
    assert (await send(b"payload=" + b"x" * slack.MOST)).status_code == 400
    assert (await send(pressed(), content_type="application/json")).status_code == 400
    assert (await send(pressed(), content_encoding="gzip")).status_code == 400
    assert (await send(pressed(), path="/slack/actions?a=1")).status_code == 400
    assert await state(house) == "pending"


async def test_what_is_none_of_ours_is_only_taken_note_of(house, send):
    for other in ({"action": blocks.OPEN}, {"action": "else"}, {"type": "view_submission"}):
        assert (await send(pressed(**other))).status_code == 200, other
    assert (await state(house), await replies(house)) == ("pending", [])


ELSEWHERE = [
    "https://evil.example/x",
    "http://hooks.slack.com/x",
    "https://hooks.slack.com@evil.example/x",
    "https://hooks.slack.com:8443/x",
    "https://hooks.slack.com.evil.example/x",
    "https://hooks.slack.com/\n",
    "https://[",
    5,
    None,
]


async def test_nothing_is_said_anywhere_but_at_slack(house, send):
    for url in ELSEWHERE:
        assert (await send(pressed(response_url=url))).status_code == 200, url
    assert (await state(house), await replies(house)) == ("approved", [])


async def test_where_the_ledger_is_down_slack_is_told_to_try_again(house, send, monkeypatch):
    async def down(*_said):
        raise LedgerDown

    monkeypatch.setattr(house.agreement, "spend", down)
    assert (await send(pressed())).status_code == 503
    assert await state(house) == "pending"
