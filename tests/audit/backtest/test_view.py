"""Findings for a terminal and for programs; nothing that a record holds moves the terminal."""

import io
import json

from rich.console import Console

from phigate.audit.backtest.tally import Place, Tally
from phigate.audit.backtest.view import WHY, as_json, tables
from phigate.policy.verdict import Verdict

HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe [bold red]markup[/]"
PERMIT, DENY = Verdict("permit", "care"), Verdict("deny", None, "no-rule")


def a_tally(word="ex-0123456789abcdef01234567", role="clinician", model="ward"):
    tally, place = Tally(), Place(word, role, model)
    tally.exchanges = 1234
    tally.compare(place, PERMIT, DENY, ("newly-denied",))
    tally.mask(place, PERMIT, "caller", "MRN", ("redact", "keep"), "newly-shown", 2000)
    for why in WHY:
        tally.leave_open(why, ("newly-held",), place)
    tally.apart["malformed"] += 3
    tally.unreadable["not-a-record"] += 1
    tally.broke["ValueError"] += 1
    return tally


def printed(tally, width=80):
    out = io.StringIO()
    Console(file=out, width=width).print(tables(tally))
    return out.getvalue()


def test_a_report_says_how_many_of_what_and_where():
    text = printed(a_tally(), 160)
    for said in (
        *("1,234", "newly-denied", "permit care", "-> deny no-rule", "clinician", "ward", "MRN (2,000)"),
        *("redact -> keep", "by the caller", "malformed 3", "not-a-record 1", "ValueError 1", "newly-held"),
        *WHY.values(),
    ):
        assert said in text


def test_ids_are_in_one_piece_in_eighty_columns():
    assert "ex-0123456789abcdef01234567" in printed(a_tally())


def test_an_empty_report_says_that_nothing_changes():
    assert "are decided as they were" in printed(Tally())


def test_nothing_of_a_record_moves_the_terminal():
    text = printed(a_tally(HOSTILE, HOSTILE, HOSTILE), 200)
    assert "[/]" in text
    assert not {char for char in text if (ord(char) < 0x20 and char != "\n") or char == "\u202e"}


def test_programs_get_plain_values():
    found = json.loads(json.dumps(as_json(a_tally())))
    assert found["kinds"] == {"newly-denied": 1, "newly-shown": 1, "undecided": 1}
    assert found["changes"] == [
        {
            "kinds": ["newly-denied"],
            "before": "permit care",
            "after": "deny no-rule",
            "role": "clinician",
            "model": "ward",
            "count": 1,
            "examples": ["ex-0123456789abcdef01234567"],
        }
    ]
    assert found["masks"][0]["found"] == 2000
    assert {each["why"] for each in found["undecided"]} == set(WHY)
