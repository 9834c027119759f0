"""What of a policy's limits holds, for whom and when again; and that nothing is kept of who went."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.access import meter as meters
from phigate.ledger.counting import Share
from phigate.ledger.sharing import LedgerDown
from phigate.policy.rates import PARTS, TooMany
from tests.policies import policy, subject

ADA = subject("clinician")
BEN = replace(ADA, id="ben")
LAB = replace(subject("researcher"), id="lab")


def limits(*entries):
    return policy(tail="limits: [" + ", ".join(entries) + "]\n").limits


class Elsewhere:
    """What all gateways count, as far as a meter knows of it: `says` is the next answer, or raised."""

    def __init__(self):
        self.says, self.asked, self.gone, self.steps = None, [], [], []

    async def enter(self, exchange, shares):
        self.asked.append((exchange, shares))
        return self._answer()

    async def say(self, shares):
        self.asked.append((None, shares))
        return self._answer()

    def _answer(self):
        if isinstance(self.says, BaseException):
            raise self.says
        return self.says

    def leave(self, exchange):
        self.gone.append(exchange)

    def aside(self, exchange, *, waits):
        self.steps.append((exchange, waits))


def Meter(elsewhere=None):  # noqa: N802 -- as it is called
    return meters.Meter(elsewhere or Elsewhere(), lambda *parts: "|".join(parts).encode())


def done(coroutine):
    """What comes of a coroutine that waits for nobody."""
    with pytest.raises(StopIteration) as over:
        coroutine.send(None)
    return over.value.value


def enter(meter, who, of, now=0.0, name=None):
    enter.number += 1
    return done(meter.enter(name or f"ex-{enter.number}", who, of, now))


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
    assert [done(meter.say(ADA, of, 0.0)) for _ in range(2)] == [None] * 2
    assert done(meter.say(ADA, of, 1.0)) == TooMany(at_once=False, wait=59)


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


# -- what all gateways count ----------------------------------------------------------------------------------------

EXACT = "{roles: ['*'], requests: {per: PT1M, most: 5}, at_once: 2, exact: true}"


def test_an_exact_limit_is_asked_for_elsewhere_and_only_what_is_let_in_here():
    elsewhere = Elsewhere()
    meter, of = Meter(elsewhere), limits(EXACT, "{roles: ['*'], at_once: 1}")
    assert enter(meter, ADA, of, name="a") is None
    assert enter(meter, ADA, of, name="b") == TooMany(at_once=True, wait=1)
    assert enter(meter, ADA, of, name="a") is None
    ((name, (share,)),) = elsewhere.asked
    assert name == "a"
    assert share == Share(share.digest, 60.0, 5, 2)
    assert [part in share.digest for part in (ADA.issuer.encode(), ADA.id.encode())] == [True, True]
    meter.leave("a")
    assert "a" in elsewhere.gone


def test_what_is_asked_for_is_the_same_for_all_who_count_together_and_once_for_the_same_limit():
    elsewhere = Elsewhere()
    meter, of = Meter(elsewhere), limits(EXACT.replace("at_once", "counted: together, at_once"), EXACT, EXACT)
    for who in (ADA, BEN):
        assert enter(meter, who, of) is None
    (_, (together, own)), (_, (again, other)) = elsewhere.asked
    assert together == again
    assert len({together.digest, own.digest, other.digest}) == 3


def test_without_exact_limits_nothing_is_asked_for_elsewhere():
    elsewhere = Elsewhere()
    meter = Meter(elsewhere)
    assert enter(meter, ADA, limits(FOUR, "{roles: [researcher], at_once: 1, exact: true}")) is None
    assert elsewhere.asked == []


@pytest.mark.parametrize("says", [TooMany(at_once=False, wait=9), LedgerDown("gone"), GeneratorExit()], ids=repr)
def test_what_is_refused_elsewhere_takes_nothing_here(says):
    elsewhere = Elsewhere()
    meter, of = Meter(elsewhere), limits(FOUR, EXACT, "{roles: ['*'], at_once: 1}")
    assert enter(meter, ADA, of, 1, name="in") is None
    meter.leave("in")
    for number in range(20):
        elsewhere.says = says
        for asks in (meter.enter(f"{number}", ADA, of, 2 + number), meter.say(ADA, of, 2 + number)):
            if isinstance(says, TooMany):
                assert done(asks) == says
            else:
                with pytest.raises(type(says)):
                    asks.send(None)
    assert len(meter) == 0
    elsewhere.says = None
    assert [enter(meter, ADA, of, 30, name="x") is None and meter.leave("x") is None for _ in range(4)] == [
        True
    ] * 3 + [False]


def test_of_a_message_the_rate_is_asked_for_and_waiting_is_told_elsewhere():
    elsewhere = Elsewhere()
    meter, of = Meter(elsewhere), limits(EXACT)
    assert enter(meter, ADA, of, name="a") is None
    assert done(meter.say(ADA, of, 1.0)) is None
    assert [name for name, _ in elsewhere.asked] == ["a", None]
    with meter.aside("a"):
        assert elsewhere.steps == [("a", True)]
    assert elsewhere.steps == [("a", True), ("a", False)]
    with meter.aside("a"):
        meter.leave("a")
    assert elsewhere.steps[2:] == [("a", True)]
