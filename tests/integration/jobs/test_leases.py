from contextlib import closing

import pytest

from app.jobs.store import SUSPECT_SECONDS, JobStore
from app.protocol.types import JobKind, JobStatus
from tests.support.rows import ERROR, RESULT, accept, expire, put, run, wait_for_the_clock

LEASE = 1500.0  # a hundred times what it is, so that a pause of the test changes nothing
SUSPECT = LEASE - 100 * SUSPECT_SECONDS  # what is left of a lease that has just become suspect


def test_a_lease_lasts_as_long_as_the_store_says(database_url):
    store = JobStore(database_url, lease=3600.0)
    run(store)

    job = store.get("m")
    assert 3590 < (job.lease_until - job.started_at).total_seconds() < 3610
    store.close()


def test_a_lease_is_renewed_by_its_attempt(store):
    attempt = run(store)
    expire(store)

    assert store.renew({("m", attempt): None})  # late, but nobody has taken the job

    job = store.get("m")
    assert job.lease_until > job.started_at
    assert job.progress is None
    assert store.requeue_expired_leases() == 0


def test_each_renewal_moves_the_lease(store):
    attempt = run(store)
    before = store.get("m").lease_until
    wait_for_the_clock(store)

    assert store.renew({("m", attempt): None})

    assert store.get("m").lease_until > before


def test_a_renewal_brings_the_progress_or_leaves_it(store):
    attempt = run(store)

    assert store.renew({("m", attempt): 0.25})
    assert store.get("m").progress == 0.25
    assert store.renew({("m", attempt): None})
    assert store.get("m").progress == 0.25
    assert store.renew({("m", attempt): 0.0})
    assert store.get("m").progress == 0.0


def test_an_attempt_begins_without_progress(store):
    attempt = run(store)
    assert store.renew({("m", attempt): 0.9})
    assert store.release("m", attempt)

    store.claim("m", "worker 2", redelivered=False)

    assert store.get("m").progress is None


@pytest.mark.parametrize(
    ("left", "redelivered", "taken"),
    [
        (LEASE, False, False),
        (LEASE, True, False),
        (SUSPECT + 200, True, False),  # renewed a second ago
        (SUSPECT - 100, True, True),  # not heard of for four: the broker and the lease agree
        (SUSPECT - 100, False, False),  # a duplicate proves nothing
        (100, False, False),
        (100, True, True),
        (-1, False, True),  # the lease has ended: it does not matter who asks
        (-1, True, True),
    ],
)
def test_a_job_that_runs_is_taken_over_from_the_dead_only(database_url, left, redelivered, taken):
    with closing(JobStore(database_url, LEASE, suspect=LEASE - SUSPECT)) as store:
        run(store)
        put(store, "m", lease_until=left)
        before = store.get("m")

        attempt = store.claim("m", "worker 2", redelivered)

        job = store.get("m")
        assert attempt == (2 if taken else None)
        if not taken:
            assert job == before
            return
        assert (job.attempt, job.failures, job.worker) == (2, 1, "worker 2")
        assert job.state is JobStatus.RUNNING
        assert job.lease_until > before.lease_until
        assert store.requeue_expired_leases() == 0


def test_a_worker_has_its_own_job_again_when_the_answer_got_lost(store):
    run(store, worker="worker 1")

    assert store.claim("m", "worker 1", redelivered=False) == 2

    job = store.get("m")
    assert (job.attempt, job.failures, job.worker) == (2, 0, "worker 1")  # nothing failed
    assert not store.complete_training("m", 1, *RESULT)


def test_a_worker_has_its_own_job_again_after_the_last_failure_but_one(database_url):
    store = JobStore(database_url, max_attempts=1)
    run(store, worker="worker 1")
    expire(store)

    assert store.claim("m", "worker 2", redelivered=True) is None
    assert store.claim("m", "worker 1", redelivered=True) == 2
    store.close()


def test_a_worker_does_not_get_back_what_was_taken_from_it(store):
    run(store, worker="worker 1")
    expire(store)
    store.claim("m", "worker 2", redelivered=True)

    assert store.claim("m", "worker 1", redelivered=True) is None


def test_the_last_attempt_is_not_taken_over_but_ends_with_its_lease(database_url):
    store = JobStore(database_url, max_attempts=2)
    run(store, worker="worker 1")
    expire(store)
    assert store.claim("m", "worker 2", redelivered=True) == 2
    expire(store)

    assert store.claim("m", "worker 3", redelivered=True) is None
    assert store.claim("m", "worker 3", redelivered=False) is None
    assert store.requeue_expired_leases() == 1

    job = store.get("m")
    assert job.state is JobStatus.ERROR
    assert job.failures == job.attempt == 2
    store.close()


