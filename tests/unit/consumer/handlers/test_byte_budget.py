import asyncio

import pytest

from app.consumer.handlers.byte_budget import ByteBudget


def in_order(*sizes, most=100):
    """Have tasks take bytes; return the budget, the tasks, and a way to let all of them act."""
    budget = ByteBudget(most)
    tasks = [asyncio.ensure_future(budget.take(size)) for size in sizes]
    return budget, tasks


async def acted():
    for _ in range(5):
        await asyncio.sleep(0)


def done(tasks):
    return [task.done() for task in tasks]


def run(test):
    asyncio.run(asyncio.wait_for(test(), 20))


def test_those_that_want_too_much_wait_in_their_order():
    async def test():
        budget, tasks = in_order(60, 50, 10)
        await acted()
        assert done(tasks) == [True, False, False]
        assert not budget.take_now(10)  # others came before

        budget.give(60)
        await acted()

        assert done(tasks) == [True, True, True]
        assert budget.held == 60
        assert budget.take_now(40)

    run(test)


def test_one_that_is_larger_than_the_budget_waits_until_it_is_alone():
    async def test():
        budget, tasks = in_order(10, 1000, 1)
        await acted()
        assert done(tasks) == [True, False, False]
        budget.give(10)
        await acted()
        assert done(tasks) == [True, True, False]
        budget.give(1000)
        await acted()
        assert done(tasks) == [True, True, True]

    run(test)


@pytest.mark.parametrize("granted", [False, True])
def test_a_task_that_is_cancelled_holds_nothing(granted):
    async def test():
        budget, tasks = in_order(60, 50, 40)
        await acted()
        if granted:
            budget.give(60)
        tasks[1].cancel()
        await acted()
        assert tasks[1].cancelled()
        assert tasks[2].done()
        assert budget.held == (40 if granted else 100)

    run(test)
