import pytest

from app import errors
from app.jobs.quotas import JobQuotas
from app.jobs.usage import JobUsage
from app.protocol.types import JobKind
from tests.support.rows import INPUTS, REQUEST, RESULT, accept, at_once


def ask(store, job_id, caller, quotas, size=10, **more):
    """Accept a training, or be refused."""
    return store.create(
        job_id, JobKind.TRAIN, "d", REQUEST, caller=caller, size=size, quotas=quotas, **more
    )


@pytest.mark.parametrize(
    ("quotas", "error"),
    [
        (JobQuotas(queued=2), errors.QuotaExceeded),
        (JobQuotas(queued_bytes=29), errors.QuotaExceeded),
        (JobQuotas(stored=2), errors.QuotaExceeded),
        (JobQuotas(stored_bytes=29), errors.QuotaExceeded),
        (JobQuotas(all_queued=2), errors.Overloaded),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_a_caller_has_as_many_jobs_as_its_quotas_say(store, quotas, error, named):
    for job_id in ("a", "b"):
        assert ask(store, job_id, "caller", quotas, named=named)
    with pytest.raises(error, match="the most"):
        ask(store, "c", "caller", quotas, named=named)
    assert store.get("c") is None


def test_both_kinds_of_jobs_count(store):
    accept(store, "p", kind=JobKind.PREDICT, inputs=INPUTS, caller="caller")
    with pytest.raises(errors.QuotaExceeded):
        ask(store, "a", "caller", JobQuotas(queued=1))


@pytest.mark.parametrize(
    "quotas", [JobQuotas(queued=1), JobQuotas(stored=1), JobQuotas(stored_bytes=10)]
)
def test_a_quota_is_each_callers_own(store, quotas):
    for number in range(3):
        assert ask(store, f"m{number}", f"caller {number}", quotas)
        assert ask(store, f"n{number}", None, quotas)


def test_a_job_that_runs_is_not_queued_and_one_that_has_ended_is_kept(store):
    assert ask(store, "a", "caller", None)
    assert store.complete_training("a", store.claim("a", "worker"), *RESULT)
    assert ask(store, "b", "caller", JobQuotas(queued=1, stored=2, stored_bytes=20))
    with pytest.raises(errors.QuotaExceeded, match="stored"):
        ask(store, "c", "caller", JobQuotas(stored=2))


def test_a_job_that_is_there_is_found_at_the_quota(store):
    quotas = JobQuotas(queued=1, all_queued=1)
    assert ask(store, "a", "caller", quotas, idempotency_key="k")
    assert not ask(store, "b", "caller", quotas, idempotency_key="k")
    assert not ask(store, "a", "caller", quotas)


def test_of_twenty_jobs_at_once_no_more_are_accepted_than_the_quota_says(store):
    def go(number):
        try:
            return ask(store, f"m{number}", "caller", JobQuotas(queued=5), named=number % 2 == 0)
        except errors.QuotaExceeded:
            return False

    assert sum(at_once(20, go)) == 5


def test_jobs_are_counted_again_after_a_second(store):
    clock = iter(range(1000))
    usage = JobUsage(store.engine, lambda: next(clock))
    quotas = JobQuotas(queued=1, all_queued=1)
    usage.take(quotas, "caller", 10)  # and no row is written
    usage.take(quotas, "caller", 10)
    accept(store, "a", caller="caller")
    with pytest.raises(errors.Overloaded):
        usage.take(quotas, "caller", 10)
    with pytest.raises(errors.QuotaExceeded):
        usage.take(JobQuotas(queued=1), "caller", 10)
    usage.take(JobQuotas(queued=1), "another", 10)


def test_between_two_counts_a_process_counts_what_it_accepts(store):
    usage = JobUsage(store.engine, lambda: 0.0)
    quotas = JobQuotas(queued_bytes=25)
    for _ in range(2):
        usage.take(quotas, "caller", 10)
    with pytest.raises(errors.QuotaExceeded):
        usage.take(quotas, "caller", 10)
    usage.give_back("caller", 10)
    usage.take(quotas, "caller", 10)


def test_a_job_that_was_not_written_does_not_count(store):
    quotas = JobQuotas(queued=2)
    assert ask(store, "a", "caller", quotas)
    for _ in range(5):
        assert not ask(store, "a", "caller", quotas)
    assert ask(store, "b", "caller", quotas)
