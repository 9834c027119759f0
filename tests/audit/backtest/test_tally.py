"""How findings are counted: each exchange once a word, some of them as examples, and never without bound."""

import pytest

from phigate.audit.backtest import tally as backtest_tally
from phigate.audit.backtest.tally import EXAMPLES, OTHERS, Place, Tally, said
from phigate.policy.verdict import Verdict

PERMIT, DENY = Verdict("permit", "care"), Verdict("deny", None, "no-rule")


def test_what_changes_is_counted_by_rule_role_and_model_with_examples():
    tally = Tally()
    for number in range(5):
        tally.compare(Place(f"ex-{number}", "clinician", "m"), PERMIT, DENY, ("newly-denied",))
    tally.compare(Place("ex-9", "clinician", "m"), PERMIT, PERMIT, ())
    ((key, group),) = tally.changes.items()
    assert (key.before, key.after, key.role, key.model) == ("permit care", "deny no-rule", "clinician", "m")
    assert (group.count, group.examples) == (5, ["ex-0", "ex-1", "ex-2"])
    assert len(group.examples) == EXAMPLES
    assert (tally.same, tally.kinds) == (1, {"newly-denied": 5})


def test_an_exchange_in_which_several_kinds_of_identifiers_change_counts_once():
    tally, place = Tally(), Place("ex-1", "clinician", "m")
    tally.mask(place, PERMIT, "caller", "MRN", ("redact", "keep"), "newly-shown", 2)
    tally.mask(place, PERMIT, "caller", "PERSON", (None, "keep"), "newly-shown", 3)
    tally.leave_open("mask-unknown", (), place)
    assert tally.kinds == {"newly-shown": 1, "undecided": 1}
    assert [(key.entity, key.before, group.found) for key, group in tally.masks.items()] == [
        ("MRN", "redact", 2),
        ("PERSON", "?", 3),
    ]


def test_models_without_end_count_together(monkeypatch):
    monkeypatch.setattr(backtest_tally, "MOST_GROUPS", 2)
    tally = Tally()
    for number in range(6):
        tally.compare(Place("ex", "clinician", f"model-{number}"), PERMIT, DENY, ("newly-denied",))
    assert {key.model: group.count for key, group in tally.changes.items()} == {"model-0": 1, "model-1": 1, OTHERS: 4}


@pytest.mark.parametrize(
    ("verdict", "words"), [(PERMIT, "permit care"), (DENY, "deny no-rule"), (Verdict("?", None), "?")]
)
def test_a_verdict_is_a_verb_and_why(verdict, words):
    assert said(verdict) == words
