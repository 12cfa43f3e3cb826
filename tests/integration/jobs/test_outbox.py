import pytest

from app.jobs import outbox
from app.protocol.types import JobKind, JobStatus
from tests.support.rows import (
    ERROR,
    REQUEST,
    RESULT,
    accept,
    at_once,
    expire,
    put,
    run,
    wait_for_the_clock,
)

LONG_AGO = -outbox.SETTLED_SECONDS - 1


def waiting(store, *job_ids, kind=JobKind.TRAIN):
    """Accept jobs whose messages were published long ago."""
    for job_id in job_ids:
        accept(store, job_id, kind=kind)
        wait_for_the_clock(store)
        put(store, job_id, published_at=LONG_AGO)


def reconcile(store, trainings, predictions=0):
    return outbox.reconcile(store, {JobKind.TRAIN: trainings, JobKind.PREDICT: predictions})


def unpublished(store):
    return {job.id for job in store.newest(1000) if job.published_at is None}


def test_what_is_accepted_is_published_by_whoever_accepts_it(store):
    accept(store)

    assert outbox.take_unpublished(store) == []


def test_what_could_not_be_published_is_taken_once(store):
    accept(store, reply_to="amq.gen-1", correlation_id="c1")
    store.mark_unpublished("m")

    (entry,) = outbox.take_unpublished(store)

    assert entry == outbox.OutboxEntry("m", JobKind.TRAIN, REQUEST, "amq.gen-1", "c1", 0.0)
    assert store.get("m").published_at is not None
    assert outbox.take_unpublished(store) == []


def test_what_was_taken_and_could_not_be_published_is_taken_again(store):
    for job_id in ("one", "two", "three"):
        accept(store, job_id)
    store.mark_unpublished("one", "two", "three")
    outbox.take_unpublished(store)

    store.mark_unpublished("one", "three")

    assert {entry.job_id for entry in outbox.take_unpublished(store)} == {"one", "three"}


def test_nothing_is_unpublished_by_naming_nothing(store):
    accept(store)

    store.mark_unpublished()

    assert unpublished(store) == set()


def test_a_job_that_runs_or_has_ended_does_not_go_to_the_outbox(store):
    run(store, "running")
    store.complete_training("done", run(store, "done"), *RESULT)
    store.fail("failed", run(store, "failed"), ERROR)
    accept(store, "cancelled")
    store.cancel("cancelled")

    store.mark_unpublished("running", "done", "failed", "cancelled", "nobody")

    assert unpublished(store) == set()
    put(store, published_at=None)
    assert outbox.take_unpublished(store) == []


def test_the_oldest_are_taken_first_a_batch_at_a_time(store):
    names = ["zoe", "mia", "bob", "yan", "amy"]
    for name in names:
        accept(store, name)
        wait_for_the_clock(store)
    store.mark_unpublished(*names)

    batches = [[entry.job_id for entry in outbox.take_unpublished(store, 3)] for _ in range(3)]

    assert batches == [["zoe", "mia", "bob"], ["yan", "amy"], []]


def test_a_retry_waits_for_its_time_on_the_ladder(store):
    assert store.retry("m", run(store), ERROR, delay=60.0)

    (entry,) = outbox.take_unpublished(store)

    assert 0 < entry.delay <= 60
    assert entry.delay == pytest.approx(60, abs=30)


def test_a_retry_whose_time_has_come_waits_no_longer(store):
    assert store.retry("m", run(store), ERROR, delay=60.0)
    put(store, "m", run_after=-1)

    (entry,) = outbox.take_unpublished(store)

    assert entry.delay <= 0


def test_a_job_that_lost_its_consumer_is_published_at_once(store):
    run(store)
    expire(store)
    store.requeue_expired_leases()

    (entry,) = outbox.take_unpublished(store)

    assert entry.delay <= 0


def test_each_entry_is_taken_by_one_of_twenty(store):
    names = {f"job-{n}" for n in range(50)}
    for name in names:
        accept(store, name)
    store.mark_unpublished(*names)

    def drain(_):
        return [entry.job_id for _ in range(3) for entry in outbox.take_unpublished(store)]

    taken = [job_id for part in at_once(20, drain) for job_id in part]

    assert sorted(taken) == sorted(names)


def test_as_many_messages_as_jobs_are_missing_are_published_again(store):
    waiting(store, "one", "two", "three")

    assert reconcile(store, 1) == 2

    assert len(unpublished(store)) == 2
    assert reconcile(store, 1) == 0  # what is in the outbox is not missed


def test_the_oldest_without_a_message_are_the_first_published(store):
    waiting(store, "one", "two", "three")
    put(store, "two", published_at=LONG_AGO - 10)

    assert reconcile(store, 2) == 1

    assert unpublished(store) == {"two"}


@pytest.mark.parametrize("messages", [3, 4, 1000])
def test_nothing_is_missing_where_messages_are_enough(store, messages):
    waiting(store, "one", "two", "three")

    assert reconcile(store, messages) == 0

    assert unpublished(store) == set()


def test_what_was_published_just_now_is_not_missed_yet(store):
    waiting(store, "old")
    accept(store, "new")

    assert reconcile(store, 0) == 1

    assert unpublished(store) == {"old"}


def test_what_is_not_queued_is_not_missed(store):
    run(store, "running")
    store.complete_training("done", run(store, "done"), *RESULT)
    accept(store, "cancelled")
    store.cancel("cancelled")
    put(store, published_at=LONG_AGO)

    assert reconcile(store, 0) == 0


