"""Large bodies take room until their exchange is over; small ones always find some."""

from phigate.host.room import SMALL, Room

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
