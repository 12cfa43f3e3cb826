import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app import errors
from app.concurrency import (
    LARGE_BYTES,
    ConcurrencyLimiter,
    offload_if_large,
    run_in_pool,
    run_in_thread,
)

pytestmark = pytest.mark.anyio

current = contextvars.ContextVar("current", default="nobody")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


def thread_and_context() -> tuple[int, str]:
    return threading.get_ident(), current.get()


async def test_a_call_runs_in_a_thread_with_the_callers_context() -> None:
    current.set("job")
    here = threading.get_ident()
    with ThreadPoolExecutor(1) as pool:
        calls = [run_in_thread(thread_and_context), run_in_pool(pool, thread_and_context)]
        for thread, context in await asyncio.gather(*calls):
            assert thread != here
            assert context == "job"


async def test_arguments_and_errors_pass_through() -> None:
    assert await run_in_thread(int, "11", base=2) == 3
    with pytest.raises(ValueError, match="invalid literal"):
        await run_in_thread(int, "x")
    with pytest.raises(ZeroDivisionError):
        await run_in_pool(None, lambda: 1 / 0)


@pytest.mark.parametrize(("size", "elsewhere"), [(LARGE_BYTES, False), (LARGE_BYTES + 1, True)])
async def test_only_large_work_leaves_the_event_loop(size: int, elsewhere: bool) -> None:
    thread = await offload_if_large(size, threading.get_ident)

    assert (thread != threading.get_ident()) is elsewhere


class Callers:
    """Callers of a limiter with two slots; `running` holds the names of those that have one."""

    def __init__(self) -> None:
        self.limiter = ConcurrencyLimiter(2)
        self.running: list[str] = []
        self.leave: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str, background: bool = False) -> None:
        for name in names:
            self.leave[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._hold(name, background=background))
        await asyncio.sleep(0)

    async def _hold(self, name: str, *, background: bool) -> None:
        async with self.limiter.slot(background=background):
            self.running.append(name)
            await self.leave[name].wait()
            self.running.remove(name)

    async def go(self, name: str) -> None:
        self.leave[name].set()
        await self.tasks[name]
        await asyncio.sleep(0)


@pytest.fixture
async def callers(anyio_backend: object) -> AsyncIterator[Callers]:
    callers = Callers()
    yield callers
    for task in callers.tasks.values():
        task.cancel()
    await asyncio.gather(*callers.tasks.values(), return_exceptions=True)


async def test_so_many_hold_a_slot_as_many_wait_and_one_more_is_refused(callers: Callers) -> None:
    await callers.come("a", "b", "c", "d")

    with pytest.raises(errors.Overloaded, match="ask again"):
        async with callers.limiter.slot():
            pytest.fail("a fifth caller has a slot")
    assert callers.running == ["a", "b"]


async def test_who_waits_is_served_in_order_and_patient_callers_last(callers: Callers) -> None:
    await callers.come("a", "b")
    await callers.come("p", "q", "r", background=True)
    await callers.come("c", "d")

    for gone, running in (("a", "bc"), ("b", "cd"), ("c", "dp"), ("d", "pq"), ("p", "qr")):
        await callers.go(gone)
        assert callers.running == list(running)


@pytest.mark.parametrize("background", [False, True])
async def test_a_caller_that_gives_up_waiting_leaves_its_place(
    callers: Callers, background: bool
) -> None:
    await callers.come("a", "b")
    await callers.come("c", "d", background=background)
    callers.tasks["c"].cancel()
    await asyncio.wait([callers.tasks["c"]])

    await callers.go("a")

    assert callers.running == ["b", "d"]


async def test_a_slot_that_comes_too_late_is_passed_on(callers: Callers) -> None:
    async with callers.limiter.slot():
        await callers.come("b", "c", "d")
    # c has the slot by now, and has not run yet.
    callers.tasks["c"].cancel()
    await asyncio.wait([callers.tasks["c"]])
    await asyncio.sleep(0)

    assert callers.running == ["b", "d"]


async def test_a_slot_is_free_again_after_an_error(callers: Callers) -> None:
    for _ in range(5):
        with pytest.raises(KeyError):
            async with callers.limiter.slot():
                raise KeyError

    await callers.come("a", "b")
    assert callers.running == ["a", "b"]


async def test_closing_tells_all_who_wait_or_come_and_leaves_the_others(callers: Callers) -> None:
    await callers.come("a", "b", "c")
    await callers.come("p", background=True)

    callers.limiter.close()
    await callers.come("later")

    for name in ("c", "p", "later"):
        with pytest.raises(errors.ShuttingDown):
            await callers.tasks[name]
    assert callers.running == ["a", "b"]
    await callers.go("a")
    await callers.go("b")
