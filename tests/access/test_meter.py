"""What of a policy's limits holds, for whom and when again; and that nothing is kept of who went."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.access.meter import PARTS, Meter, TooMany
from tests.policies import policy, subject

ADA = subject("clinician")
BEN = replace(ADA, id="ben")
LAB = replace(subject("researcher"), id="lab")


def limits(*entries):
    return policy(tail="limits: [" + ", ".join(entries) + "]\n").limits


def enter(meter, who, of, now=0.0, name=None):
    enter.number += 1
    return meter.enter(name or f"ex-{enter.number}", who, of, now)


enter.number = 0
FOUR = "{roles: ['*'], requests: {per: PT1M, most: 4}}"


def test_so_many_in_a_minute_and_no_more():
    meter, of = Meter(), limits(FOUR)
    assert [enter(meter, ADA, of, at) for at in (0, 1, 2, 3)] == [None] * 4
    assert enter(meter, ADA, of, 3.5) == TooMany(at_once=False, wait=60 - 3.5)
    assert enter(meter, ADA, of, 59.99) == TooMany(at_once=False, wait=pytest.approx(0.01))
    assert enter(meter, ADA, of, 60) is None
    assert enter(meter, ADA, of, 60) == TooMany(at_once=False, wait=1)


def test_a_refused_request_takes_nothing():
    meter, of = Meter(), limits(FOUR, "{roles: [clinician], requests: {per: PT1S, most: 1}}")
    assert enter(meter, ADA, of, 0) is None
    assert all(enter(meter, ADA, of, 0.5) for _ in range(100))
    assert [enter(meter, ADA, of, at) for at in (2, 4, 6)] == [None] * 3


def test_another_person_has_limits_of_their_own_unless_all_are_counted_together():
    meter, of = Meter(), limits(FOUR)
    assert [enter(meter, who, of) for who in [ADA] * 4 + [BEN] * 4] == [None] * 8
    meter, of = Meter(), limits("{roles: ['*'], counted: together, requests: {per: PT1M, most: 4}}")
    assert [enter(meter, who, of) is None for who in [ADA, BEN] * 3] == [True] * 4 + [False] * 2


def test_a_limit_concerns_who_holds_its_role():
    meter, of = Meter(), limits("{roles: [clinician], at_once: 1}")
    assert [enter(meter, who, of) is None for who in (ADA, ADA, LAB, LAB)] == [True, False, True, True]
    assert enter(meter, replace(LAB, roles=frozenset()), of) is None


def test_the_strictest_of_those_that_concern_somebody_applies():
    meter, of = Meter(), limits("{roles: ['*'], at_once: 3}", "{roles: [clinician], at_once: 2}")
    assert [enter(meter, ADA, of) is None for _ in range(3)] == [True, True, False]
    meter = Meter()
    of = limits(FOUR, "{roles: [clinician], requests: {per: PT1H, most: 4}}")
    assert [enter(meter, ADA, of) for _ in range(4)] == [None] * 4
    assert enter(meter, ADA, of, 30) == TooMany(at_once=False, wait=3570)


def test_whoever_leaves_makes_room_once():
    meter, of = Meter(), limits("{roles: ['*'], at_once: 1}")
    assert enter(meter, ADA, of, name="a") is None
    assert enter(meter, ADA, of) == TooMany(at_once=True, wait=1)
    meter.leave("a")
    meter.leave("a")
    meter.leave("never came")
    assert [enter(meter, ADA, of) is None for _ in range(2)] == [True, False]


def test_what_is_begun_anew_was_counted():
    meter, of = Meter(), limits("{roles: ['*'], requests: {per: PT1M, most: 1}, at_once: 1}")
    assert [enter(meter, ADA, of, name="a") for _ in range(3)] == [None] * 3


def test_what_waits_for_a_yes_keeps_nobody_busy_and_goes_on_in_any_case():
    meter, of = Meter(), limits("{roles: ['*'], at_once: 1}")
    assert enter(meter, ADA, of, name="held") is None
    with meter.aside("held"):
        assert enter(meter, ADA, of, name="other") is None
        assert enter(meter, ADA, of, name="held") is None
    assert enter(meter, ADA, of)
    meter.leave("other")
    assert enter(meter, ADA, of)
    meter.leave("held")
    assert enter(meter, ADA, of) is None


def test_what_leaves_while_it_waits_is_gone():
    meter, of = Meter(), limits("{roles: ['*'], at_once: 1}")
    enter(meter, ADA, of, name="held")
    with meter.aside("held"):
        meter.leave("held")
    with meter.aside("unknown"):
        pass
    assert len(meter) == 0
    assert [enter(meter, ADA, of) is None for _ in range(2)] == [True, False]


def test_messages_of_a_conversation_are_counted_by_the_rate_alone():
    meter, of = Meter(), limits("{roles: ['*'], requests: {per: PT1M, most: 3}, at_once: 1}")
    assert enter(meter, ADA, of) is None
    assert [meter.say(ADA, of, 0.0) for _ in range(2)] == [None] * 2
    assert meter.say(ADA, of, 1.0) == TooMany(at_once=False, wait=59)


def test_another_policy_keeps_what_it_limits_as_before():
    meter = Meter()
    assert [enter(meter, ADA, limits(FOUR), name=f"{n}") for n in range(4)] == [None] * 4
    assert enter(meter, ADA, limits(FOUR, "{roles: [researcher], at_once: 1}"), 1)
    assert enter(meter, ADA, limits("{roles: ['*'], requests: {per: PT1M, most: 5}}"), 1) is None
    assert enter(meter, BEN, limits("{roles: ['*'], counted: together, at_once: 5}")) == TooMany(at_once=True, wait=1)
    for name in "0123":
        meter.leave(name)
    assert enter(meter, ADA, ()) is None


def test_two_limits_that_are_the_same_do_not_count_twice_after_an_edit():
    meter, twice = Meter(), (FOUR, FOUR)
    assert enter(meter, ADA, limits(*twice)) is None
    assert [enter(meter, ADA, limits(*twice)) is None for _ in range(4)] == [True] * 3 + [False]


def test_nothing_is_kept_of_who_asked_for_nothing_for_a_period():
    meter, of = Meter(), limits(FOUR)
    for number in range(1000):
        assert enter(meter, replace(ADA, id=str(number)), of, number, name="x") is None
        meter.leave("x")
    (state,) = meter._states
    assert len(state.windows) <= 61
    assert not state.inside
    assert len(meter) == 0


def test_who_was_refused_after_all_they_asked_for_was_long_ago_is_in_nobodys_way():
    meter, of = Meter(), limits("{roles: ['*'], requests: {per: PT1M, most: 4}, at_once: 1}")
    assert enter(meter, ADA, of, 0) is None
    assert enter(meter, ADA, of, 61) == TooMany(at_once=True, wait=1)
    assert [enter(meter, who, of, 62) for who in (BEN, LAB)] == [None] * 2
    (state,) = meter._states
    assert (ADA.issuer, ADA.id) not in state.windows


@given(st.lists(st.floats(0, 30), min_size=1, max_size=200), st.integers(1, 20))
def test_in_no_stretch_of_time_are_there_more_and_who_waits_is_let_in(gaps, most):
    of = limits(f"{{roles: ['*'], requests: {{per: PT1M, most: {most}}}}}")
    meter, now, let_in = Meter(), 0.0, []
    for gap in gaps:
        now += gap
        found = enter(meter, ADA, of, now, name="x")
        meter.leave("x")
        if found is None:
            let_in.append(now)
        else:
            assert 0 < found.wait <= 60 + 1e-9
            now += found.wait + 1e-6
            assert enter(meter, ADA, of, now, name="x") is None
            meter.leave("x")
            let_in.append(now)
        (state,) = meter._states
        assert sum(len(window.parts) for window in state.windows.values()) <= PARTS + 1
    for place, at in enumerate(let_in[most:]):
        assert at - let_in[place] >= 60 - 1e-6
