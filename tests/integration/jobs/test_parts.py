import pytest

from app import errors
from app.jobs import outbox, parts
from app.jobs.parts import HELD_BY_PARTS, NewPart, part_id
from app.jobs.quotas import JobQuotas
from app.jobs.requeue import MAX_LOSSES
from app.protocol.types import LATEST, JobKind, JobStatus
from tests.support.rows import ERROR, accept, at_once, expire, put

COUNT = 3
RESULT = {"rows": 10, "scored": 10, "problems": []}
NEW = [NewPart(f"batch/b/parts/{number}", 10, 10 * number) for number in range(COUNT)]


def batch(store, job_id="b"):
    """Accept a batch job and claim it to be split; return the number of the attempt."""
    request = {"model_id": "m", "dataset_id": "d"}
    assert store.create(job_id, JobKind.BATCH, "d", request, folder=f"batch/{job_id}/")
    return store.claim(job_id, "one:batch")


def split(store, job_id="b"):
    """Accept a batch job and split it."""
    assert parts.begin_parts(store.engine, job_id, batch(store, job_id), NEW)


def claimed(store, number, worker="one:part"):
    """Claim a part; return its row and the number of the attempt."""
    name = part_id("b", number)
    attempt = store.claim(name, worker)
    return store.get(name), attempt


def complete(store, number, key="k"):
    part, attempt = claimed(store, number)
    return parts.complete_part(store.engine, part, attempt, key, RESULT)


def states(store):
    return [part.state for part in parts.parts_of(store.engine, "b")]


def test_the_parts_of_a_batch_job_wait_in_the_outbox(store):
    split(store)

    job = store.get("b")
    assert (job.state, job.worker, job.parts, job.progress) == ("TASK_RUNNING", "parts", 3, 0.0)
    found = parts.parts_of(store.engine, "b")
    assert [(each.id, each.part, each.request) for each in found] == [
        (f"b.part-{n}", n, {"key": f"batch/b/parts/{n}", "rows": 10, "first": 10 * n})
        for n in range(COUNT)
    ]
    assert states(store) == [JobStatus.QUEUED] * COUNT
    published = outbox.take_unpublished(store)
    assert {(entry.job_id, entry.kind) for entry in published} == {
        (each.id, JobKind.PART) for each in found
    }


def test_a_job_is_split_once(store):
    attempt = batch(store)

    assert parts.begin_parts(store.engine, "b", attempt, NEW)
    assert parts.begin_parts(store.engine, "b", attempt, NEW)  # the answer to the first was lost
    assert len(parts.parts_of(store.engine, "b")) == COUNT


@pytest.mark.parametrize("end", ["cancelled", "requeued"])
def test_an_attempt_that_has_lost_the_job_makes_no_parts(store, end):
    attempt = batch(store)
    if end == "cancelled":
        assert store.cancel("b")
    else:
        expire(store, "b")
        assert store.requeue_expired_leases() == 1

    assert not parts.begin_parts(store.engine, "b", attempt, NEW)
    assert parts.parts_of(store.engine, "b") == []


def test_the_last_part_queues_the_batch_job_again(store):
    split(store)
    seen = []
    for number in (1, 0, 2):
        assert complete(store, number)
        seen.append((store.get("b").state, round(store.get("b").progress, 2)))

    assert seen == [("TASK_RUNNING", 0.33), ("TASK_RUNNING", 0.67), ("TASK_QUEUED", 1.0)]
    (entry,) = [e for e in outbox.take_unpublished(store) if e.kind is JobKind.BATCH]
    assert entry.job_id == "b"
    assert store.claim("b", "two:batch") == 2


def test_a_late_renewal_leaves_the_lease_of_a_job_that_its_parts_hold(store):
    attempt = batch(store)
    assert parts.begin_parts(store.engine, "b", attempt, NEW)
    lease = store.get("b").lease_until

    assert store.renew({("b", attempt): None}) == {("b", attempt)}

    assert store.get("b").lease_until == lease


def test_the_last_ended_job_is_cleaned_up_first(store):
    for job_id in ("a", "b"):
        batch(store, job_id)
        assert store.cancel(job_id)

    assert [each.job_id for each in parts.leftovers(store.engine)] == ["b", "a"]


def test_parts_that_complete_at_the_same_time_queue_the_batch_job_once(store):
    split(store)
    held = [claimed(store, number, f"one:{number}") for number in range(COUNT)]

    applied = at_once(
        COUNT, lambda n: parts.complete_part(store.engine, *held[n], f"key-{n}", RESULT)
    )

    assert applied == [True] * COUNT
    job = store.get("b")
    assert (job.state, job.worker, job.published_at) == (JobStatus.QUEUED, None, None)


def test_a_part_has_one_result(store):
    split(store)
    part, first = claimed(store, 0)
    expire(store, part.id)
    assert store.requeue_expired_leases() == 1
    _, second = claimed(store, 0, "two:part")

    assert not parts.complete_part(store.engine, part, first, "late", RESULT)
    assert parts.complete_part(store.engine, part, second, "key", RESULT)
    assert parts.complete_part(store.engine, part, second, "key", RESULT)  # its answer was lost
    assert not parts.complete_part(store.engine, part, first, "late", RESULT)
    assert store.get(part.id).result_key == "key"
    assert round(store.get("b").progress, 2) == 0.33


