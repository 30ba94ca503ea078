"""Threads share the work, and its results come in order."""

import threading
import time

import pytest

from litegate.core.parallel import cores, in_order


def double(number):
    return 2 * number


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
def test_results_come_in_the_order_of_the_items(workers, count):
    found = in_order([double] * workers, range(count))
    assert list(found) == [2 * number for number in range(count)]


def test_a_slow_item_keeps_its_place():
    def slow_first(number):
        time.sleep(0.2 if number == 0 else 0)
        return number

    assert list(in_order([slow_first] * 3, range(10))) == list(range(10))


def test_workers_work_at_the_same_time():
    both = threading.Barrier(2, timeout=20)
    assert len(list(in_order([lambda _: both.wait()] * 2, range(4)))) == 4


def test_no_worker_has_two_items_at_once():
    def worker():
        busy = threading.Lock()

        def work(number):
            assert busy.acquire(blocking=False)
            time.sleep(0.001)
            busy.release()
            return number

        return work

    assert list(in_order([worker(), worker(), worker()], range(60))) == list(range(60))


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_items_are_taken_than_there_are_workers(workers):
    taken = []

    def items():
        for number in range(20):
            taken.append(number)
            yield number

    ahead = [len(taken) - number for number in in_order([lambda x: x] * workers, items())]
    assert max(ahead) <= workers + 1


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_comes_in_the_turn_of_its_item(workers):
    def fail_at_five(number):
        if number >= 5:
            raise ValueError(f"item {number}")
        return number

    found = in_order([fail_at_five] * workers, range(20))
    assert [next(found) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="item 5"):
        next(found)


def test_no_thread_is_left_when_nobody_asks_for_more():
    found = in_order([double] * 3, range(10))
    next(found)
    found.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("litegate")]


def test_there_is_at_least_one_core():
    assert cores() >= 1
