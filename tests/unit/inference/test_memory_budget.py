import gc
from concurrent.futures import ThreadPoolExecutor

import pytest

from app import errors
from app.inference.memory_budget import PROCESSES, MemoryBudget, default_total
from tests.support.waiting import until

MB = 1_000_000


def budget(wait_seconds=60.0, **sizes):
    return MemoryBudget(**sizes, wait_seconds=wait_seconds)


@pytest.mark.parametrize("total", [1000 * MB, 4000 * MB, 100_000 * MB])
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_all_that_may_run_at_a_time_fits_into_the_total(total, threads):
    found = MemoryBudget(total, threads=threads)

    together = PROCESSES * found.small + 2 * threads * found.piece + found.most
    assert together <= total
    assert found.most >= total // 4


def test_the_default_is_a_share_of_the_machine_but_enough_to_run_models():
    assert default_total(24_000 * MB) == 6000 * MB
    assert default_total(2000 * MB) == 1000 * MB


def test_who_finds_no_memory_waits_for_that_of_others():
    memory = budget()

    with ThreadPoolExecutor(1) as pool:
        with memory.reserved(memory.most // 2):
            waiting = pool.submit(memory.take, memory.most // 2 + 1)
            until(lambda: memory.waiting, "it waits")
            assert not waiting.done()
        waiting.result(20)


def test_who_finds_no_memory_in_time_is_told_so():
    memory = budget(0.0)

    with (
        memory.reserved(memory.most),
        pytest.raises(errors.Overloaded, match="too many models need memory"),
    ):
        memory.take(1)
    assert memory.taken == 0


def test_a_caller_may_wait_for_less_or_for_longer():
    memory = budget()
    with memory.reserved(memory.most), pytest.raises(errors.Overloaded):
        memory.take(1, seconds=0.0)

    memory = budget(0.0)
    with ThreadPoolExecutor(1) as pool:
        memory.take(memory.most)
        waiting = pool.submit(memory.take, 1, seconds=60.0)
        until(lambda: memory.waiting, "it waits")
        memory.give(memory.most)
        assert waiting.result(20) == 1


def test_a_run_that_needs_more_than_there_is_gets_all_and_runs_alone():
    memory = budget(0.0)

    with memory.reserved(memory.most * 10) as taken:
        assert taken == memory.most
        with pytest.raises(errors.Overloaded):
            memory.take(1)


def test_memory_is_given_back_after_an_error():
    memory = budget(0.0)

    for size in (1, memory.most):
        with pytest.raises(KeyError), memory.reserved(size):
            raise KeyError
    assert memory.taken == 0


def test_a_large_run_is_not_passed_by_small_ones_for_ever():
    memory = budget()
    order = []

    def run(size, name):
        with memory.reserved(size):
            order.append(name)

    with ThreadPoolExecutor(2) as pool:
        memory.take(1)
        large = pool.submit(run, memory.most, "large")
        until(lambda: len(memory.waiting) == 1, "the large one waits")
        small = pool.submit(run, 1, "small")
        until(lambda: len(memory.waiting) == 2, "the small one waits behind it")
        memory.give(1)
        large.result(20)
        small.result(20)

    assert order == ["large", "small"]


def test_slow_runs_leave_half_to_others():
    memory = budget(0.0)
    third = memory.most // 3

    with memory.reserved(third, slow=True):
        with pytest.raises(errors.Overloaded):
            memory.take(third, slow=True)
        with memory.reserved(third), memory.reserved(third):
            pass
    with memory.reserved(memory.most, slow=True):  # alone
        pass


def test_who_waits_for_slow_runs_delays_no_other():
    memory = budget()
    third = memory.most // 3

    with ThreadPoolExecutor(1) as pool:
        memory.take(third, slow=True)
        slow = pool.submit(memory.take, third, slow=True)
        until(lambda: len(memory.waiting) == 1, "the slow one waits")
        assert memory.take(third) == third
        assert not slow.done()
        memory.give(third, slow=True)
        assert slow.result(20) == third


def test_loaded_models_may_take_the_memory_of_the_cache_beside_the_other():
    class Model:
        pass

    memory = MemoryBudget(cache=100, wait_seconds=0.0)
    kept, more = Model(), Model()
    memory.hold(kept, 100)
    with memory.reserved(memory.most):
        pass
    memory.hold(more, 1)
    with pytest.raises(errors.Overloaded):
        memory.take(memory.most)

    del more
    gc.collect()

    assert memory.take(memory.most) == memory.most


def test_what_is_known_of_a_model_outlives_its_process():
    memory = MemoryBudget()
    account = memory.account("m")
    account.large_from = 10

    assert memory.account("m") is account
    assert memory.account("other").large_from > 10
    assert memory.account("m", spares=False).large_from == 0
