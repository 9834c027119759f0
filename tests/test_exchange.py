"""What travels with a request: nothing is settled at first, and what is said of people does not change."""

import dataclasses

import pytest

from phigate.exchange import Exchange, Finding, Refusal, Subject

FROZEN = [
    Subject("https://idp.example", "ada", (), frozenset(), 0.0),
    Finding(0, 3, "PERSON", 1.0),
    Refusal(403, "no-rule", "No."),
]


@pytest.mark.parametrize("value", FROZEN, ids=lambda value: type(value).__name__)
def test_a_value_cannot_be_changed_behind_anybodys_back(value):
    for field in dataclasses.fields(value):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field.name, None)


def test_nothing_of_a_new_exchange_is_settled():
    exchange = Exchange("ex-1", 0.0)
    unsettled = ("dialect", "route", "model", "target", "subject", "session", "request", "decision", "refusal")
    assert [getattr(exchange, name) for name in unsettled] == [None] * len(unsettled)
    assert {exchange.recorded, exchange.contacted, exchange.finished, exchange.streaming} == {False}
    assert exchange.actions == frozenset()


def test_two_exchanges_share_nothing():
    one, two = Exchange("ex-1", 0.0), Exchange("ex-2", 0.0)
    one.found_in["PERSON"] += 1
    one.identifiers_in.add("PERSON:00")
    one.usage["input"] = 1
    assert (dict(two.found_in), two.identifiers_in, two.usage) == ({}, set(), {})


def test_a_refusal_denies_unless_it_says_otherwise():
    assert Refusal(503, "not-ready", "Later.").decision == "deny"
