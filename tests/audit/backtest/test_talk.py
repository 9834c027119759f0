"""Messages of an open connection, decided again: each is read with those before it."""

from phigate.audit.backtest.compare import Backtest
from tests import policies
from tests.audit.backtest.recordings import CARE, LISTS, request, response

NOTES = "{name: notes, deny: ['*'], to: [chat], when: {prompt_matches: ['ward-round']}}"
WHOLE = policies.policy(CARE, LISTS)


def message(to, text, **more):
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    body = {"type": "conversation.item.create", "item": item}
    told = {"from": "caller", "refused": None, "findings": {}, "revealed": [], "body": body}
    return {"kind": "message", "ts": to["ts"], "exchange": to["exchange"]} | told | more


def talked(rules, *messages, against=None, past=(WHOLE,), **more):
    opened = request(dialect="openai-realtime", route="realtime", body=None, bytes=0, **more)
    made = Backtest(policies.policy(*rules), policies.policy(*against) if against else None, past)
    for record in (opened, *(message(opened, *each[:1], **each[1]) for each in messages), response(opened)):
        made.add(record)
    return made.tally


MASKED = {"findings": {"PERSON": 1}}


def test_what_was_said_and_may_be_said_again_is_the_same():
    tally = talked([CARE, LISTS], ("Hello", {}), ("list all", {"refused": "denied"}), past=())
    assert (tally.exchanges, tally.same, tally.kinds) == (1, 1, {})


def test_a_message_that_would_not_go_on_is_found_also_where_it_came_in_pieces():
    tally = talked([CARE, NOTES], ("after the ward-", {}), ("round", {}))
    assert [(key.kinds, key.before, key.after) for key in tally.changes] == [
        (("newly-denied",), "permit message", "deny message")
    ]


def test_a_message_that_would_go_on_now_is_found():
    assert talked([CARE], ("list all", {"refused": "denied"})).kinds == {"newly-permitted": 1}


def test_a_message_is_decided_by_the_time_at_which_it_was_said():
    timed = CARE.replace("mask:", 'hours: {from: "15:00", to: "16:00", zone: UTC}, mask:')
    later = {"ts": "2026-11-23T16:00:01.000000Z"}
    assert talked([timed, LISTS], ("Hello", {}), ("Again", later | {"refused": "no-rule"}), past=[]).kinds == {}
    assert talked([timed, LISTS], ("Hello", {}), ("Again", later)).kinds == {"newly-denied": 1}
    ((key, _),) = talked([timed, LISTS], ("Hello", {"ts": "then"})).open.items()
    assert key.why == "message-unread"


def test_what_a_connection_was_opened_by_a_yes_for_goes_on():
    ask = "{name: ask, hold: [clinician], to: [chat], models: ['*'], mask: lean, approvers: [officer]}"
    by_grant = {"rule": "ask", "decision": {"rules": ["ask"], "grant": "g-1"}}
    assert talked([ask], ("Hello", {}), past=(), **by_grant).kinds == {}
    known = policies.policy(ask)
    by_grant["policy"] = known.sha256
    assert talked([ask], ("Hello", {}), past=[known], **by_grant).kinds == {}


def test_what_a_connection_shows_it_shows_to_its_end():
    raw = "{name: raw, permit: [clinician], to: [chat], models: ['*'], mask: years, when: {prompt_matches: [year]}}"
    assert talked([CARE, raw], ("this year", {})).kinds == {"newly-denied": 1}


def test_a_masked_message_is_undecided_and_so_is_all_that_comes_after_it():
    tally = talked([CARE, NOTES], ("[PERSON]", MASKED), ("well", {}))
    ((key, group),) = tally.open.items()
    assert (key.why, group.count, tally.kinds) == ("prompt-masked", 2, {"undecided": 1})


def test_whether_it_went_on_tells_what_a_masked_message_says():
    tally = talked([CARE, LISTS], ("[PERSON]", MASKED), ("[PERSON]", MASKED | {"refused": "denied"}))
    assert tally.kinds == {}


def test_two_policies_are_compared_on_what_was_said():
    asked = [("[PERSON] after", MASKED), ("the ward-round", {})]
    assert talked([CARE, NOTES], *asked, against=[CARE, NOTES]).kinds == {}
    assert talked([CARE, NOTES], ("the ward-round", {}), against=[CARE]).kinds == {"newly-denied": 1}


def test_a_message_of_which_nothing_is_kept_is_undecided():
    ((key, _),) = talked([CARE, NOTES], ("", {"body": None})).open.items()
    assert key.why == "message-unread"


def test_what_ended_for_another_reason_or_was_the_models_is_not_asked_about():
    tally = talked([CARE, NOTES], ("ward-round", {"refused": "unrecorded"}), ("ward-round", {"from": "model"}))
    assert tally.kinds == {}


def test_more_conditions_than_can_be_tried_are_undecided():
    many = [NOTES.replace("notes", f"n{n}").replace("ward-round", f"word-{n}") for n in range(9)]
    assert talked([CARE, *many], ("[PERSON]", MASKED)).kinds == {"undecided": 1}
