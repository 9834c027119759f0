"""The wall clock is put forward and back: what is noticed, what time it surely is, and which of two clocks is wrong."""

import time

import pytest

from phigate.clock import SETTLED, STEP, TOLD, Clock, Step
from phigate.ledger.ledger import SKEW

NOW = 1_790_000_000.0
HOUR, YEARS = 3600.0, 10 * 365 * 86_400.0


class Hands:
    """Two clocks that a test moves: `pass_` moves both, `put` the one on the wall."""

    def __init__(self):
        self.wall, self.steady = NOW, 50.0
        self.clock = Clock(lambda: self.wall, lambda: self.steady)

    def pass_(self, seconds, *, drift=0.0):
        self.wall, self.steady = self.wall + seconds + drift, self.steady + seconds

    def put(self, seconds):
        self.wall += seconds


@pytest.fixture
def hands():
    return Hands()


STEPS = [HOUR, -HOUR, YEARS, -YEARS, STEP + 1, -STEP - 1]


@pytest.mark.parametrize("seconds", STEPS)
def test_a_step_is_noticed_once_with_what_the_clock_would_have_said(hands, seconds):
    hands.pass_(7)
    assert hands.clock.look() is None
    hands.put(seconds)
    hands.pass_(1)
    step = hands.clock.look()
    assert (step.seconds, step.direction) == (pytest.approx(seconds), "forward" if seconds > 0 else "back")
    assert step.was == pytest.approx(NOW + 8)
    assert hands.clock.look() is None
    said = f"it was put {step.direction} by {abs(seconds):.0f} s"
    assert hands.clock.remarks() == {"clock": said}
    hands.pass_(TOLD)
    assert hands.clock.remarks() == {}


def test_a_clock_that_is_slewed_is_not_put(hands):
    for _ in range(10_000):
        hands.pass_(1, drift=0.0005)
        assert hands.clock.look() is None
    assert hands.clock.surely() == pytest.approx(hands.wall)


def test_a_process_that_stood_still_between_two_readings_saw_no_step(hands):
    steady = iter([50.0, 60.0, 90.0, 90.0])
    clock = Clock(lambda: NOW, lambda: 50.0)
    clock._steady = lambda: next(steady)
    assert clock.look() is None
    clock._wall = lambda: NOW + 40
    assert clock.look() is None


def test_a_record_of_a_step_holds_both_times():
    assert Step(-3600.0004, 1_790_000_000.25).record() == {"step": -3600.0, "was": "2026-09-21T14:13:20.250Z"}


@pytest.mark.parametrize("noticed", [False, True])
def test_it_is_surely_no_later_than_it_was_and_what_passed_since(hands, noticed):
    for put, sure in ((YEARS, NOW + 10), (-YEARS, NOW + 20), (-HOUR, NOW + 30 - HOUR), (HOUR, NOW + 40 - HOUR)):
        hands.put(put)
        hands.pass_(10)
        if noticed or put == -HOUR:
            hands.clock.look()
        assert hands.clock.surely() == pytest.approx(sure)


def test_a_clock_that_was_put_forward_is_believed_after_a_day(hands):
    hands.put(HOUR)
    hands.clock.look()
    hands.pass_(SETTLED - 1)
    hands.clock.look()
    assert hands.clock.surely() == pytest.approx(hands.wall - HOUR)
    hands.pass_(2)
    hands.clock.look()
    assert hands.clock.surely() == pytest.approx(hands.wall)


def test_without_another_clock_nobody_can_tell(hands):
    hands.put(YEARS)
    hands.clock.compare(None)
    assert (hands.clock.astray, hands.clock.apart) == (False, None)


@pytest.mark.parametrize("seconds", STEPS[:4])
def test_of_two_clocks_the_one_that_was_put_is_astray_until_they_agree_again(hands, seconds):
    hands.clock.compare(hands.wall + 3)
    there = hands.wall
    hands.put(seconds)
    hands.clock.compare(there)
    assert (hands.clock.astray, hands.clock.apart) == (True, pytest.approx(seconds))
    assert hands.clock.remarks()["clock"].endswith("nobody is let in by it")
    hands.put(-seconds)
    hands.clock.compare(there)
    assert not hands.clock.astray
    assert hands.clock.remarks() == {}


@pytest.mark.parametrize("seconds", STEPS[:4])
def test_where_the_other_one_was_put_this_one_goes_on(hands, seconds):
    hands.clock.compare(hands.wall)
    hands.pass_(60)
    hands.clock.compare(hands.wall - seconds)
    assert not hands.clock.astray
    assert hands.clock.remarks()["clock"].endswith("this one was not put wrong")


def test_two_that_never_agreed_are_both_not_to_be_believed(hands):
    hands.clock.compare(hands.wall + SKEW + 1)
    assert hands.clock.astray
    hands.clock.compare(hands.wall + SKEW - 1)
    assert not hands.clock.astray


def test_a_clock_that_was_put_right_by_another_is_believed_at_once(hands):
    hands.clock.compare(hands.wall + HOUR)
    hands.put(HOUR)
    hands.clock.look()
    assert hands.clock.surely() == pytest.approx(hands.wall - HOUR)
    hands.clock.compare(hands.wall)
    assert hands.clock.surely() == pytest.approx(hands.wall)


def test_both_clocks_of_the_machine_are_read_where_none_are_given():
    clock = Clock()
    assert clock.look() is None
    assert clock.surely() == pytest.approx(time.time(), abs=1)
