"""Streams of events that share what they read of the job table."""

import asyncio
import threading
from collections import Counter
from typing import Any

import pytest

from app import errors
from app.producer.jobs.job_watch import JobWatch, Shown

SECONDS = 0.01


class Jobs:
    """A table of versions that counts its queries; they raise `broken` as long as it is set."""

    def __init__(self, **versions: int) -> None:
        self.found = versions
        self.asked: list[set[str]] = []
        self.shown: Counter[str] = Counter()
        self.broken: Exception | None = None
        self._queried = threading.Semaphore(0)
        self.showing, self.go = threading.Event(), threading.Event()
        self.go.set()

    def versions(self, job_ids: list[str]) -> dict[str, int]:
        self.asked.append(set(job_ids))
        self._queried.release()
        if self.broken:
            raise self.broken
        return {job: version for job, version in self.found.items() if job in job_ids}

    async def queries(self, count: int) -> None:
        """Wait for so many more queries."""
        for _ in range(count):
            await asyncio.to_thread(self._queried.acquire)

    def show(self, job_id: str, _: str) -> Shown:
        self.shown[job_id] += 1
        self.showing.set()
        assert self.go.wait(10)
        if job_id not in self.found:
            raise errors.NotFound("job_id", f"there is no job {job_id}")
        return Shown(job_id, "{}", self.found[job_id], ended=False)


def watch(jobs: Any) -> JobWatch:
    return JobWatch(jobs, jobs.show, SECONDS)


def never() -> bool:
    return False


def test_many_streams_cost_one_query_and_only_those_of_changed_jobs_go_on() -> None:
    jobs = Jobs(a=1, b=1)

    async def follow() -> None:
        watching = watch(jobs)
        same = [asyncio.create_task(watching.changed("a", 1, never)) for _ in range(100)]
        other = asyncio.create_task(watching.changed("b", 1, never))
        await jobs.queries(3)
        assert all(asked == {"a", "b"} for asked in jobs.asked)
        assert not any(each.done() for each in (*same, other))
        jobs.found["a"] = 2
        await asyncio.gather(*same)
        assert not other.done()
        await jobs.queries(len(jobs.asked) - 2)  # those before, and one more
        assert jobs.asked[-1] == {"b"}
        other.cancel()

    asyncio.run(follow())


@pytest.mark.parametrize("end", ["gone", "closing"])
def test_a_stream_stops_to_wait_for_a_job_that_is_gone_and_when_it_closes(end: str) -> None:
    jobs = Jobs(a=1)

    async def follow() -> None:
        closing = asyncio.Event()
        waiting = asyncio.create_task(watch(jobs).changed("a", 1, closing.is_set))
        await jobs.queries(1)
        assert not waiting.done()
        if end == "gone":
            jobs.found.clear()
        else:
            closing.set()
        await waiting

    asyncio.run(follow())


def test_streams_wait_on_while_the_database_is_unavailable_and_nobody_asks_without_them() -> None:
    jobs = Jobs(a=2)
    jobs.broken = errors.Unavailable("away")

    async def follow() -> None:
        watching = watch(jobs)
        waiting = asyncio.create_task(watching.changed("a", 1, never))
        await jobs.queries(3)
        assert not waiting.done()
        jobs.broken = None
        await waiting
        count = len(jobs.asked)
        await asyncio.sleep(0)
        assert len(jobs.asked) == count
        assert {each.get_name() for each in asyncio.all_tasks()} & {"job watch"} == set()

    asyncio.run(follow())


def test_streams_end_if_the_watch_fails() -> None:
    jobs = Jobs(a=1)
    jobs.broken = ZeroDivisionError()

    async def follow() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        with pytest.raises(errors.WarrenError):
            await watch(jobs).changed("a", 1, never)

    asyncio.run(follow())


def test_streams_that_read_a_job_at_the_same_time_share_it() -> None:
    jobs = Jobs(a=1)
    jobs.go.clear()

    async def follow() -> None:
        watching = watch(jobs)
        reading = [asyncio.create_task(watching.show("a", "default")) for _ in range(10)]
        await asyncio.to_thread(jobs.showing.wait)
        reading[0].cancel()  # a client that goes does not take the others along
        await asyncio.sleep(0)
        jobs.go.set()
        assert [(await each).version for each in reading[1:]] == [1] * 9
        assert jobs.shown == {"a": 1}
        jobs.found["a"] = 2
        assert (await watching.show("a", "default")).version == 2
        with pytest.raises(errors.NotFound):
            await watching.show("b", "default")

    asyncio.run(follow())
