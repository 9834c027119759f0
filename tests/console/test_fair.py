"""Between addresses: how many places each has, and whose turn it is."""

from functools import partial

import pytest

from phigate.console.fair import ALL, EACH, LONGEST, REST, Places, Turns, group_of

GROUPS = [
    ("an IPv4 address is one", "192.0.2.7", "192.0.2.7"),
    ("an IPv6 address is its network", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
    ("the zone of an address is the machine's own", "fe80::1%eth0", "fe80::"),
    ("an IPv4 address stays one where it is written as the other kind", "::ffff:192.0.2.7", "192.0.2.7"),
    ("what is no address is itself", "", ""),
]


@pytest.mark.parametrize(("sentence", "address", "group"), GROUPS, ids=[case[0] for case in GROUPS])
def test_who_counts_as_one(sentence, address, group):
    assert group_of(address) == group


def filled(*addresses):
    """Places with EACH taken by each address; whoever has one is called by address and number."""
    places = Places()
    for address in addresses:
        for number in range(EACH):
            assert places.enter(address, f"{address} {number}") is None
    return places


def test_an_address_has_its_part_and_another_still_enters():
    places = filled("a")
    assert places.enter("a", "late") == "late"
    assert places.enter("b", "other") is None
    places.leave("a", "a 3")
    assert places.enter("a", "late") is None


def test_where_all_are_taken_whoever_has_the_most_makes_room():
    places = filled(*"abcd")
    assert len(places) == ALL
    assert places.enter("e", "probe") == f"a {EACH - 1}"
    assert places.enter("e", "again") == f"b {EACH - 1}"
    assert len(places) == ALL


def test_nobody_makes_room_for_whoever_has_as_many():
    places = filled(*"abcd")
    places.leave("d", "d 0")
    places.enter("e", "one")
    assert places.enter("d", "late") == "late"


def test_leaving_twice_takes_nobody_elses_place():
    places = filled("a")
    for _ in range(2):
        places.leave("a", "a 0")
    places.leave("b", "nobody")
    assert len(places) == EACH - 1


@pytest.mark.parametrize("others", ["", "bcd"])
def test_at_one_address_whoever_keeps_the_console_waiting_longest_makes_room(others):
    waiting = {"a 3": 2.0, "a 7": 5.0, "a 9": 5.0, "b 1": 60.0}
    places = Places(waiting.get)
    for address in ("a", *others):
        for number in range(EACH):
            places.enter(address, f"{address} {number}")
    assert [places.enter("a", f"late {number}") for number in range(4)] == ["a 9", "a 7", "a 3", "late 3"]
    assert len(places) == EACH * (1 + len(others))


def test_at_the_address_that_has_most_it_is_who_keeps_the_console_waiting():
    waiting = {"a 3": 2.0, "b 1": 60.0}
    places = Places(waiting.get)
    for address in "abcd":
        for number in range(EACH):
            places.enter(address, f"{address} {number}")
    assert [places.enter("e", "probe"), places.enter("e", "again")] == ["a 3", "b 1"]


class Clock:
    now = 50.0

    def __call__(self):
        return self.now


def taken(turns):
    """All that may go now, by what they leave."""
    left = []
    while go := turns.next():
        left.append(go())
    return left


def test_addresses_take_turns_whatever_one_of_them_has_waiting():
    turns = Turns(Clock())
    for number in range(4):
        turns.ask("a", partial(str, f"a{number}"))
    turns.ask("b", lambda: "b0")
    turns.ask("c", lambda: "c0")
    turns.ask("b", lambda: "b1")
    assert taken(turns) == ["a0", "b0", "c0", "a1", "b1", "a2", "a3"]
    assert not turns


def test_after_work_there_is_rest():
    clock = Clock()
    turns = Turns(clock)
    turns.ask("a", lambda: "a0")
    turns.charge(0.01)
    turns.charge(0.01)
    assert turns.rest() == pytest.approx(0.02 * REST)
    assert taken(turns) == []
    clock.now += 0.02 * REST + 0.001
    assert taken(turns) == ["a0"]


def test_rest_is_not_saved_up_and_never_long():
    clock = Clock()
    turns = Turns(clock)
    clock.now += 1000.0
    turns.charge(0.01)
    assert turns.rest() == pytest.approx(0.01 * REST)
    turns.charge(60.0)
    assert turns.rest() == pytest.approx(LONGEST)
