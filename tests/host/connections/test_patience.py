"""Who is sent away when, and for whom there is room; by a clock of the test's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.host.connections import patience
from phigate.host.connections.patience import (
    BODY,
    HEAD,
    IDLE,
    IDLE_STRANGER,
    LONGEST_BODY,
    MOST_BEFORE,
    TAKES_NOTHING,
    TRIES,
    Hall,
)


class Watched(Hall):
    """A hall that keeps whom it sent away, and why, by name."""

    def __init__(self, most=100, most_strangers=100):
        self.ended = {}
        super().__init__(lambda peer, why: self.ended.setdefault(peer.name, why), most, most_strangers)

    def until(self, now, step=1.0):
        """Let time go by; when whoever was sent away went."""
        at, went = 0.0, {}
        while at <= now:
            self.tick(at, 1000)
            went |= dict.fromkeys(self.ended.keys() - went.keys(), at)
            at += step
        return went


def talking(hall, name="a", now=0.0, *, believed=True, streams=False):
    """A connection on which a first exchange is over."""
    peer = hall.arrive(name, "10.0.0.1", now)
    hall.heard(peer, 500, now)
    hall.asked(name, f"{name}-1", now, streams=streams)
    hall.whole(name, f"{name}-1", 100)
    if believed:
        hall.believe(name)
    hall.over(name, f"{name}-1", now)
    return peer


def test_a_head_must_be_whole_in_its_time():
    hall = Watched()
    hall.arrive("silent", "10.0.0.1", 0.0)
    hall.heard(hall.arrive("half", "10.0.0.1", 0.0), 40, 0.0)
    hall.arrive("asks", "10.0.0.1", 0.0)
    hall.asked("asks", "ex", 5.0, streams=False)
    went = hall.until(HEAD + 1)
    assert hall.ended == {"silent": "slow-head", "half": "slow-head"}
    assert set(went.values()) == {HEAD}


def test_so_must_each_later_one_from_its_first_byte_on():
    hall = Watched()
    peer = talking(hall)
    hall.tick(20.0, 10)
    hall.heard(peer, 1, 30.0)
    hall.heard(peer, 1, 35.0)
    assert hall.until(30 + HEAD + 1)["a"] == 30 + HEAD
    assert hall.ended == {"a": "slow-head"}


@pytest.mark.parametrize(("believed", "seconds"), [(True, IDLE), (False, IDLE_STRANGER)])
def test_whoever_asks_nothing_more_goes(believed, seconds):
    hall = Watched()
    talking(hall, believed=believed)
    assert hall.until(seconds + 20)["a"] == seconds
    assert hall.ended == {"a": "idle"}


def test_of_http2_a_ping_is_no_request_and_keeps_nobody():
    hall = Watched()
    peer = talking(hall, streams=True)
    hall.heard(peer, 17, 5.0)
    hall.heard(peer, 2 * MOST_BEFORE, 200.0)
    assert hall.until(IDLE + 20)["a"] == IDLE


def test_a_body_that_stays_away_is_not_waited_for():
    hall = Watched()
    hall.arrive("a", "10.0.0.1", 0.0)
    hall.asked("a", "ex", 0.0, streams=False)
    assert hall.until(BODY + 20)["a"] == BODY
    assert hall.ended == {"a": "slow-body"}


def test_one_that_comes_has_longer_but_not_for_ever():
    hall = Watched()
    peer = hall.arrive("a", "10.0.0.1", 0.0)
    hall.asked("a", "ex", 0.0, streams=False)
    for second in range(400):
        if peer.name in hall.peers:
            hall.heard(peer, 5000, float(second))
        hall.tick(float(second), 10)
        if hall.ended:
            break
    assert LONGEST_BODY <= second <= LONGEST_BODY + 1
    assert hall.ended == {"a": "slow-body"}


def test_a_slow_body_beside_another_is_seen():
    hall = Watched()
    hall.arrive("a", "10.0.0.1", 0.0)
    hall.asked("a", "slow", 0.0, streams=True)
    hall.asked("a", "quick", 15.0, streams=True)
    hall.whole("a", "quick", 10)
    assert hall.until(40)["a"] == BODY


def test_an_answer_may_take_its_time():
    hall = Watched()
    talking(hall)
    hall.asked("a", "ex", 1.0, streams=False)
    hall.whole("a", "ex", 10)
    assert hall.until(3000, 10) == {}
    hall.over("a", "ex", 3000.0)
    hall.tick(3000.0 + IDLE - 1, 10)
    assert hall.ended == {}
    hall.tick(3000.0 + IDLE, 10)
    assert hall.ended == {"a": "idle"}


@pytest.mark.parametrize("under_way", [True, False])
def test_whoever_takes_nothing_of_an_answer_is_left(under_way):
    hall = Watched()
    peer = talking(hall)
    hall.asked("a", "ex", 0.0, streams=False)
    hall.whole("a", "ex", 0)
    peer.waiting = lambda: 10
    if not under_way:
        hall.over("a", "ex", 0.0)
    went = hall.until(IDLE + TAKES_NOTHING + 30)
    assert hall.ended == {"a": "takes-nothing"}
    assert went["a"] <= (0 if under_way else IDLE) + TAKES_NOTHING + 2 * patience.LOOK


def test_whoever_takes_it_slowly_is_not():
    hall = Watched()
    peer = talking(hall)
    taken = iter(range(10_000))
    peer.waiting, peer.taken = (lambda: 10), (lambda: next(taken))
    assert hall.until(2000, 5) == {}


def test_before_a_head_only_so_much_may_come():
    hall = Watched()
    peer = hall.arrive("a", "10.0.0.1", 0.0)
    hall.heard(peer, MOST_BEFORE, 0.0)
    assert hall.ended == {}
    hall.heard(peer, 1, 0.0)
    assert hall.ended == {"a": "swollen"}


def test_of_bodies_of_all_only_so_much_is_held_and_the_largest_goes(monkeypatch):
    monkeypatch.setattr(patience, "MOST_BODIES", 1000)
    hall = Watched()
    for name in "abc":
        hall.arrive(name, "10.0.0.1", 0.0)
        hall.asked(name, name, 0.0, streams=name == "c")
    for name, size in (("a", 300), ("b", 400), ("c", 300)):
        hall.heard(hall.peers[name], size, 0.0)
    assert (hall.held, hall.ended) == (1000, {})
    hall.whole("a", "a", 290)
    assert hall.held == 700
    hall.asked("c", "more", 0.0, streams=True)
    hall.heard(hall.peers["c"], 250, 0.0)
    hall.whole("c", "c", 280)
    assert hall.held == 670
    hall.heard(hall.peers["c"], 1000, 0.0)
    assert (hall.held, hall.ended) == (400, {"c": "swollen"})
    hall.leave("b")
    assert hall.held == 0


def test_a_newcomer_takes_the_place_of_the_stranger_of_its_address_that_came_first():
    hall = Watched(most_strangers=2)
    for name in "abc":
        assert hall.arrive(name, "10.0.0.1", 0.0)
    assert hall.arrive("other", "10.0.0.2", 0.0)
    assert hall.ended == {"a": "crowd"}


def test_nobody_is_at_work_for_nothing():
    hall = Watched(most_strangers=2)
    for name in "ab":
        hall.arrive(name, "10.0.0.1", 0.0)
        hall.asked(name, name, 0.0, streams=False)
        hall.whole(name, name, 0)
    assert hall.arrive("c", "10.0.0.1", 0.0) is None
    assert hall.ended == {}
    hall.over("b", "b", 0.0)
    assert hall.arrive("c", "10.0.0.1", 0.0)
    assert hall.ended == {"b": "crowd"}


def test_those_for_whom_somebody_is_at_work_do_not_stand_in_front_of_the_others_for_ever():
    busy = [str(number) for number in range(TRIES)]
    hall = Watched(most_strangers=TRIES + 1)
    for name in busy:
        hall.arrive(name, "10.0.0.1", 0.0)
        hall.asked(name, name, 0.0, streams=False)
        hall.whole(name, name, 0)
    hall.arrive("silent", "10.0.0.1", 0.0)
    assert hall.arrive("first", "10.0.0.1", 0.0) is None
    assert hall.arrive("second", "10.0.0.1", 0.0)
    assert hall.ended == {"silent": "crowd"}


def test_whoever_is_believed_is_no_stranger_of_its_address():
    hall = Watched(most_strangers=1)
    for number in range(5):
        talking(hall, str(number))
    assert (hall.strangers, hall.ended) == (0, {})


def test_where_all_places_are_taken_strangers_go_and_then_who_was_idle_longest():
    hall = Watched(most=3)
    talking(hall, "busy")
    hall.asked("busy", "ex", 0.0, streams=False)
    hall.whole("busy", "ex", 0)
    talking(hall, "idle")
    hall.arrive("stranger", "10.0.0.9", 0.0)
    assert hall.arrive("d", "10.0.0.2", 1.0)
    assert hall.ended == {"stranger": "crowd"}
    hall.believe("d")
    hall.asked("d", "ex", 1.0, streams=False)
    hall.whole("d", "ex", 0)
    assert hall.arrive("e", "10.0.0.3", 1.0)
    assert hall.ended == {"stranger": "crowd", "idle": "crowd"}
    hall.believe("e")
    assert hall.arrive("f", "10.0.0.3", 1.0) is None


def test_many_whose_time_is_over_go_a_few_at_a_time():
    hall = Watched(most=1000, most_strangers=1000)
    for number in range(100):
        hall.arrive(str(number), "10.0.0.1", 0.0)
    gone = []
    for _ in range(4):
        hall.tick(HEAD, 30)
        gone.append(len(hall.ended))
    assert gone == [30, 60, 90, 100]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["arrive", "heard", "asked", "whole", "believe", "over", "leave", "tick"]),
        st.integers(0, 5),
        st.integers(0, 2),
        st.floats(0, 60),
    ),
    max_size=80,
)


@given(STEPS)
def test_whatever_happens_nothing_is_kept_of_who_is_gone(steps):
    hall, now = Watched(most=4, most_strangers=3), 0.0
    for step, number, part, gap in steps:
        now += gap
        name, exchange, peer = f"c{number}", f"e{number}-{part}", hall.peers.get(f"c{number}")
        if step == "arrive" and peer is None:
            hall.arrive(name, f"10.0.0.{number % 2}", now)
        elif step == "heard" and peer is not None:
            hall.heard(peer, 100 * part, now)
        elif step == "asked":
            hall.asked(name, exchange, now, streams=number % 2 == 0)
        elif step == "whole":
            hall.whole(name, exchange, 100)
        elif step in {"believe", "leave"}:
            getattr(hall, step)(name)
        elif step == "over":
            hall.over(name, exchange, now)
        else:
            hall.tick(now, 100)
        peers = hall.peers.values()
        assert len(peers) <= 4
        assert hall.held == sum(each.held for each in peers) >= 0
        assert all(each.held == 0 for each in peers if not each.bodies)
        assert hall.strangers == sum(not each.believed for each in peers)
    for second in range(0, 4000, 10):
        for name, peer in list(hall.peers.items()):
            for exchange in list(peer.under_way):
                hall.over(name, exchange, now)
        hall.tick(now + second, 100)
    assert (hall.peers, hall.held, hall.strangers) == ({}, 0, 0)
    assert (dict(hall._idle), hall._bodies, hall._by_address) == ({}, {}, {})
