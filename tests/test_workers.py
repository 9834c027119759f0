"""Work spread over processes comes back in order, and faults with it."""

import os
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import pytest

from phigate.workers import AHEAD, in_order


def doubling(add=0):
    return partial(doubled, add=add)


def doubled(number, add):
    return 2 * number + add


def telling_who():
    return lambda _: os.getpid()


def failing():
    return check


def check(number):
    if number == 3:
        raise ValueError("three")
    return number


def ending():
    return os._exit


@pytest.mark.parametrize("workers", [1, 2])
def test_results_keep_their_order(workers):
    assert list(in_order(range(20), partial(doubling, 1), workers)) == [2 * n + 1 for n in range(20)]


def test_one_worker_is_this_process_and_several_are_not():
    assert set(in_order(range(3), telling_who)) == {os.getpid()}
    assert os.getpid() not in set(in_order(range(3), telling_who, 2))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fault_comes_in_its_place(workers):
    results = in_order(range(9), failing, workers)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


def test_no_more_is_read_than_is_under_way():
    numbers = iter(range(1000))
    results = in_order(numbers, doubling, 2)
    next(results)
    assert next(numbers) <= 2 * AHEAD
    results.close()


def test_a_worker_that_ends_is_told():
    with pytest.raises(BrokenProcessPool):
        list(in_order([1], ending, 2))


def test_two_kinds_of_work_do_not_meet():
    one, two = in_order([1], partial(doubling, 0)), in_order([1], partial(doubling, 5))
    assert (list(one), list(two)) == ([2], [7])