def test_what_waits_on_the_ladder_is_missed_after_its_time(store):
    assert store.retry("m", run(store), ERROR, delay=60.0)
    outbox.take_unpublished(store)
    put(store, "m", published_at=LONG_AGO)
    assert reconcile(store, 0) == 0
    put(store, "m", run_after=-1)  # the retry queue may take a moment more
    assert reconcile(store, 0) == 0

    put(store, "m", run_after=LONG_AGO)

    assert reconcile(store, 0) == 1
    (entry,) = outbox.take_unpublished(store)
    assert entry.delay <= 0


def test_of_twenty_that_reconcile_at_once_each_job_is_missed_once(store):
    waiting(store, *(f"job-{n}" for n in range(5)))

    found = at_once(20, lambda _: reconcile(store, 2))

    assert sum(found) == len(unpublished(store))
    assert 3 <= sum(found) <= 5


def test_a_message_too_many_starts_no_second_attempt(store):
    waiting(store, "m")
    reconcile(store, 0)
    outbox.take_unpublished(store)

    assert store.claim("m", "worker 1") == 1
    assert store.claim("m", "worker 2") is None
    assert store.get("m").state is JobStatus.RUNNING


def test_a_job_that_was_overtaken_is_missing_though_there_are_messages_enough(store):
    waiting(store, "lost", "next")
    put(store, "lost", published_at=LONG_AGO - 2)
    put(store, "next", published_at=LONG_AGO - 1)
    strangers = 2  # messages of which no row knows yet

    assert reconcile(store, strangers) == 0

    assert store.claim("next", "worker") == 1
    assert reconcile(store, strangers) == 0, "its turn may be now"
    put(store, "next", started_at=LONG_AGO)
    assert reconcile(store, strangers) == 1
    assert unpublished(store) == {"lost"}


def test_a_job_that_waits_for_its_turn_was_not_overtaken(store):
    waiting(store, "first", "second", "third")
    put(store, "second", published_at=LONG_AGO + 0.5)
    put(store, "third", published_at=LONG_AGO + 0.6)
    put(store, "first", published_at=LONG_AGO - 10)
    store.claim("first", "worker")
    put(store, "first", started_at=LONG_AGO)

    assert reconcile(store, 2) == 0


# Trainings and predictions have queues of their own.


def test_a_lost_prediction_is_found_though_trainings_wait(store):
    waiting(store, "training-1", "training-2")
    waiting(store, "prediction", kind=JobKind.PREDICT)

    assert reconcile(store, trainings=3, predictions=0) == 1  # one of them stands for no row

    assert unpublished(store) == {"prediction"}


def test_a_lost_training_is_found_though_predictions_wait(store):
    waiting(store, "prediction-1", "prediction-2", kind=JobKind.PREDICT)
    waiting(store, "training")

    assert reconcile(store, trainings=0, predictions=3) == 1

    assert unpublished(store) == {"training"}


@pytest.mark.parametrize(
    ("slow", "quick"), [(JobKind.TRAIN, JobKind.PREDICT), (JobKind.PREDICT, JobKind.TRAIN)]
)
def test_a_job_is_not_overtaken_by_one_of_another_kind(store, slow, quick):
    waiting(store, "first", kind=slow)
    put(store, "first", published_at=LONG_AGO - 2)
    waiting(store, "second", kind=quick)
    store.claim("second", "worker")
    put(store, "second", started_at=LONG_AGO)

    assert reconcile(store, 1, 1) == 0

    waiting(store, "third", kind=slow)
    store.claim("third", "worker")
    put(store, "third", started_at=LONG_AGO)
    assert reconcile(store, 1, 1) == 1
    assert unpublished(store) == {"first"}


def test_of_both_kinds_the_oldest_are_taken_first(store):
    for name, kind in (("a", JobKind.PREDICT), ("b", JobKind.TRAIN), ("c", JobKind.PREDICT)):
        accept(store, name, kind=kind)
        wait_for_the_clock(store)
    store.mark_unpublished("a", "b", "c")

    taken = [(entry.job_id, entry.kind) for entry in outbox.take_unpublished(store)]

    assert taken == [("a", JobKind.PREDICT), ("b", JobKind.TRAIN), ("c", JobKind.PREDICT)]


def test_a_prediction_waits_in_its_row_for_its_next_attempt(store):
    assert store.retry("m", run(store, kind=JobKind.PREDICT), ERROR, delay=60.0)
    assert outbox.take_unpublished(store) == []
    assert reconcile(store, 0) == 0
    assert unpublished(store) == {"m"}

    put(store, "m", run_after=-1)

    (entry,) = outbox.take_unpublished(store)
    assert (entry.job_id, entry.kind) == ("m", JobKind.PREDICT)
    assert entry.delay <= 0


def test_a_prediction_that_waits_keeps_nobody_else_waiting(store):
    for name in ("one", "two"):
        assert store.retry(name, run(store, name, kind=JobKind.PREDICT), ERROR, delay=60.0)
    wait_for_the_clock(store)
    accept(store, "three", kind=JobKind.PREDICT)
    store.mark_unpublished("three")

    assert [entry.job_id for entry in outbox.take_unpublished(store, 2)] == ["three"]


def test_a_prediction_that_lost_its_consumer_is_published_at_once(store):
    run(store, kind=JobKind.PREDICT)
    expire(store)
    store.requeue_expired_leases()
    wait_for_the_clock(store)

    assert [entry.job_id for entry in outbox.take_unpublished(store)] == ["m"]
