import asyncio
from functools import partial

import pytest

from app.producer.server.turns import Turns


class Clock:
    """The time of a loop, which stands still within an iteration."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_caller_takes_one_turn_in_an_iteration_and_others_have_theirs(clock: Clock) -> None:
    turns = Turns(clock, turn=2)
    assert [turns.take("a", 1) for _ in range(3)] == [True, True, False]
    assert turns.take("b", 1)
    clock.now += 1
    assert turns.take("a", 1)


def test_the_last_thing_of_a_turn_may_be_larger_than_what_is_left(clock: Clock) -> None:
    turns = Turns(clock, turn=2)
    assert [turns.take("a", each) for each in (1, 100, 1)] == [True, True, False]


def test_what_waits_begins_in_later_iterations_in_the_order_of_each_caller(clock: Clock) -> None:
    begun: list[str] = []

    async def wait() -> None:
        turns = Turns(clock, turn=2)
        for name in ("a1", "a2", "a3", "b1"):
            turns.wait(name[0], 1, partial(begun.append, name))
        assert not turns.take("a", 1)  # or it would overtake those that wait
        assert turns.take("c", 1)
        seen = []
        for _ in range(4):
            await asyncio.sleep(0)
            seen.append(list(begun))
        assert seen == [[], ["a1", "a2", "b1"], ["a1", "a2", "b1", "a3"], seen[2]]
        assert turns.take("a", 1)

    asyncio.run(wait())


def test_what_begins_may_wait_once_more(clock: Clock) -> None:
    begun: list[int] = []

    async def wait() -> None:
        turns = Turns(clock, turn=10)

        def begin(left: int) -> None:
            begun.append(left)
            if left:
                turns.wait("a", 1, partial(begin, left - 1))

        turns.wait("a", 1, partial(begin, 2))
        for iteration in range(1, 5):
            await asyncio.sleep(0)
            assert len(begun) == min(iteration - 1, 3)

    asyncio.run(wait())


def test_heavy_things_take_more_of_a_turn(clock: Clock) -> None:
    begun: list[int] = []

    async def wait() -> None:
        turns = Turns(clock, turn=8)
        for number in range(3):
            turns.wait("a", 4, partial(begun.append, number))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert begun == [0, 1]

    asyncio.run(wait())
