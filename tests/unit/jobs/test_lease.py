import threading

import pytest

from app import errors
from app.database.engine import database_now
from app.jobs.lease import LeaseKeeper
from app.protocol.types import JobKind, JobStatus
from tests.support.fakes import FaultyJobs
from tests.support.waiting import until

SECONDS = 20


class SlowJobs(FaultyJobs):
    """A table whose renewals a test sees, and may hold up."""

    def __init__(self, path):
        super().__init__(path)
        self.renewals = []
        self.asked = threading.Event()
        self.answer = threading.Event()
        self.answer.set()

    def renew(self, held):
        self.renewals.append(dict(held))
        self.asked.set()
        assert self.answer.wait(SECONDS)
        return super().renew(held)


@pytest.fixture
def jobs(tmp_path):
    """A table with a job that runs."""
    made = SlowJobs(tmp_path / "jobs.db")
    made.create("m", JobKind.TRAIN, "data", {})
    made.claim("m", "worker 1")
    yield made
    made.close()


@pytest.fixture
def keeper(jobs):
    """A keeper that renews as often as a test can wait for."""
    made = LeaseKeeper(jobs, renew_seconds=0.005)
    made.start()
    yield made
    jobs.answer.set()
    made.stop()
    made.join(SECONDS)
    assert not made.is_alive()


def renewed(jobs, job_id="m"):
    """Wait for the next renewal."""
    before = jobs.get(job_id).lease_until
    until(lambda: jobs.get(job_id).lease_until > before, "the lease is renewed")


def fenced(lease):
    """Wait until it is noticed that the lease is lost."""

    def raises():
        try:
            lease.raise_if_lost()
        except errors.Fenced:
            return True
        return False

    until(raises, "the loss is noticed")


def test_a_lease_is_renewed_again_and_again(jobs, keeper):
    with keeper.hold("m", 1) as lease:
        renewed(jobs)
        renewed(jobs)
        lease.raise_if_lost()

    assert jobs.get("m").state is JobStatus.RUNNING
    assert keeper.healthy


def test_many_leases_are_renewed_in_one_statement(jobs, keeper):
    jobs.create("n", JobKind.TRAIN, "data", {})
    jobs.claim("n", "worker 1")

    with keeper.hold("m", 1), keeper.hold("n", 1):
        renewed(jobs)
        renewed(jobs, "n")
        until(lambda: set(jobs.renewals[-1]) == {("m", 1), ("n", 1)}, "both are renewed together")


@pytest.mark.parametrize("error", [None, KeyError])
def test_a_lease_is_not_renewed_after_its_block(jobs, keeper, error):
    jobs.create("n", JobKind.TRAIN, "data", {})
    jobs.claim("n", "worker 1")

    def leave():
        with keeper.hold("m", 1):
            renewed(jobs)
            if error:
                raise error

    with keeper.hold("n", 1):
        if error:
            with pytest.raises(error):
                leave()
        else:
            leave()
        renewed(jobs, "n")  # one may have been under way
        seen = len(jobs.renewals)
        until(lambda: len(jobs.renewals) > seen, "the next renewal")
        assert set(jobs.renewals[-1]) == {("n", 1)}


def test_leaving_does_not_wait_for_a_database_that_hangs(jobs, keeper):
    jobs.answer.clear()
    with keeper.hold("m", 1):
        assert jobs.asked.wait(SECONDS)
    assert keeper.is_alive()


def test_progress_is_written_once(jobs, keeper):
    version = jobs.get("m").version
    with keeper.hold("m", 1) as lease:
        lease.report(0.25)
        until(lambda: jobs.get("m").progress == 0.25, "the progress is written")
        renewed(jobs)
        renewed(jobs)
        assert jobs.get("m").version == version + 1

        lease.report(0.0)
        until(lambda: jobs.get("m").progress == 0.0, "the progress is written")
        assert jobs.get("m").version == version + 2


def test_progress_outlasts_an_unavailable_database(jobs, keeper):
    jobs.before["renew"] = [errors.DatabaseUnavailable() for _ in range(3)]

    with keeper.hold("m", 1) as lease:
        lease.report(0.5)
        until(lambda: jobs.get("m").progress == 0.5, "the progress is written")

    assert jobs.before["renew"] == []


def test_newer_progress_is_not_overwritten_by_what_could_not_be_written(jobs, keeper):
    jobs.answer.clear()
    with keeper.hold("m", 1) as lease:
        lease.report(0.5)
        until(lambda: {("m", 1): 0.5} in jobs.renewals, "the first try")
        lease.report(0.75)
        jobs.before["renew"] = [errors.DatabaseUnavailable()]
        jobs.answer.set()
        until(lambda: jobs.get("m").progress == 0.75, "the newer progress is written")

    written = [renewal[("m", 1)] for renewal in jobs.renewals if renewal[("m", 1)] is not None]
    assert written[-1] == 0.75
    assert 0.5 not in written[written.index(0.75) :]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lease_survives_an_unavailable_database(jobs, keeper, when, caplog):
    getattr(jobs, when)["renew"] = [errors.DatabaseUnavailable("just now") for _ in range(3)]

    with keeper.hold("m", 1) as lease:
        until(lambda: not getattr(jobs, when)["renew"], "the database is back")
        renewed(jobs)
        lease.raise_if_lost()

    assert sum("just now" in line for line in caplog.messages) == 3


def test_a_bug_does_not_end_the_keeper(jobs, keeper, caplog):
    jobs.before["renew"] = [RuntimeError("a bug")]

    with keeper.hold("m", 1):
        until(lambda: "a bug" in caplog.text, "the bug is met")
        renewed(jobs)


LOSSES = {
    "cancelled": lambda jobs: jobs.cancel("m"),
    "reaped": lambda jobs: (
        jobs.set("m", lease_until=database_now(-1)) or jobs.requeue_expired_leases()
    ),
    "lost": lambda jobs: jobs.lose("m", 1, errors.ConsumerLost().to_wire()),
    "completed": lambda jobs: jobs.complete_training("m", 1, "models/m/1/", "a" * 64, {}, {}),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_is_noticed_and_told_once(jobs, keeper, loss):
    told = []
    with keeper.hold("m", 1, lambda: told.append(threading.current_thread().name)) as lease:
        until(lambda: LOSSES[loss](jobs), loss)
        fenced(lease)
        seen = len(jobs.renewals)
        until(lambda: len(jobs.renewals) > seen + 1, "two more renewals")

    assert told == ["leases"]
    assert jobs.get("m").progress in (None, 1.0)


def test_a_lost_lease_does_not_renew_that_of_the_next_attempt(jobs, keeper):
    jobs.release("m", 1)
    jobs.claim("m", "worker 2")
    before = jobs.get("m")

    with keeper.hold("m", 1) as lease:
        lease.report(0.5)
        fenced(lease)

    assert jobs.get("m") == before


def test_a_loss_is_noticed_when_the_database_is_back(jobs, keeper):
    jobs.before["renew"] = [errors.DatabaseUnavailable() for _ in range(3)]
    jobs.cancel("m")

    with keeper.hold("m", 1) as lease:
        fenced(lease)

    assert jobs.before["renew"] == []
