import gc
import logging
import threading

import pytest

from phigate.journal.hand import Hand


@pytest.fixture
def hand():
    return Hand("hand-of-a-test")


def thread(name):
    (found,) = [each for each in threading.enumerate() if each.name == name]
    return found


def test_its_thread_is_there_before_there_is_work():
    hand = Hand("hand-without-work")
    assert thread("hand-without-work").is_alive()
    assert not hand.busy


def test_it_does_one_thing_at_a_time(hand):
    done, go_on = [], threading.Event()
    assert hand.give(lambda: done.append(go_on.wait(10)))
    assert hand.busy
    assert not hand.give(lambda: done.append("in between"))
    assert not hand.join(0.01)
    go_on.set()
    assert hand.join(10)
    assert hand.give(lambda: done.append("after it"))
    assert hand.join(10)
    assert done == [True, "after it"]


def test_what_fails_is_told_by_its_type_and_is_not_the_last(hand, caplog):
    caplog.set_level(logging.ERROR)
    assert hand.give(lambda: int("of a patient"))
    assert hand.join(10)
    assert caplog.messages == ["the journal's work beside traffic failed (ValueError)"]
    done = threading.Event()
    assert hand.give(done.set)
    assert done.wait(10)


def test_it_ends_with_whoever_held_it():
    hand = Hand("hand-of-nobody")
    assert hand.give(lambda: None)
    assert hand.join(10)
    its = thread("hand-of-nobody")
    del hand
    gc.collect()
    its.join(10)
    assert not its.is_alive()


def test_work_for_which_there_is_no_memory_leaves_it_idle(hand, monkeypatch):
    class Full:
        def put(self, _work):
            raise MemoryError

    monkeypatch.setattr(hand, "_queue", Full())
    with pytest.raises(MemoryError):
        hand.give(lambda: None)
    assert not hand.busy
