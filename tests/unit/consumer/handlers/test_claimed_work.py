import itertools
import threading

import pytest

from app import errors
from app.amqp.message import Disposition
from app.backoff import RetryUntilAvailable
from app.consumer.handlers.claimed_work import ClaimedWork
from app.jobs.attempt import Claimed, JobAttempts
from app.jobs.lease import LeaseKeeper
from app.jobs.outcomes import PartsMade
from app.jobs.parts import NewPart, part_id, parts_of
from app.protocol.types import JobKind, JobStatus
from tests.support.fakes import FaultyJobs, delivery

MADE = PartsMade([NewPart("key", 5)])


@pytest.fixture
def jobs(tmp_path):
    opened = FaultyJobs(tmp_path / "warren.db")
    opened.create("b", JobKind.BATCH, "d", {"model_id": "m"}, folder="batches/b/")
    yield opened
    opened.close()


class Bench:
    """A thread's jobs of one kind, on a real table."""

    def __init__(self, jobs, kind=JobKind.BATCH):
        self.stopping = threading.Event()
        self.leases = LeaseKeeper(jobs, renew_seconds=0.01)
        retry = RetryUntilAvailable(self.stopping, lambda: itertools.repeat(0.0))
        attempts = JobAttempts(jobs, "host:batch", retry, retry_delay=lambda _: 0.0)
        self.claimed = ClaimedWork(kind, attempts, self.leases, retry)

    def run(self, work, message_id="b", **more):
        message = delivery({}, message_id=message_id)
        return message, self.claimed.run(message, work, **more)


def test_the_result_of_the_work_is_written(jobs):
    message, done = Bench(jobs).run(lambda claimed, beat: MADE)

    assert message.disposition is Disposition.ACK
    assert isinstance(done[0], Claimed)
    assert done[1] is MADE
    assert [each.id for each in parts_of(jobs.engine, "b")] == [part_id("b", 0)]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (errors.BadData("columns", "there is none"), JobStatus.ERROR),
        (errors.StorageUnavailable("away"), JobStatus.QUEUED),
        (errors.ModelLost("it died"), JobStatus.QUEUED),
        (ZeroDivisionError(), JobStatus.ERROR),
    ],
)
def test_an_error_ends_the_job_or_its_attempt(jobs, error, state):
    def work(claimed, beat):
        raise error

    message, done = Bench(jobs).run(work)

    assert done is None
    assert message.disposition is Disposition.ACK
    assert jobs.get("b").state is state


def test_a_consumer_that_stops_releases_its_job(jobs):
    bench = Bench(jobs)

    def work(claimed, beat):
        bench.stopping.set()
        beat()

    message, _ = bench.run(work)

    assert message.disposition is Disposition.REQUEUE
    assert (jobs.get("b").state, jobs.get("b").failures) == (JobStatus.QUEUED, 0)


def test_work_that_was_cancelled_is_told_so_and_writes_nothing(jobs):
    bench, lost = Bench(jobs), threading.Event()
    bench.leases.start()

    def work(claimed, beat):
        assert jobs.cancel("b")
        assert lost.wait(30)
        with pytest.raises(errors.Fenced):
            beat()
        raise errors.ModelLost("its process was ended")

    message, done = bench.run(work, on_lost=lost.set)
    bench.leases.stop()

    assert done is None
    assert message.disposition is Disposition.ACK
    assert (jobs.get("b").state, jobs.get("b").error) == (JobStatus.CANCELLED, None)


def test_a_message_of_no_job_is_dropped(jobs):
    message, done = Bench(jobs).run(lambda claimed, beat: MADE, message_id="gone.part-0")

    assert (message.disposition, done) == (Disposition.ACK, None)


@pytest.mark.parametrize("message_id", [None, "b"])
def test_a_message_that_names_no_job_of_the_kind_is_a_dead_letter(jobs, message_id):
    message, done = Bench(jobs, JobKind.PART).run(lambda claimed, beat: MADE, message_id)

    assert (message.disposition, done) == (Disposition.REJECT, None)
    assert jobs.get("b").state is JobStatus.QUEUED