def test_cancelling_a_batch_job_ends_its_parts(store):
    split(store)
    complete(store, 0)
    part, attempt = claimed(store, 1)

    assert store.cancel("b")

    assert states(store) == [JobStatus.COMPLETED, JobStatus.CANCELLED, JobStatus.CANCELLED]
    assert store.renew({(part.id, attempt): None}) == set()
    assert not parts.complete_part(store.engine, part, attempt, "late", RESULT)
    assert store.claim(part_id("b", 2), "one:part") is None
    assert store.get("b").state is JobStatus.CANCELLED


def test_a_part_alone_is_not_cancelled(store):
    split(store)

    assert not store.cancel(part_id("b", 0))
    assert states(store) == [JobStatus.QUEUED] * COUNT


def failed(store, part, attempt):
    assert store.fail(part.id, attempt, ERROR)


def failed_often(store, part, attempt):
    put(store, part.id, failures=99)
    assert store.retry(part.id, attempt, ERROR, 0.0)


def lost_often(store, part, attempt):
    put(store, part.id, losses=MAX_LOSSES - 1)
    expire(store, part.id)
    assert store.requeue_expired_leases() == 1


@pytest.mark.parametrize("end", [failed, failed_often, lost_often])
def test_a_part_that_fails_for_good_ends_its_batch_job(store, end):
    split(store)
    complete(store, 0)
    end(store, *claimed(store, 1))

    assert parts.end_failed_batches(store.engine) == 1

    job, part = store.get("b"), store.get(part_id("b", 1))
    assert (job.state, job.error) == (JobStatus.ERROR, {**part.error, "part": 1})
    assert job.ended_at
    assert states(store) == [JobStatus.COMPLETED, JobStatus.ERROR, JobStatus.CANCELLED]
    assert parts.end_failed_batches(store.engine) == 0


def test_a_part_that_may_still_succeed_ends_nothing(store):
    split(store)
    part, attempt = claimed(store, 1)
    assert store.retry(part.id, attempt, ERROR, 0.0)

    assert parts.end_failed_batches(store.engine) == 0
    assert store.get("b").state is JobStatus.RUNNING


def test_no_relay_takes_a_job_that_its_parts_hold(store):
    split(store)

    assert store.leases() == {}
    assert store.requeue_expired_leases() == 0
    lease = store.get("b").lease_until
    # What relays of older versions do, for whom HELD_BY_PARTS has an empty name.
    assert store.requeue_lost(HELD_BY_PARTS.rpartition(":")[0], lease) == 0
    assert store.get("b").state is JobStatus.RUNNING


def test_parts_are_shown_by_their_batch_job_alone(store):
    split(store)

    assert [job.id for job in store.newest(10)] == ["b"]
    assert store.show(LATEST).id == "b"
    assert store.show(part_id("b", 0)) is None
    assert store.versions([part_id("b", 0)]) == {}


def test_a_completed_batch_job_has_a_file(store):
    split(store)
    for number in range(COUNT):
        complete(store, number)
    attempt = store.claim("b", "one:batch")
    done = ("b", attempt, "batch/b/2/result.csv", "f" * 64, RESULT, 1_000_000)

    assert parts.complete_batch(store.engine, *done)
    assert parts.complete_batch(store.engine, *done)  # the answer to the first was lost
    job = store.get("b")
    assert (job.state, job.result_key, job.result) == ("TASK_COMPLETED", done[2], RESULT)
    assert job.size >= 1_000_000
    assert not parts.complete_batch(store.engine, "b", 1, "late", "0" * 64, RESULT, 1)


def test_a_file_of_gigabytes_is_counted_as_far_as_the_column_can(store):
    attempt = batch(store)

    assert parts.complete_batch(store.engine, "b", attempt, "k", "f" * 64, RESULT, 10**12)
    assert store.get("b").size == 2_000_000_000


def test_what_is_left_of_an_ended_batch_job_is_forgotten_once(store):
    split(store)
    assert parts.leftovers(store.engine) == []
    parts.forget_parts(store.engine, "b")
    assert len(parts.parts_of(store.engine, "b")) == COUNT  # because the job runs

    assert store.cancel("b")
    assert parts.leftovers(store.engine) == [parts.Leftovers("b", "batch/b/", None)]
    parts.forget_parts(store.engine, "b")
    assert parts.leftovers(store.engine) == []
    assert parts.parts_of(store.engine, "b") == []
    assert store.get("b").state is JobStatus.CANCELLED


def test_the_parts_of_a_job_that_an_older_version_cancelled_end(store):
    split(store)
    put(store, "b", state=JobStatus.CANCELLED, ended_at=0)

    parts.cancel_parts(store.engine, "b")

    assert states(store) == [JobStatus.CANCELLED] * COUNT


def test_parts_count_for_no_quota(store):
    split(store)
    quotas = JobQuotas(all_queued=1)

    accept(store, "other", quotas=quotas)
    with pytest.raises(errors.Overloaded):
        accept(store, "one-more", quotas=quotas)
