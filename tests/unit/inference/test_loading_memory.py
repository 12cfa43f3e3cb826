import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app import errors
from app.inference.loading_memory import LARGE, LoadingMemory


def test_loads_take_turns_where_memory_is_short():
    memory = LoadingMemory(10, wait_seconds=60)
    entered = threading.Event()

    def load():
        with memory.reserved(6):
            entered.set()

    with ThreadPoolExecutor(1) as pool:
        with memory.reserved(6):
            waiting = pool.submit(load)
            with memory.reserved(4):
                assert not entered.is_set()
        waiting.result(20)


def test_who_finds_no_memory_is_told_so():
    memory = LoadingMemory(10, wait_seconds=0.0)

    with (
        memory.reserved(6),
        pytest.raises(errors.Overloaded, match="too many models are being loaded"),
        memory.reserved(5),
    ):
        pass
    with memory.reserved(10):
        pass


def test_a_large_load_waits_for_others_of_its_kind_alone():
    memory = LoadingMemory(LARGE, wait_seconds=0.0)

    with (
        memory.reserved(LARGE + 1),
        memory.reserved(LARGE),
        pytest.raises(errors.Overloaded),
        memory.reserved(LARGE + 1),
    ):
        pass
    with memory.reserved(LARGE + 1):
        pass


def test_memory_is_given_back_after_an_error():
    memory = LoadingMemory(10, wait_seconds=0.0)

    for size in (10, 11):
        with pytest.raises(KeyError), memory.reserved(size):
            raise KeyError
        with memory.reserved(size):
            pass
