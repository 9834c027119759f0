"""Large bodies take room until their exchange is over; small ones always find some."""

from phigate.host.connections.room import SMALL, Room

LARGE = SMALL + 1


def test_there_is_room_for_so_much_and_no_more_until_somebody_leaves():
    room = Room(3 * LARGE)
    assert [room.take(f"ex-{each}", LARGE) for each in range(4)] == [True, True, True, False]
    room.leave("ex-0")
    room.leave("ex-0")
    room.leave("ex-3")
    assert room.take("ex-4", LARGE)
    assert room.held == 3 * LARGE


def test_what_an_exchange_holds_twice_leaves_with_it():
    room = Room(3 * LARGE)
    assert room.take("ex-1", LARGE)
    assert room.take("ex-1", LARGE)
    room.leave("ex-1")
    assert room.held == 0


def test_for_small_ones_there_is_always_room():
    room = Room(0)
    assert room.take("ex-1", SMALL)
    room.leave("ex-1")
    assert room.held == 0


def test_one_person_gets_half_of_it_and_the_rest_is_for_others():
    room = Room(4 * LARGE)
    for each in range(3):
        assert room.take(f"ex-{each}", LARGE)
    assert [room.belongs(f"ex-{each}", "ada") for each in range(3)] == [True, True, False]
    assert room.belongs("ex-0", "ada")
    room.leave("ex-2")
    assert room.take("ex-3", LARGE)
    assert room.belongs("ex-3", "ben")
    assert not room.take("ex-0", LARGE)  # an answer counts as well
    room.leave("ex-1")
    assert room.take("ex-0", LARGE)


def test_nothing_is_kept_of_who_has_left():
    room = Room(4 * LARGE)
    assert room.belongs("ex-0", "ada")
    assert room.take("ex-0", LARGE)
    room.leave("ex-0")
    assert room.belongs("ex-1", "ada")
    room.leave("ex-1")
    assert (room.held, dict(room._shares), room._owners) == (0, {}, {})
