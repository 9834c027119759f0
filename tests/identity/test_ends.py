"""When bearers are over by a clock that nobody puts back."""

from __future__ import annotations

from phigate.identity.ends import Ends


class Steady:
    now = 50.0

    def __call__(self) -> float:
        return self.now


def test_a_bearer_that_is_seen_first_is_not_over() -> None:
    assert not Ends(Steady()).over("a.b.c", 10)


def test_it_is_over_when_what_it_had_left_has_passed_whatever_it_has_left_now() -> None:
    clock = Steady()
    ends = Ends(clock)
    ends.over("a.b.c", 10)
    clock.now += 9.9
    assert not ends.over("a.b.c", 3600)
    clock.now += 0.1
    assert ends.over("a.b.c", 3600)
    assert not ends.over("d.e.f", 3600)


def test_a_clock_that_was_put_forward_for_a_while_shortens_nothing() -> None:
    clock = Steady()
    ends = Ends(clock)
    ends.over("a.b.c", 100)
    assert not ends.over("a.b.c", 1)
    clock.now += 50
    assert not ends.over("a.b.c", 50)


def test_the_oldest_leaves_when_there_are_too_many() -> None:
    clock = Steady()
    ends = Ends(clock, entries=3)
    for number in range(5):
        ends.over(f"bearer-{number}", 10)
    clock.now += 20
    assert [number for number in (4, 3, 2) if ends.over(f"bearer-{number}", 10)] == [4, 3, 2]
    assert not ends.over("bearer-0", 10)