def test_a_job_whose_lease_has_ended_is_queued_again(store):
    attempt = run(store)
    expire(store)

    assert store.requeue_expired_leases() == 1

    job = store.get("m")
    assert job.state is JobStatus.QUEUED
    assert (job.attempt, job.failures, job.worker) == (1, 1, None)
    assert job.error["type"] == "consumer_lost"
    assert job.published_at is None
    assert job.ended_at is None
    assert not store.complete_training("m", attempt, *RESULT)
    assert store.claim("m", "worker 2", redelivered=False) == 2


def test_nothing_but_ended_leases_is_reaped(store):
    accept(store, "queued")
    run(store, "running")
    for name in ("completed", "cancelled", "failed", "lost"):
        run(store, name)
        expire(store, name)
    assert store.complete_training("completed", 1, *RESULT)
    assert store.cancel("cancelled")
    assert store.fail("failed", 1, ERROR)
    kept = ("queued", "running", "completed", "cancelled", "failed")
    before = [store.get(name) for name in kept]

    assert store.requeue_expired_leases() == 1

    assert [store.get(name) for name in kept] == before
    assert store.get("lost").state is JobStatus.QUEUED
    assert store.requeue_expired_leases() == 0


def test_a_job_that_is_lost_too_often_ends(store):
    accept(store)

    for failures in range(1, 5):
        assert store.claim("m", f"worker {failures}", redelivered=False) == failures
        expire(store)
        assert store.requeue_expired_leases() == 1
        assert store.get("m").failures == failures

    job = store.get("m")
    assert job.state is JobStatus.ERROR
    assert job.error["type"] == "consumer_lost"
    assert job.ended_at is not None
    assert job.run_after is None
    assert store.claim("m", "worker 5", redelivered=False) is None


def test_takeovers_retries_and_lost_leases_count_as_one_sort_of_failure(store):
    assert store.retry("m", run(store, worker="one"), ERROR, 0.0)
    store.claim("m", "two", redelivered=False)
    expire(store)
    assert store.claim("m", "three", redelivered=True) == 3
    expire(store)
    assert store.requeue_expired_leases() == 1
    assert store.get("m").failures == 3

    assert store.retry("m", store.claim("m", "four", redelivered=False), ERROR, 0.0)

    assert store.get("m").state is JobStatus.ERROR
    assert store.get("m").failures == 4


# Many leases at once.


def test_many_leases_are_renewed_at_once(store):
    for name in ("one", "two", "left"):
        assert run(store, name, kind=JobKind.PREDICT) == 1
        expire(store, name)
    before = {name: store.get(name) for name in ("one", "two")}

    assert store.renew({("one", 1): None, ("two", 1): None}) == {("one", 1), ("two", 1)}

    for name, old in before.items():
        assert store.get(name).lease_until > old.lease_until
        assert store.get(name).version == old.version  # nobody is told of it
    assert store.requeue_expired_leases() == 1
    assert store.get("left").state is JobStatus.QUEUED


def test_the_progress_of_each_job_is_its_own(store):
    for name in ("one", "two", "three"):
        run(store, name)
    versions = {name: store.get(name).version for name in ("one", "two", "three")}

    store.renew({("one", 1): 0.25, ("two", 1): None, ("three", 1): 0.75, ("gone", 1): 0.5})

    assert [store.get(name).progress for name in ("one", "two", "three")] == [0.25, None, 0.75]
    grown = [store.get(name).version - versions[name] for name in ("one", "two", "three")]
    assert grown == [1, 0, 1]


def test_a_stale_attempt_writes_no_progress(store):
    run(store, "m")
    version = store.get("m").version

    assert store.renew({("m", 1): None, ("m", 7): 0.5}) == {("m", 1)}

    assert store.get("m").progress is None
    assert store.get("m").version == version


def test_what_is_lost_is_not_renewed(store):
    run(store, "mine")
    run(store, "cancelled")
    store.cancel("cancelled")
    store.fail("failed", run(store, "failed"), ERROR)
    run(store, "taken")
    expire(store, "taken")
    store.claim("taken", "worker 2", redelivered=False)
    lease = store.get("taken").lease_until
    accept(store, "queued")

    names = ["mine", "cancelled", "failed", "taken", "queued", "nobody"]
    assert store.renew(dict.fromkeys((name, 1) for name in names)) == {("mine", 1)}
    assert store.get("taken").lease_until == lease


def test_who_takes_over_says_that_a_consumer_was_lost(store):
    run(store)
    expire(store)

    store.claim("m", "worker 2", redelivered=False)

    assert store.get("m").error["type"] == "consumer_lost"


def test_a_claim_of_ones_own_says_nothing(store):
    run(store)

    assert store.claim("m", "worker", redelivered=False) == 2

    assert store.get("m").error is None
    assert store.get("m").failures == 0
