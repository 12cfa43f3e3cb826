"""The rows of a job's attempts, as the transitions of the job write them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from app import errors
from app.database.engine import database_now
from app.database.tables import attempts_table
from app.jobs import parts, retention, shares
from app.jobs.attempt_end import GAVE_SLOT, STOPPED, AttemptOutcome, error_reason
from app.jobs.attempt_list import attempts_of
from app.jobs.attempt_statements import KEPT
from app.jobs.parts import NewPart, part_id
from app.jobs.requeue import MAX_LOSSES
from app.jobs.retention import Retention
from app.protocol.types import JobKind, JobStatus
from tests.support.counted_statements import counted_statements
from tests.support.rows import ANSWER, ERROR, RESULT, accept, expire, put, run

BAD_DATA = "bad_data: no column a"
INTERRUPTED = errors.ChildLost("the system killed it").to_wire()


def told(store, job_id="m"):
    """What the rows say of the ends, in order."""
    return [(each.outcome, each.reason) for each in attempts_of(store.engine, store.get(job_id))]


def all_rows(store):
    with store.engine.connect() as connection:
        return connection.execute(sa.select(attempts_table)).all()


def test_an_attempt_has_its_consumer_and_its_times(store):
    accept(store)
    assert attempts_of(store.engine, store.get("m")) == []

    store.claim("m", "host:1:ab:train-0")
    (running,) = attempts_of(store.engine, store.get("m"))
    assert (running.attempt, running.consumer) == (1, "host:1:ab:train-0")
    assert (running.ended_at, running.outcome, running.reason) == (None, None, None)

    store.complete_training("m", 1, *RESULT)
    (ended,) = attempts_of(store.engine, store.get("m"))
    assert ended.outcome is AttemptOutcome.COMPLETED
    assert ended.started_at == running.started_at
    job = store.get("m")
    assert job.created_at <= ended.started_at <= ended.ended_at
    assert abs((ended.ended_at - job.ended_at).total_seconds()) < 60


ENDS = {
    "complete": (lambda store: store.complete_training("m", 1, *RESULT), "completed", None),
    "answer": (lambda store: store.complete_prediction("m", 1, ANSWER), "completed", None),
    "fail": (lambda store: store.fail("m", 1, ERROR), "failed", BAD_DATA),
    "retry": (lambda store: store.retry("m", 1, ERROR, 2.0), "failed", BAD_DATA),
    "release": (lambda store: store.release("m", 1), "released", STOPPED),
    "lose": (
        lambda store: store.lose("m", 1, INTERRUPTED),
        "interrupted",
        "child_lost: the system killed it",
    ),
    "cancel": (lambda store: store.cancel("m"), "cancelled", None),
}


@pytest.mark.parametrize("how", ENDS)
def test_an_end_says_how_and_why(store, how):
    end, outcome, reason = ENDS[how]
    run(store)

    assert end(store)

    assert told(store) == [(outcome, reason)]


@pytest.mark.parametrize("how", [name for name in ENDS if name != "cancel"])
def test_an_attempt_that_has_lost_its_job_ends_nothing(store, how):
    run(store)
    store.release("m", 1)
    store.claim("m", "other")

    assert not ENDS[how][0](store)

    assert told(store) == [("released", STOPPED), (None, None)]


def test_a_lost_consumer_and_an_expired_lease_are_told_apart(store):
    run(store, worker="host:1:ab:train-0")
    assert store.requeue_lost("host:1:ab", store.leases()["host:1:ab"]) == 1
    put(store, "m", run_after=None)
    store.claim("m", "host:2:cd:train-0")
    expire(store)
    assert store.requeue_expired_leases() == 1

    assert told(store) == [("consumer_lost", None), ("lease_expired", None)]


def test_several_leases_expire_at_once(store):
    for job_id in ("a", "b", "c"):
        run(store, job_id)
    put(store, lease_until=-1)
    run(store, "d")

    assert store.requeue_expired_leases() == 3

    ends = {job_id: told(store, job_id)[0][0] for job_id in "abcd"}
    assert ends == {**dict.fromkeys("abc", "lease_expired"), "d": None}


def test_the_last_loss_ends_the_job_and_its_attempt(store):
    run(store)
    put(store, "m", losses=MAX_LOSSES - 1)
    expire(store)
    store.requeue_expired_leases()

    assert store.get("m").state is JobStatus.ERROR
    assert told(store) == [("lease_expired", None)]


def test_a_slot_given_to_another_caller_is_told(store):
    for job_id in ("a", "b"):
        accept(store, job_id, caller="much")
        store.claim(job_id, f"host:1:ab:{job_id}")
    accept(store, "c", caller="waits")
    put(store, "c", published_at=-100)

    released = shares.give_one_back(store)

    assert told(store, released) == [("released", GAVE_SLOT)]


def test_a_claim_whose_answer_was_lost_is_replaced(store):
    run(store, worker="mine")
    assert store.claim("m", "mine") == 2

    assert told(store) == [("replaced", None), (None, None)]


def test_the_times_of_all_attempts_stay(store):
    accept(store)
    for _ in range(3):
        attempt = store.claim("m", "worker")
        store.release("m", attempt)

    rows = attempts_of(store.engine, store.get("m"))

    assert [each.attempt for each in rows] == [1, 2, 3]
    times = [time for each in rows for time in (each.started_at, each.ended_at)]
    assert times == sorted(times)


def test_a_job_keeps_its_newest_attempts(store):
    accept(store)
    for _ in range(KEPT + 3):
        store.release("m", store.claim("m", "worker"))

    assert [each.attempt for each in attempts_of(store.engine, store.get("m"))] == list(
        range(4, KEPT + 4)
    )


def test_a_deleted_job_leaves_no_rows(store):
    run(store)
    store.fail("m", 1, ERROR)
    run(store, "stays")

    assert retention.delete_old_jobs(store.engine, Retention(0.0, 0, 0)) == 1

    assert {row.job_id for row in all_rows(store)} == {"stays"}


def test_the_rows_of_a_deleted_job_are_not_those_of_another_with_its_id(store):
    accept(store)
    old = {"job_id": "m", "consumer": "old", "started_at": database_now(-100.0)}
    with store.engine.connect() as connection:  # as an older producer's retention leaves them
        for attempt in (1, 2, 3):
            connection.execute(sa.insert(attempts_table).values(**old, attempt=attempt))

    assert attempts_of(store.engine, store.get("m")) == []
    store.claim("m", "new")
    store.release("m", 1)
    store.claim("m", "new")

    assert [each.consumer for each in attempts_of(store.engine, store.get("m"))] == ["new", "new"]
    assert len(all_rows(store)) == 2


def test_a_batch_job_is_split_and_put_together(store):
    accept(store, "b", kind=JobKind.BATCH)
    assert parts.begin_parts(store.engine, "b", store.claim("b", "w"), [NewPart("k", 1)])
    assert told(store, "b") == [("split", None)]
    part = part_id("b", 0)
    attempt = store.claim(part, "w")
    assert parts.complete_part(store.engine, store.get(part), attempt, "k", {"rows": 1})
    assert told(store, part) == [("completed", None)]
    attempt = store.claim("b", "w")
    assert parts.complete_batch(store.engine, "b", attempt, "k", "f" * 64, {"rows": 1}, 1)

    assert told(store, "b") == [("split", None), ("completed", None)]


def test_a_cancelled_batch_job_ends_the_attempts_of_its_parts(store):
    accept(store, "b", kind=JobKind.BATCH)
    made = [NewPart("k", 1), NewPart("l", 1)]
    parts.begin_parts(store.engine, "b", store.claim("b", "w"), made)
    store.claim(part_id("b", 0), "w")

    store.cancel("b")

    assert told(store, "b") == [("split", None)]
    assert told(store, part_id("b", 0)) == [("cancelled", None)]
    put(store, "b", folder="f")
    parts.forget_parts(store.engine, "b")
    assert {row.job_id for row in all_rows(store)} == {"b"}


def test_any_reason_can_be_stored(store):
    run(store)
    error = {"type": "bad_data", "detail": "nul \0 and \ud800 " + "x" * 9999}

    assert store.fail("m", 1, error)

    ((_, reason),) = told(store)
    assert reason == error_reason(error)
    assert len(reason) <= 1000


def test_a_claim_is_one_round_trip_on_postgresql(store):
    accept(store)
    accept(store, "p", kind=JobKind.PREDICT)
    on_postgresql = store.engine.dialect.name == "postgresql"

    with counted_statements(store.engine) as of_claim:
        store.claim("p", "worker")
    with counted_statements(store.engine) as of_end:
        store.complete_prediction("p", 1, ANSWER)

    assert (len(of_claim), len(of_end)) == ((1, 1) if on_postgresql else (2, 2))


def test_only_one_of_many_claims_has_a_row(store):
    accept(store)
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda n: store.claim("m", f"worker-{n}"), range(8)))

    assert sorted(filter(None, claimed)) == [1]
    assert len(attempts_of(store.engine, store.get("m"))) == 1
