from contextlib import closing

import pytest

from app.jobs import outbox
from app.jobs.requeue import MAX_LOSSES
from app.jobs.store import JobStore
from app.protocol.types import JobKind, JobStatus
from tests.support.rows import ERROR, RESULT, accept, expire, put, run, wait_for_the_clock

LEASE = 1500.0  # a hundred times what it is, so that a pause of the test changes nothing


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

    store.claim("m", "worker 2")

    assert store.get("m").progress is None


@pytest.mark.parametrize("left", [LEASE, 100, -1])
def test_a_job_that_runs_is_claimed_by_nobody_else(store, left):
    run(store)
    put(store, "m", lease_until=left)
    before = store.get("m")

    assert store.claim("m", "worker 2") is None

    assert store.get("m") == before


def test_a_worker_has_its_own_job_again_when_the_answer_got_lost(store):
    run(store, worker="worker 1")

    assert store.claim("m", "worker 1") == 2

    job = store.get("m")
    assert (job.attempt, job.failures, job.worker) == (2, 0, "worker 1")  # nothing failed
    assert not store.complete_training("m", 1, *RESULT)


def test_a_worker_does_not_get_back_what_was_taken_from_it(store):
    run(store, worker="worker 1")
    expire(store)
    assert store.requeue_expired_leases() == 1
    assert store.claim("m", "worker 2") == 2

    assert store.claim("m", "worker 1") is None


def test_a_job_whose_lease_has_ended_is_queued_again(store):
    attempt = run(store)
    expire(store)

    assert store.requeue_expired_leases() == 1

    job = store.get("m")
    assert job.state is JobStatus.QUEUED
    assert (job.attempt, job.losses, job.worker) == (1, 1, None)
    assert job.error["type"] == "consumer_lost"
    assert job.published_at is None
    assert job.ended_at is None
    assert not store.complete_training("m", attempt, *RESULT)
    assert store.claim("m", "worker 2") == 2


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

    for losses in range(1, MAX_LOSSES + 1):
        assert store.claim("m", f"worker {losses}") == losses
        expire(store)
        assert store.requeue_expired_leases() == 1
        job = store.get("m")
        assert (job.losses, job.failures) == (losses, 0)

    assert job.state is JobStatus.ERROR
    assert job.error["type"] == "consumer_lost"
    assert job.ended_at is not None
    assert job.run_after is None
    assert store.claim("m", "worker") is None


@pytest.mark.parametrize(
    ("losses", "delay"), [(0, 0.0), (1, 2.0), (2, 10.0), (3, 60.0), (MAX_LOSSES - 2, 60.0)]
)
def test_after_each_loss_the_next_attempt_comes_later(store, losses, delay):
    run(store)
    put(store, "m", losses=losses)

    assert store.lose("m", 1, ERROR)

    (entry,) = outbox.take_unpublished(store)
    assert delay - 1.5 < entry.delay <= delay
    assert store.get("m").error == ERROR


def test_losses_and_failures_are_counted_apart(database_url):
    with closing(JobStore(database_url, max_attempts=2)) as store:
        assert store.lose("m", run(store), ERROR)
        assert store.retry("m", store.claim("m", "worker"), ERROR, 0.0)
        assert store.lose("m", store.claim("m", "worker"), ERROR)
        job = store.get("m")
        assert (job.state, job.failures, job.losses) == (JobStatus.QUEUED, 1, 2)

        assert store.retry("m", store.claim("m", "worker"), ERROR, 0.0)

        job = store.get("m")
        assert (job.state, job.failures, job.losses) == (JobStatus.ERROR, 2, 2)


# Consumers that are gone.


def test_the_latest_lease_of_each_consumer_is_told(store):
    for number, worker in enumerate(["host:1:ab:train-0", "host:1:ab:answer", "host:2:cd:train-0"]):
        run(store, f"m{number}", worker=worker)
        put(store, f"m{number}", lease_until=100 * number)
    accept(store, "queued")

    assert store.leases() == {
        "host:1:ab": store.get("m1").lease_until,
        "host:2:cd": store.get("m2").lease_until,
    }


def test_the_jobs_of_a_lost_consumer_are_requeued_and_no_other(store):
    for job_id, worker in {
        "mine": "host_:1:ab:train-0",
        "mine too": "host_:1:ab:answer",
        "another": "hosts:1:ab:train-0",
        "longer": "host_:1:abc:train-0",
    }.items():
        run(store, job_id, worker=worker)
    accept(store, "queued")

    assert store.requeue_lost("host_:1:ab", store.leases()["host_:1:ab"]) == 2

    assert {job.id for job in store.newest(10, JobStatus.RUNNING)} == {"another", "longer"}
    job = store.get("mine")
    assert (job.losses, job.failures, job.error["type"]) == (1, 0, "consumer_lost")
    assert not store.complete_training("mine", 1, *RESULT)


def test_a_consumer_that_has_renewed_meanwhile_keeps_its_jobs(store):
    attempt = run(store, worker="host:1:ab:train-0")
    seen = store.leases()["host:1:ab"]
    wait_for_the_clock(store)
    assert store.renew({("m", attempt): None})

    assert store.requeue_lost("host:1:ab", seen) == 0

    assert store.complete_training("m", attempt, *RESULT)


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
    store.release("taken", run(store, "taken"))
    store.claim("taken", "worker 2")
    lease = store.get("taken").lease_until
    accept(store, "queued")

    names = ["mine", "cancelled", "failed", "taken", "queued", "nobody"]
    assert store.renew(dict.fromkeys((name, 1) for name in names)) == {("mine", 1)}
    assert store.get("taken").lease_until == lease


def test_a_claim_of_ones_own_says_nothing(store):
    run(store)

    assert store.claim("m", "worker") == 2

    assert store.get("m").error is None
    assert store.get("m").failures == 0
