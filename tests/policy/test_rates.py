"""So many in any stretch of time: against a model that keeps every request, with times about a period's edges."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.policy.rates import PARTS, Window, unpacked

PER = 60.0
EDGES = st.sampled_from([0.0, PER / PARTS, PER / PARTS - 1e-6, PER - 1e-6, PER, PER + 1e-6, PER / 2, 1e-6])
GAPS = st.lists(EDGES | st.floats(0, PER / 20), min_size=1, max_size=150)
NOW = 1_700_000_000.0


def asked(window, now, most):
    """The seconds to wait, or 0.0 for one that is let in; what is kept is written and read in between."""
    wait = window.wait(now, PER, most)
    if not wait:
        window.take(now, PER, most)
    read = unpacked(window.packed())
    assert read.parts == window.parts
    return wait, read


@given(GAPS, st.integers(1, 6))
def test_of_small_rates_exactly_those_are_let_in_that_there_is_room_for(gaps, most):
    window, now, let_in = Window(), NOW, []
    for gap in gaps:
        now += gap
        within = [at for at in let_in if at + PER > now]
        wait, window = asked(window, now, most)
        assert (wait == 0) == (len(within) < most)
        if wait:
            assert now + wait == pytest.approx(within[-most] + PER, abs=1e-5)
        else:
            let_in.append(now)
        assert len(window.parts) <= most


@given(GAPS, st.integers(PARTS + 1, PARTS + 20))
def test_of_large_rates_never_more_and_hardly_fewer(gaps, most):
    window, now, let_in = Window(), NOW, []
    for gap in gaps * 2:
        now += gap
        within = sum(at + PER > now for at in let_in)
        about = sum(at + PER + PER / PARTS >= now for at in let_in)
        wait, window = asked(window, now, most)
        assert within < most if wait == 0 else about >= most
        if wait == 0:
            let_in.append(now)
        assert len(window.parts) <= PARTS + 1


@given(st.lists(st.tuples(EDGES, st.sampled_from([0.0, 0.0, -PER, -PER / 3, -1e6])), max_size=80), st.integers(1, 4))
def test_a_clock_that_is_set_back_lets_nobody_in_early_and_keeps_nobody_out_for_longer(steps, most):
    window, true, off, let_in = Window(), NOW, 0.0, []
    for gap, step in steps:
        true, off = true + gap, off + step
        wait, window = asked(window, true + off, most)
        assert 0 <= wait <= PER + 1e-5
        if not wait:
            let_in.append(true)
    for place, at in enumerate(let_in[most:]):
        assert at - let_in[place] >= PER - 1e-5


def test_what_is_given_back_was_never_taken():
    window = Window()
    for at in (0.0, 1.0, 2.0):
        window.take(at, PER, 3)
    window.give_back(1.0)
    window.give_back(1.5)
    assert [part[0] for part in window.parts] == [0.0, 2.0]
    assert window.wait(3.0, PER, 3) == 0
    assert window.wait(3.0, PER, 2) == 57.0


def test_of_many_in_one_part_one_is_given_back():
    window = Window()
    for at in (0.0, 0.1, 0.2):
        window.take(at, PER, 100)
    window.give_back(0.1)
    assert list(window.parts) == [[0.0, 0.2, 2]]
    assert window.over(60.2, PER)
    assert not window.over(60.1, PER)


@pytest.mark.parametrize("data", [b"x", b"\0" * 19, b"\0" * 21])
def test_what_is_nothing_of_the_kind_is_told(data):
    with pytest.raises(ValueError, match="no requests"):
        unpacked(data)
    assert math.isclose(unpacked(b"").wait(NOW, PER, 1), 0)
