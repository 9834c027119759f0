"""What a policy on trial said live, summed up."""

from phigate.audit.backtest import shadow as backtest_shadow
from phigate.audit.backtest.shadow import Shadowed
from tests.audit.backtest.recordings import request, response

SHA = "cd" * 32


def shadow(verb="permit", rule="care", differs=(), **more):
    return {"policy": SHA, "verb": verb, "rule": rule, "reason": None, "differs": list(differs)} | more


def summed(*records):
    made = Shadowed()
    for record in records:
        made.add(record)
    return made


def test_decisions_that_differ_are_counted_and_others_are_the_same():
    made = summed(request(shadow=shadow()), request(shadow=shadow("deny", "no", ["newly-denied"])), request())
    tally = made.tally
    assert (tally.exchanges, tally.same, tally.kinds, made.policies) == (2, 1, {"newly-denied": 1}, {SHA})
    assert [(key.before, key.after) for key in tally.changes] == [("permit care", "deny no")]


def test_what_would_be_masked_otherwise_counts_where_it_was_found():
    said = shadow(differs=["newly-shown"], answer={"newly-shown": ["MRN"]}, prompt={"newly-hidden": ["*"]})
    asked = request(shadow=said, findings={"US_SSN": 1})
    tally = summed(asked, response(asked)).tally
    assert [(key.kind, key.side, key.entity, group.found) for key, group in tally.masks.items()] == [
        ("newly-hidden", "model", "US_SSN", 1),
        ("newly-shown", "caller", "MRN", 1),
    ]
    assert tally.kinds == {"newly-hidden": 1, "newly-shown": 1}
    assert tally.same == 1


def test_what_broke_and_what_cannot_be_read_are_counted_apart():
    tally = summed(request(shadow={"error": "ValueError"}), request(shadow={"verb": 5}), request(shadow="odd")).tally
    assert (tally.exchanges, tally.broke, tally.unreadable) == (2, {"ValueError": 1}, {"shadow": 1})


def test_what_is_under_way_is_remembered_within_bounds(monkeypatch):
    monkeypatch.setattr(backtest_shadow, "LIVE", 1)
    said = shadow(answer={"newly-shown": ["*"]})
    asked = [request(shadow=said) for _ in range(2)]
    assert summed(*asked, *map(response, asked)).tally.kinds == {"newly-shown": 1}
