"""What goes out to webhooks: who is told of what, and what of a request is shown there."""

import json
from dataclasses import replace

import pytest

from phigate.approval import notices
from phigate.ledger.tickets import Review, Said
from tests.ledger.tickets import ADA, EVE, NOW, ticket
from tests.policies import policy

CALL = {"route": "openai-chat", "method": "POST", "target": "/v1/chat?mrn=[MRN]"}
SHOWN = {"model": "llama3", "call": CALL, "justification": "for [PERSON]", "prompt": {"messages": ["[PERSON] is ill"]}}
ASKED = ticket(shown=SHOWN)
USED = Review("ex-1", "sos", ADA, ("officer",), NOW, SHOWN | {"reason": "arrest of [PERSON]"})
CONSOLE = "https://console.example"
PAGER = "{name: pager, url: 'https://example.org', secret: env:S%s}"


def told(about, event="ticket.opened", hook=PAGER % "", **more):
    """What the one webhook of a policy is told."""
    made = policy(tail=f"webhooks: [{hook}]\n", **more)
    return [(each, json.loads(each.body)) for each in notices.of(made, CONSOLE, event, about, NOW)]


def test_a_ticket_is_told_with_who_asks_for_what_and_where_it_is_answered():
    ((notice, body),) = told(ASKED)
    assert (notice.hook, notice.event, notice.ticket, notice.exchange) == ("pager", "ticket.opened", "t-1", "ex-1")
    assert (body["type"], body["timestamp"]) == ("ticket.opened", "2023-11-14T22:13:20.000Z")
    data = body["data"]
    assert data["link"] == "https://console.example/tickets/t-1"
    assert (data["asked_by"], data["rule"]) == ({"issuer": ADA[0], "id": "ada"}, "ask")
    assert (data["action"], data["model"], data["until"]) == (["chat", "unmask"], "llama3", "2023-11-14T23:13:20.000Z")
    assert (data["approvers"], data["approvals"]) == (["officer", "lead"], {"needed": 1, "given": 0})
    assert data["call"] == {"route": "openai-chat", "method": "POST"}


def test_the_hours_of_what_a_yes_gives_are_told():
    rule = "{name: ask, hold: [clinician], to: [chat], models: ['*'], approvers: [officer], mask: lean, grant: %s}"
    for grant, hours in (
        ("{for: PT1H}", None),
        ("{for: PT1H, hours: {from: '07:00', to: '19:00', zone: UTC}}", "07:00-19:00 UTC"),
    ):
        made = policy(rule % grant, tail=f"webhooks: [{PAGER % ''}, {{name: room, url: env:U, format: slack}}]\n")
        plain, slack = (each.body for each in notices.of(made, CONSOLE, "ticket.opened", ASKED, NOW))
        assert json.loads(plain)["data"]["grant"]["hours"] == hours
        assert ("at these hours: 07:00-19:00 UTC" in slack) is (hours is not None)


@pytest.mark.parametrize("about", [ASKED, USED], ids=["ticket", "review"])
@pytest.mark.parametrize("form", ["", ", format: slack"])
def test_of_what_people_wrote_nothing_goes_out_unless_it_is_asked_for(about, form):
    said = Said(EVE, "approve", "ask [PERSON]", NOW)
    about = replace(about, said=(said,)) if about is ASKED else replace(about, signed=said)
    event = "ticket.approved" if about is not USED and hasattr(about, "said") else "review.signed"
    hook = PAGER % form if not form else "{name: pager, url: env:U, format: slack}"
    ((notice, _),) = told(about, event, hook)
    assert not [word for word in ("[PERSON]", "[MRN]", "arrest") if word in notice.body]
    assert "eve" in notice.body
    ((notice, _),) = told(about, event, hook.replace("}", ", prompt: true}"))
    for word in ("for [PERSON]", "[PERSON] is ill", "[MRN]", "ask [PERSON]"):
        assert word in notice.body or (word == "[MRN]" and form and about.__class__ is Review), word


def test_what_is_deployed_from_where_is_told():
    deployed = {"deployment": {"version": "7", "digest": "ab12"}, "context": {"commit": "c0ffee"}}
    ((_, body),) = told(replace(ASKED, shown=SHOWN | deployed))
    assert {name: body["data"][name] for name in deployed} == deployed
    ((notice, _),) = told(replace(ASKED, shown=SHOWN | deployed), hook="{name: pager, url: env:U, format: slack}")
    assert "Deploys: version 7, digest ab12" in notice.body
    assert "From: commit c0ffee" in notice.body


def test_a_use_of_break_glass_is_told_with_who_reviews_it():
    ((notice, body),) = told(USED, "break_glass.used")
    assert (notice.ticket, notice.exchange, body["data"]["review_by"]) == (None, "ex-1", ["officer"])
    assert body["data"]["link"] == "https://console.example/reviews/ex-1"


def test_where_people_can_sign_in_the_link_leads_to_their_page():
    sign_in = "sign_in: {issuer: https://idp.example, client_id: desk}\n"
    made = policy(tail=f"webhooks: [{PAGER % ''}]\n{sign_in}")
    for about, place in ((ASKED, "desk/tickets/t-1"), (USED, "desk/reviews/ex-1")):
        (notice,) = notices.of(made, CONSOLE, "ticket.opened", about, NOW)
        assert json.loads(notice.body)["data"]["link"] == f"{CONSOLE}/{place}"


def test_each_webhook_hears_of_its_events_only():
    assert told(ASKED, "ticket.opened", PAGER % ", events: [break_glass.used]") == []
    assert len(told(USED, "break_glass.used", PAGER % ", events: [break_glass.used]")) == 1


def test_the_same_event_has_the_same_id_and_no_other_has():
    ids = [told(ASKED)[0][0].id, told(ASKED)[0][0].id, told(ASKED, "ticket.expired")[0][0].id]
    ids += [told(replace(ASKED, id="t-2"))[0][0].id, told(ASKED, hook=PAGER.replace("pager", "other") % "")[0][0].id]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    assert not [each for each in ids if "." in each]


@pytest.mark.parametrize(
    "shown", [SHOWN | {"prompt": "x" * notices.MOST}, SHOWN | {"prompt": None, "prompt_left_out": True}]
)
def test_of_a_long_prompt_it_is_told_that_it_is_there(shown):
    ((_, body),) = told(replace(ASKED, shown=shown), hook=PAGER % ", prompt: true")
    assert ("prompt" in body["data"], body["data"]["prompt_left_out"]) == (False, True)


def test_buttons_stand_where_somebody_may_answer_from_there():
    hook = "{name: pager, url: env:U, format: slack}"
    team = "{slack: T12, secret: env:S, people: {U12: {issuer: https://idp.example, id: kai, groups: [privacy]}}}"
    assert "phigate-approve" not in told(ASKED, hook=hook)[0][0].body
    with_team = policy(tail=f"webhooks: [{hook}]\napprovers_from: [{team}]\n")
    (opened,) = notices.of(with_team, CONSOLE, "ticket.opened", ASKED, NOW)
    (over,) = notices.of(with_team, CONSOLE, "ticket.expired", ASKED, NOW)
    assert "phigate-approve" in opened.body
    assert "phigate-approve" not in over.body
