import pytest

from app import errors
from app.jobs.quotas import JobQuotas
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
        (JobQuotas(kept=2), errors.QuotaExceeded),
        (JobQuotas(kept_bytes=29), errors.QuotaExceeded),
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
    "quotas", [JobQuotas(queued=1), JobQuotas(kept=1), JobQuotas(kept_bytes=10)]
)
def test_a_quota_is_each_callers_own(store, quotas):
    for number in range(3):
        assert ask(store, f"m{number}", f"caller {number}", quotas)
        assert ask(store, f"n{number}", None, quotas)


def test_a_job_that_runs_is_not_queued_and_one_that_has_ended_is_kept(store):
    assert ask(store, "a", "caller", None)
    assert store.complete_training("a", store.claim("a", "worker"), *RESULT)
    assert ask(store, "b", "caller", JobQuotas(queued=1, kept=2, kept_bytes=20))
    with pytest.raises(errors.QuotaExceeded, match="stored"):
        ask(store, "c", "caller", JobQuotas(kept=2))


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
