import pytest

from app import errors
from app.auth.identity import Identity
from app.auth.key_limits import KeyLimits
from app.jobs.quotas import JobQuotas, KeyQuota, quotas_for
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
    usage.give_back(quotas, "caller", 10)
    usage.take(quotas, "caller", 10)


def test_a_job_that_was_not_written_does_not_count(store):
    quotas = JobQuotas(queued=2)
    assert ask(store, "a", "caller", quotas)
    for _ in range(5):
        assert not ask(store, "a", "caller", quotas)
    assert ask(store, "b", "caller", quotas)


def of_key(key_id, most, **quotas):
    """Let a key have so many jobs that wait."""
    return JobQuotas(**quotas, of_key=KeyQuota(key_id, most))


def test_a_key_at_its_quota_is_refused_and_other_keys_of_its_owner_are_not(store):
    assert ask(store, "a", "owner", of_key("nightly", 1))
    with pytest.raises(errors.QuotaExceeded, match="1 jobs are queued for key nightly at the most"):
        ask(store, "b", "owner", of_key("nightly", 1))
    assert ask(store, "c", "owner", of_key("notebook", 1))
    assert ask(store, "d", "owner", JobQuotas())
    with pytest.raises(errors.QuotaExceeded, match="3 jobs are queued for owner at the most"):
        ask(store, "e", "owner", JobQuotas(queued=3))


def test_a_job_of_a_key_counts_for_its_owner(store):
    assert ask(store, "a", "owner", of_key("nightly", 9, queued=1))
    with pytest.raises(errors.QuotaExceeded, match="for owner at the most"):
        ask(store, "b", "owner", of_key("nightly", 9, queued=1))


def test_a_job_of_a_key_counts_while_it_waits(store):
    assert ask(store, "a", "owner", of_key("nightly", 1))
    store.claim("a", "worker")
    counted = JobUsage(store.engine)
    counted.take(of_key("nightly", 1), "owner", 10)
    store.release("a", 1)
    counted = JobUsage(store.engine)
    with pytest.raises(errors.QuotaExceeded):
        counted.take(of_key("nightly", 1), "owner", 10)
    with pytest.raises(errors.QuotaExceeded):
        store.create("b", JobKind.PREDICT, None, {}, caller="owner", quotas=of_key("nightly", 1))


def test_a_job_of_a_key_that_was_not_written_does_not_count(store):
    quotas = of_key("nightly", 2)
    assert ask(store, "a", "owner", quotas)
    for _ in range(5):
        assert not ask(store, "a", "owner", quotas)
    assert ask(store, "b", "owner", quotas)


@pytest.mark.parametrize("limits", [None, KeyLimits(max_requests=1)])
def test_a_key_without_a_quota_adds_nothing(limits):
    quotas = JobQuotas(queued=1)
    assert quotas_for(Identity("red", key_id="a", limits=limits), quotas) is quotas


def test_a_key_with_a_quota_has_those_of_its_owner_too():
    identity = Identity("red", key_id="a", session_id="s", limits=KeyLimits(max_queued=2))
    assert quotas_for(identity, JobQuotas(queued=9)) == of_key("a", 2, queued=9)
