import logging
import threading

import pytest

from app import errors
from app.backoff import RetryUntilAvailable
from app.jobs.attempt import AlreadyEnded, Claimed, JobAttempts, RunsElsewhere
from app.jobs.job_log import read_log
from app.jobs.log_writer import JobLogWriter
from app.jobs.outcomes import (
    AttemptFailed,
    Interrupted,
    Lost,
    PredictionDone,
    Released,
    Retryable,
    TrainingDone,
    outcome_of,
)
from app.observability.job_lines import JobLineHandler
from app.observability.metrics import catalogue
from app.protocol.types import JobKind, JobStatus
from tests.support.counted import counted
from tests.support.fakes import FaultyJobs
from tests.support.log_lines import kept_lines

LOGGER = logging.getLogger("app")
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
        (errors.ModelKilled(), False, Interrupted),
        (errors.MemoryTaken(), False, Interrupted),
        (errors.Overloaded(), False, Retryable),
        (errors.ModelLost(), False, Retryable),
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


def test_a_claim_returns_the_row_as_others_have_left_it(jobs):
    def another_has_it(job):
        another = jobs.claim("m", "worker 2")
        assert jobs.pin_dataset("m", another, "v")
        assert jobs.release("m", another)

    claim = attempts(jobs).claim("m", another_has_it)

    assert (claim.attempt, claim.job.dataset_version) == (2, "v")


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


def test_attempts_are_counted_by_why_they_begin_and_how_they_end(jobs):
    with counted(catalogue.ATTEMPTS) as begun, counted(catalogue.ATTEMPT) as ended:
        first = claimed(jobs)
        attempts(jobs).conclude(first, Retryable(errors.ChildKilled("x")))
        attempts(jobs).conclude(claimed(jobs), Released())
        attempts(jobs).conclude(claimed(jobs), Interrupted(errors.ChildLost("x")))
        attempts(jobs).conclude(first, PredictionDone({}))
        attempts(jobs).conclude(claimed(jobs), TrainingDone("models/m/4/", "a" * 64, {}, {}))

    assert begun == {("train", "first"): 1, ("train", "retry"): 2, ("train", "takeover"): 1}
    ends = ("retry", "released", "interrupted", "lost", "completed")
    assert ended == {("train", each): 1 for each in ends}


def test_only_the_first_attempt_has_waited_in_the_queue(jobs):
    with counted(catalogue.QUEUE_WAIT) as waited:
        attempts(jobs).conclude(claimed(jobs), Released())
        claimed(jobs)

    assert waited == {("train",): 1}


def test_recoveries_are_counted(jobs):
    with counted(catalogue.RECOVERIES) as recoveries:
        first = claimed(jobs)
        attempts(jobs, "worker 2").claim("m", lambda _: None)
        attempts(jobs).conclude(first, Retryable(errors.ChildKilled("x")))
        attempts(jobs).conclude(first, PredictionDone({}))

    assert recoveries == {("duplicate",): 1, ("retry",): 1, ("fenced",): 1}


def test_a_cancelled_job_is_no_recovery(jobs):
    first = claimed(jobs)
    jobs.cancel("m")
    with counted(catalogue.RECOVERIES) as recoveries:
        assert not attempts(jobs).conclude(first, PredictionDone({}))

    assert recoveries == {}


def test_an_attempt_that_is_logged_writes_the_log_of_its_job(jobs):
    writer = JobLogWriter(jobs.engine)
    made = JobAttempts(
        jobs, "host:1:train-0", RetryUntilAvailable(threading.Event()), log_writer=writer
    )
    found = made.claim("m", lambda _: None)
    root, handler = logging.getLogger(), JobLineHandler()
    root.addHandler(handler)
    try:
        with kept_lines(LOGGER.name), made.logged(LOGGER, found, "train model=m") as task:
            LOGGER.info("fitted")
            made.conclude(found, AttemptFailed(errors.BadData(None, "no rows")))
            task.status = "TASK_ERROR"
    finally:
        root.removeHandler(handler)
    writer.write()

    log = read_log(jobs.engine, "m")
    assert log.complete
    assert {(each.attempt, each.consumer) for each in log.lines} == {(1, "host:1:train-0")}
    texts = [each.text for each in log.lines]
    assert texts[:2] == ["START train model=m attempt=1", "fitted"]
    assert "attempt 1 failed: no rows" in texts
    assert texts[-1].startswith("END train model=m attempt=1 TASK_ERROR")


def test_a_part_writes_into_the_log_of_its_batch_job(jobs):
    writer = JobLogWriter(jobs.engine)
    jobs.create("m.part-3", JobKind.PART, None, {}, parent="m", part=3)
    made = JobAttempts(jobs, "w", RetryUntilAvailable(threading.Event()), log_writer=writer)
    found = made.claim("m.part-3", lambda _: None)
    root, handler = logging.getLogger(), JobLineHandler()
    root.addHandler(handler)
    try:
        with kept_lines(LOGGER.name), made.logged(LOGGER, found, "part"):
            pass
    finally:
        root.removeHandler(handler)
    writer.write()

    assert [each.part for each in read_log(jobs.engine, "m").lines] == [3, 3]
