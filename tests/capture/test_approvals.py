"""The records of yes and no, field by field."""

from dataclasses import replace

import orjson

from phigate.capture import approvals
from phigate.exchange import Exchange, Subject
from phigate.ledger.tickets import Review, Said
from tests.ledger.tickets import ADA, EVE, NOW, grant_of, ticket

EVE_ASKS = Subject("https://idp.example", "eve", ("privacy",), frozenset({"officer"}), 0.0)
WHO = {"issuer": "https://idp.example", "id": "eve", "roles": ["officer"], "groups": ["privacy"]}
REVIEW = Review("ex-1", "sos", ADA, ("officer",), NOW, {"reason": "arrest", "model": "llama3"})


def test_a_ticket_says_who_did_what_with_whose_request():
    made = approvals.ticket_record(ticket(), EVE_ASKS, "10.0.0.1", "approve", comment="seen")
    assert made == {
        "ticket": "t-1",
        "exchange": "ex-1",
        "subject": WHO,
        "client": {"ip": "10.0.0.1"},
        "decision": "approve",
        "reason": "seen",
        "asked_by": {"issuer": "https://idp.example", "id": "ada"},
        "rule": "ask",
        "action": ["chat", "unmask"],
        "model": "llama3",
        "digest": "aa",
        "approvals": 1,
        "until": "2023-11-14T23:13:20.000Z",
    }
    assert (
        approvals.ticket_record(ticket(), EVE_ASKS, "", "deny", comment="seen", why="own-request")["reason"]
        == "own-request"
    )


def test_a_ticket_names_the_version_that_it_is_about():
    shown = {"deployment": {"version": "2.1", "digest": "9f"}}
    made = approvals.ticket_record(ticket(shown=shown), EVE_ASKS, "10.0.0.1", "open")
    assert made["deployment"] == shown["deployment"]
    assert approvals.ticket_record(ticket(exchange="d-1"), EVE_ASKS, "10.0.0.1", "open")["exchange"] is None


def test_an_expired_ticket_says_that_nobody_did_it_and_whether_somebody_had_said_yes():
    made = approvals.lapse_record(ticket(), None)
    assert (made["decision"], made["subject"], made["client"], made["grant"]) == ("expire", None, None, None)
    assert (made["ticket"], made["rule"], made["asked_by"]["id"]) == ("t-1", "ask", "ada")
    assert approvals.lapse_record(ticket(), "g-1")["grant"] == "g-1"


def test_a_grant_says_what_was_given_to_whom_and_by_all_of_whom():
    of = ticket(said=(Said(EVE, "approve", "", NOW),))
    made = approvals.grant_record(grant_of(of), of, EVE_ASKS, "10.0.0.1")
    assert (made["grant"], made["ticket"], made["uses"], made["digest"]) == ("g-t-1", "t-1", 1, "aa")
    assert (made["for"]["id"], [each["id"] for each in made["by"]]) == ("ada", ["eve"])
    assert (made["since"], made["until"]) == ("2023-11-14T22:13:20.000Z", "2023-11-14T22:23:20.000Z")


def test_break_glass_says_why_and_who_looks_at_it():
    exchange = Exchange("ex-1", NOW, client_ip="10.0.0.1", actions=frozenset({"chat"}), subject=EVE_ASKS)
    made = approvals.break_glass_record(exchange, REVIEW)
    assert (made["exchange"], made["subject"], made["reason"], made["review_by"]) == (
        "ex-1",
        WHO,
        "arrest",
        ["officer"],
    )


def test_break_glass_says_when_its_review_is_due():
    made = approvals.break_glass_record(Exchange("ex-1", NOW), replace(REVIEW, due=NOW + 60))
    assert made["due"] == "2023-11-14T22:14:20.000Z"


def test_a_review_names_its_exchange_which_reports_look_for():
    made = approvals.review_record(REVIEW, EVE_ASKS, "10.0.0.1", "approve", "")
    assert (made["exchange"], made["decision"], made["reason"], made["asked_by"]["id"]) == (
        "ex-1",
        "approve",
        None,
        "ada",
    )


def test_a_look_says_whether_anything_was_seen():
    assert approvals.look_record(EVE_ASKS, "", "GET", {"ticket": "t-1"})["decision"] == "permit"
    assert approvals.look_record(EVE_ASKS, "", "GET", {}, why="not-an-approver")["decision"] == "deny"


def test_all_of_them_are_json():
    made = [
        approvals.ticket_record(ticket(), EVE_ASKS, "", "open"),
        approvals.lapse_record(ticket(), None),
        approvals.grant_record(grant_of(ticket()), ticket(), EVE_ASKS, ""),
        approvals.review_record(REVIEW, EVE_ASKS, "", "approve", ""),
    ]
    assert all(orjson.loads(orjson.dumps(each)) == each for each in made)
