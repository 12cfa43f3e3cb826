import logging
import threading

import pytest

from app import errors
from app.database.engine import database_now
from app.jobs import lease as lease_module
from app.jobs.lease import Lease
from app.observability import logs
from app.protocol.types import JobStatus
from tests.support.fakes import FaultyJobs
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Renew as often as a test can wait for."""
    monkeypatch.setattr(lease_module, "RENEW_SECONDS", 0.005)


@pytest.fixture
def jobs(tmp_path):
    """A table with a job that runs."""
    made = FaultyJobs(tmp_path / "jobs.db")
    made.create("m", "train", "data", {})
    made.claim("m", "worker 1", redelivered=False)
    yield made
    made.close()


@pytest.fixture
def held(jobs):
    """A lease that has ended with its test, on leaving or earlier."""
    made = Lease(jobs, "m", 1)
    yield made
    made.join(20)
    assert not made.is_alive()


def renewed(jobs):
    """Wait for the next renewal."""
    before = jobs.get("m").lease_until
    until(lambda: jobs.get("m").lease_until > before, "the lease is renewed")


def fenced(lease):
    """Wait until it is noticed that the lease is lost."""

    def raises():
        try:
            lease.check()
        except errors.Fenced:
            return True
        return False

    until(raises, "the loss is noticed")


def test_a_lease_is_renewed_again_and_again(jobs, held):
    with held as entered:
        assert entered is held
        renewed(jobs)
        renewed(jobs)
        held.check()

    assert jobs.get("m").state is JobStatus.RUNNING


def test_a_lease_ends_on_leaving(jobs, held):
    with held:
        renewed(jobs)

    held.join(20)
    assert not held.is_alive()


def test_a_lease_ends_when_what_it_is_for_raises(jobs, held):
    with pytest.raises(KeyError), held:
        raise KeyError

    held.join(20)
    assert not held.is_alive()


def test_leaving_does_not_wait_for_a_database_that_hangs(jobs, held, monkeypatch):
    asked, answer = threading.Event(), threading.Event()

    def hang(*_):
        asked.set()
        return answer.wait(60)

    monkeypatch.setattr(jobs, "renew", hang)
    with held:
        assert asked.wait(20)
    assert held.is_alive()
    answer.set()


def test_progress_is_written_once(jobs, held):
    version = jobs.get("m").version
    with held:
        held.check(0.25)
        until(lambda: jobs.get("m").progress == 0.25, "the progress is written")
        held.check()
        renewed(jobs)
        renewed(jobs)
        assert jobs.get("m").version == version + 1

        held.check(0.0)
        until(lambda: jobs.get("m").progress == 0.0, "the progress is written")
        assert jobs.get("m").version == version + 2


def test_progress_outlasts_a_database_that_is_away(jobs, held):
    jobs.before["renew"] = [errors.DatabaseUnavailable() for _ in range(3)]
    held.check(0.5)

    with held:
        until(lambda: jobs.get("m").progress == 0.5, "the progress is written")

    assert jobs.before["renew"] == []


def test_newer_progress_is_not_overwritten_by_what_could_not_be_written(jobs, held, monkeypatch):
    written = []

    def renew(job_id, attempt, progress):
        written.append(progress)
        if len(written) == 1:
            held.check(0.75)
            raise errors.DatabaseUnavailable
        return True

    monkeypatch.setattr(jobs, "renew", renew)
    held.check(0.5)
    with held:
        until(lambda: len(written) > 2, "three renewals")

    assert written[:3] == [0.5, 0.75, None]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lease_survives_a_database_that_is_away(jobs, held, when, caplog):
    getattr(jobs, when)["renew"] = [errors.DatabaseUnavailable("just now") for _ in range(3)]

    with held:
        until(lambda: not getattr(jobs, when)["renew"], "the database is back")
        renewed(jobs)
        held.check()

    assert sum("just now" in line for line in caplog.messages) == 3


LOSSES = {
    "cancelled": lambda jobs: jobs.cancel("m"),
    "reaped": lambda jobs: (
        jobs.set("m", lease_until=database_now(-1)) or jobs.requeue_expired_leases()
    ),
    "taken over": lambda jobs: (
        jobs.set("m", lease_until=database_now(-1)) or jobs.claim("m", "worker 2", redelivered=True)
    ),
    "completed": lambda jobs: jobs.complete_training("m", 1, "models/m/1/", "a" * 64, {}),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_is_noticed_and_the_lease_ends(jobs, held, loss):
    with held:
        until(lambda: LOSSES[loss](jobs), loss)

        fenced(held)
        held.join(20)
        assert not held.is_alive()
        with pytest.raises(errors.Fenced):
            held.check(0.5)

    assert jobs.get("m").progress in (None, 1.0)


def test_a_lost_lease_does_not_renew_that_of_the_next_attempt(jobs, held):
    jobs.release("m", 1)
    jobs.claim("m", "worker 2", redelivered=False)
    before = jobs.get("m")

    held.check(0.5)
    with held:
        fenced(held)

    assert jobs.get("m") == before


def test_a_loss_is_noticed_when_the_database_is_back(jobs, held):
    jobs.before["renew"] = [errors.DatabaseUnavailable() for _ in range(3)]
    jobs.cancel("m")

    with held:
        fenced(held)

    assert jobs.before["renew"] == []


def test_every_line_of_a_lease_names_its_job(jobs, held):
    names = []

    class Job(logging.Handler):
        def emit(self, record):
            names.append(logs.current_job())

    handler = Job()
    lease_module.logger.addHandler(handler)
    try:
        jobs.before["renew"] = [errors.DatabaseUnavailable()]
        with held:
            until(lambda: names, "a line")
    finally:
        lease_module.logger.removeHandler(handler)

    assert names == ["m"]
