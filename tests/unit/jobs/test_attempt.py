import threading

import pytest

from app import errors
from app.backoff import RetryUntilAvailable
from app.jobs.attempt import (
    AlreadyEnded,
    AttemptFailed,
    Claimed,
    Interrupted,
    JobAttempts,
    Lost,
    PredictionDone,
    Released,
    Retryable,
    RunsElsewhere,
    TrainingDone,
    outcome_of,
)
from app.protocol.types import JobKind, JobStatus
from tests.support.fakes import FaultyJobs

NO_SPACE = OSError(28, "No space left")


@pytest.mark.parametrize(
    ("error", "may_have_run", "outcome"),
    [
        (errors.ShuttingDown(), False, Released),
        (errors.ShuttingDown(), True, Released),
        (errors.Fenced(), False, Lost),
        (errors.Fenced(), True, Lost),
        (errors.StorageUnavailable(), False, Retryable),
        (errors.ChildKilled(), False, Retryable),
        (errors.ChildLost(), False, Interrupted),
        (errors.EndpointUnavailable(), True, AttemptFailed),
        (errors.BadData(None, "x"), False, AttemptFailed),
        (errors.EndpointFailed("x"), True, AttemptFailed),
        (NO_SPACE, False, Retryable),
        (NO_SPACE, True, AttemptFailed),
        (TimeoutError(), False, AttemptFailed),  # an OSError without a reason is a bug
        (KeyError("secret"), False, AttemptFailed),
    ],
)
def test_an_error_decides_the_outcome(error, may_have_run, outcome):
    assert isinstance(outcome_of(error, may_have_run=may_have_run), outcome)


def test_a_bug_is_not_told():
    outcome = outcome_of(KeyError("secret"))

    assert isinstance(outcome, AttemptFailed)
    assert outcome.error.type == "internal"
    assert "secret" not in outcome.error.detail


def test_a_refusal_of_the_system_is_told():
    outcome = outcome_of(NO_SPACE)

    assert isinstance(outcome, Retryable)
    assert "No space left" in outcome.error.detail


@pytest.fixture
def jobs(tmp_path):
    made = FaultyJobs(tmp_path / "jobs.db")
    made.create("m", JobKind.TRAIN, "data", {})
    yield made
    made.close()


def attempts(jobs, worker="worker 1"):
    return JobAttempts(jobs, worker, RetryUntilAvailable(threading.Event()))


def claimed(jobs):
    found = attempts(jobs).claim("m", lambda _: None)
    assert isinstance(found, Claimed)
    return found


def test_a_job_without_a_row_is_not_claimed(jobs):
    assert attempts(jobs).claim("n", lambda _: None) is None


def test_a_job_is_checked_before_it_is_claimed(jobs):
    def check(job):
        assert job.id == "m"
        raise errors.NotFound("message_id", "another kind")

    with pytest.raises(errors.NotFound):
        attempts(jobs).claim("m", check)

    assert jobs.get("m").state is JobStatus.QUEUED


def test_a_job_is_claimed_once(jobs):
    assert claimed(jobs).attempt == 1
    assert isinstance(attempts(jobs, "worker 2").claim("m", lambda _: None), RunsElsewhere)


OUTCOMES = {
    "trained": (TrainingDone("models/m/1/", "a" * 64, {"rmse": 1.0}, {}), JobStatus.COMPLETED),
    "predicted": (PredictionDone({"prediction": 1.0}), JobStatus.COMPLETED),
    "retryable": (Retryable(errors.ChildKilled("x")), JobStatus.QUEUED),
    "interrupted": (Interrupted(errors.ChildLost("x")), JobStatus.QUEUED),
    "failed": (AttemptFailed(errors.BadData(None, "x")), JobStatus.ERROR),
    "released": (Released(), JobStatus.QUEUED),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_an_outcome_is_written_for_the_attempt_that_has_the_job(jobs, name):
    outcome, state = OUTCOMES[name]

    assert attempts(jobs).conclude(claimed(jobs), outcome)

    job = jobs.get("m")
    assert job.state is state
    assert job.failures == (name == "retryable")
    assert job.losses == (name == "interrupted")
    if job.ended:
        assert isinstance(attempts(jobs).claim("m", lambda _: None), AlreadyEnded)


@pytest.mark.parametrize("name", [*OUTCOMES, "lost"])
def test_no_outcome_is_written_for_an_attempt_that_lost_its_job(jobs, name):
    mine = claimed(jobs)
    jobs.set("m", worker="worker 2", attempt=2)
    before = jobs.get("m")

    assert not attempts(jobs).conclude(mine, OUTCOMES.get(name, (Lost(),))[0])

    assert jobs.get("m") == before


@pytest.mark.parametrize("message_lost", [False, True])
def test_a_released_job_is_published_again_only_if_its_message_is_lost(jobs, message_lost):
    attempts(jobs).conclude(claimed(jobs), Released(message_lost))

    assert (jobs.get("m").published_at is None) == message_lost


def test_a_release_does_not_wait_for_the_database(jobs):
    mine = claimed(jobs)
    jobs.before["release"] = [errors.DatabaseUnavailable()]

    assert not attempts(jobs).conclude(mine, Released())

    assert jobs.get("m").state is JobStatus.RUNNING
