"""What is counted, and that no label is ever a caller's word."""

from collections import Counter

import pytest

from phigate import metrics
from phigate.exchange import Exchange, Refusal
from phigate.identity.keys import KeyStatus


def value(name, **labels):
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def counted(name, labels, exchange, seconds=0.3):
    """By how much one exchange moves a sample."""
    before = value(name, **labels)
    metrics.count(exchange, seconds)
    return value(name, **labels) - before


def an_exchange(**changes):
    exchange = Exchange("ex-1", 0.0, actions=frozenset({"chat"}), model="Quartermaine", path="/Quartermaine")
    for name, each in changes.items():
        setattr(exchange, name, each)
    return exchange


DENIED = Refusal(403, "no-rule", "No.")
HELD = Refusal(403, "approval-required", "Wait.", decision="hold")
CASES = [
    ("a permit", {}, {"action": "chat", "decision": "permit", "reason": ""}),
    ("a denial by its reason", {"refusal": DENIED}, {"action": "chat", "decision": "deny", "reason": "no-rule"}),
    ("a hold", {"refusal": HELD}, {"action": "chat", "decision": "hold", "reason": "approval-required"}),
    (
        "several actions in one order",
        {"actions": frozenset({"unmask", "chat"})},
        {"action": "chat+unmask", "decision": "permit", "reason": ""},
    ),
    (
        "an unknown route as unknown",
        {"actions": frozenset(), "refusal": DENIED},
        {"action": "unknown", "decision": "deny", "reason": "no-rule"},
    ),
]


@pytest.mark.parametrize(("sentence", "changes", "labels"), CASES, ids=[case[0] for case in CASES])
def test_an_exchange_is_counted_as(sentence, changes, labels):
    assert counted("phigate_exchanges_total", labels, an_exchange(**changes)) == 1


@pytest.mark.parametrize(("side", "field"), [("prompt", "found_in"), ("answer", "found_out")])
def test_findings_are_counted_by_side_and_entity(side, field):
    exchange = an_exchange(**{field: Counter(PERSON=2, MRN=1)})
    assert counted("phigate_findings_total", {"side": side, "entity": "PERSON"}, exchange) == 2
    assert counted("phigate_findings_total", {"side": side, "entity": "MRN"}, exchange) == 1


@pytest.mark.parametrize(
    ("shadow", "change"),
    [
        ({"differs": ["newly-denied"]}, "newly-denied"),
        ({"differs": ["newly-permitted", "no-longer-held"]}, "no-longer-held"),
        ({"differs": []}, "same"),
        ({"error": "ValueError"}, "error"),
    ],
)
def test_what_a_policy_on_trial_says_is_counted(shadow, change):
    assert counted("phigate_shadow_total", {"change": change}, an_exchange(shadow=shadow)) == 1
    assert counted("phigate_shadow_total", {"change": change}, an_exchange()) == 0


def test_seconds_go_into_their_buckets():
    assert counted("phigate_exchange_seconds_bucket", {"le": "0.25"}, an_exchange()) == 0
    assert counted("phigate_exchange_seconds_bucket", {"le": "0.5"}, an_exchange()) == 1
    assert counted("phigate_exchange_seconds_count", {}, an_exchange()) == 1


def test_no_label_is_a_callers_word():
    metrics.count(an_exchange(), 0.1)
    said = [
        label for family in metrics.REGISTRY.collect() for sample in family.samples for label in sample.labels.values()
    ]
    assert "chat" in said
    assert not any("Quartermaine" in label for label in said)


def test_each_issuer_and_the_ledger_say_how_they_stand(monkeypatch):
    stand = [
        KeyStatus("https://good.example", "fresh", 1, 7.0, None, {}, {}),
        KeyStatus("https://old.example", "stale", 1, 900.0, "timed-out", {}, {"timed-out": 2}),
        KeyStatus("https://gone.example", "missing", 0, None, None, {}, {}),
    ]
    monkeypatch.setattr(metrics.PARTS, "issuers", lambda: stand)
    monkeypatch.setattr(metrics.PARTS, "faults", lambda: [("https://old.example", "keys", "timed-out", 2)])
    monkeypatch.setattr(metrics.PARTS, "ledger", {"full": 3})
    up = {each.issuer: value("phigate_issuer_up", issuer=each.issuer) for each in stand}
    assert up == {"https://good.example": 1, "https://old.example": 0, "https://gone.example": 0}
    assert value("phigate_issuer_keys_age_seconds", issuer="https://old.example") == 900
    assert value("phigate_issuer_faults_total", issuer="https://old.example", of="keys", why="timed-out") == 2
    assert value("phigate_ledger_faults_total", why="full") == 3
