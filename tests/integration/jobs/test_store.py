import pytest

from app.jobs.requeue import MAX_LOSSES
from app.jobs.store import JobStore
from app.protocol.types import JobKind, JobStatus
from tests.support.rows import (
    ANSWER,
    ASKED,
    ERROR,
    INPUTS,
    REQUEST,
    RESULT,
    accept,
    at_once,
    expire,
    put,
    run,
)


def in_state(store, state):
    """Make a job and lead it to this state; return the number of its attempt."""
    attempt = run(store)
    match state:
        case JobStatus.QUEUED:
            assert store.release("m", attempt)
        case JobStatus.COMPLETED:
            assert store.complete_training("m", attempt, *RESULT)
        case JobStatus.ERROR:
            assert store.fail("m", attempt, ERROR)
        case JobStatus.CANCELLED:
            assert store.cancel("m")
    assert store.get("m").state is state
    return attempt


def test_a_job_that_is_accepted_is_queued(store):
    assert store.create("m", JobKind.TRAIN, "d", REQUEST)

    job = store.get("m")
    assert (job.id, job.kind, job.dataset_id, job.request) == ("m", JobKind.TRAIN, "d", REQUEST)
    assert job.state is JobStatus.QUEUED
    assert not job.ended
    assert job.attempt == job.failures == 0
    assert job.created_at is not None
    assert job.published_at is not None  # by whoever accepted it
    for name in ("worker", "progress", "result_key", "result_sha256", "metrics", "error"):
        assert getattr(job, name) is None
    for name in ("idempotency_key", "reply_to", "correlation_id", "run_after", "lease_until"):
        assert getattr(job, name) is None
    assert job.started_at is job.ended_at is None


def test_a_job_keeps_who_asked_and_under_which_key(store):
    accept(store, idempotency_key="k", reply_to="amq.gen-1", correlation_id="c1")

    job = store.get("m")
    assert (job.idempotency_key, job.reply_to, job.correlation_id) == ("k", "amq.gen-1", "c1")


def test_an_id_is_given_once(store):
    accept(store)

    assert not store.create("m", JobKind.TRAIN, "other", {})
    assert store.get("m").dataset_id == "d"


def test_an_idempotency_key_is_used_once(store):
    accept(store, "one", idempotency_key="k")

    assert not store.create("two", JobKind.TRAIN, "d", REQUEST, idempotency_key="k")
    assert store.get("two") is None
    assert store.of_key("k").id == "one"
    accept(store, "three", idempotency_key="another")
    accept(store, "four")
    accept(store, "five")  # any number have none


def test_a_key_of_255_characters_is_kept_whole(store):
    accept(store, idempotency_key="k" * 255)

    assert store.of_key("k" * 255).id == "m"
    assert store.of_key("k" * 254) is None


def test_a_job_that_nobody_accepted_is_not_there(store):
    assert store.get("m") is None
    assert store.of_key("k") is None
    assert store.claim("m", "worker") is None
    assert not store.cancel("m")
    assert store.newest(10) == []


def test_a_claim_starts_the_first_attempt(store):
    accept(store)

    assert store.claim("m", "worker 1") == 1

    job = store.get("m")
    assert job.state is JobStatus.RUNNING
    assert (job.attempt, job.failures, job.worker) == (1, 0, "worker 1")
    assert job.created_at <= job.started_at < job.lease_until
    assert job.ended_at is None


def test_a_result_completes_the_job(store):
    attempt = run(store)

    assert store.complete_training("m", attempt, *RESULT)

    job = store.get("m")
    assert job.state is JobStatus.COMPLETED
    assert job.ended
    assert (job.result_key, job.result_sha256, job.metrics, job.fit_summary) == RESULT
    assert job.error is None
    assert job.progress == 1.0
    assert job.created_at <= job.started_at <= job.ended_at


def test_a_result_whose_answer_got_lost_is_published_once(store):
    attempt = run(store)
    assert store.complete_training("m", attempt, *RESULT)
    before = store.get("m")

    assert store.complete_training("m", attempt, *RESULT)
    assert not store.complete_training("m", attempt, "models/m/other/", *RESULT[1:])
    assert not store.complete_training("m", attempt + 1, *RESULT)

    assert store.get("m") == before


def test_an_error_ends_the_job(store):
    attempt = run(store)

    assert store.fail("m", attempt, ERROR)

    job = store.get("m")
    assert job.state is JobStatus.ERROR
    assert job.error == ERROR
    assert job.result_key is job.metrics is None
    assert job.started_at <= job.ended_at


def test_a_job_that_is_released_is_claimed_anew(store):
    attempt = run(store)

    assert store.release("m", attempt)

    job = store.get("m")
    assert job.state is JobStatus.QUEUED
    assert job.worker is None
    assert (job.attempt, job.failures) == (1, 0)
    assert job.published_at is not None  # its message goes back
    assert job.ended_at is None
    assert store.claim("m", "worker 2") == 2


def test_handing_a_job_back_is_no_failure_however_often(store):
    accept(store)

    for attempt in range(1, 11):
        assert store.claim("m", f"worker {attempt}") == attempt
        assert store.release("m", attempt)

    assert store.get("m").failures == 0


def test_an_attempt_that_failed_for_now_is_followed_by_another(store):
    attempt = run(store)

    assert store.retry("m", attempt, ERROR, delay=100.0)

    job = store.get("m")
    assert job.state is JobStatus.QUEUED
    assert (job.attempt, job.failures, job.worker) == (1, 1, None)
    assert job.error == ERROR
    assert job.published_at is None  # its message has to wait in a retry queue
    assert 100 <= (job.run_after - job.started_at).total_seconds() < 160
    assert job.ended_at is None
    assert store.claim("m", "worker 2") == 2
    assert store.get("m").run_after is None


def test_a_job_that_succeeds_at_last_shows_no_error(store):
    assert store.retry("m", run(store), ERROR, 0.0)
    attempt = store.claim("m", "worker")
    assert store.get("m").error == ERROR

    assert store.complete_training("m", attempt, *RESULT)

    job = store.get("m")
    assert job.error is None
    assert job.failures == 1


@pytest.mark.parametrize("most", [1, 2, 4])
def test_the_last_failure_ends_the_job(database_url, most):
    store = JobStore(database_url, max_attempts=most)
    accept(store)

    for number in range(1, most + 1):
        assert store.get("m").state is JobStatus.QUEUED
        attempt = store.claim("m", "worker")
        assert store.retry("m", attempt, ERROR | {"number": number}, delay=5.0)

    job = store.get("m")
    assert job.state is JobStatus.ERROR
    assert job.failures == most
    assert job.error == ERROR | {"number": most}
    assert job.ended_at >= job.started_at
    assert job.run_after is None  # there is no next attempt to wait for
    store.close()


@pytest.mark.parametrize("state", [JobStatus.QUEUED, JobStatus.RUNNING])
def test_a_job_that_has_not_ended_is_cancelled(store, state):
    attempt = in_state(store, state)

    assert store.cancel("m")

    job = store.get("m")
    assert job.state is JobStatus.CANCELLED
    assert job.ended_at >= job.created_at
    assert not store.cancel("m")
    assert not store.renew({("m", attempt): None})  # by which its consumer learns of it
    assert store.get("m") == job


def test_a_retry_that_waits_may_be_cancelled(store):
    assert store.retry("m", run(store), ERROR, delay=60.0)

    assert store.cancel("m")

    job = store.get("m")
    assert job.state is JobStatus.CANCELLED
    assert job.run_after is None


ENDED = [JobStatus.COMPLETED, JobStatus.ERROR, JobStatus.CANCELLED]


@pytest.mark.parametrize("state", ENDED)
def test_a_job_that_has_ended_does_not_change(store, state):
    attempt = in_state(store, state)
    expire(store)
    before = store.get("m")

    assert store.claim("m", "late") is None
    assert store.claim("m", before.worker) is None
    assert not store.renew({("m", attempt): 0.5})
    assert not store.complete_training("m", attempt, "late/", "b" * 64, {}, {})
    assert not store.fail("m", attempt, {"type": "late"})
    assert not store.retry("m", attempt, {"type": "late"}, 1.0)
    assert not store.release("m", attempt)
    assert not store.cancel("m")
    assert not store.create("m", JobKind.TRAIN, "late", {})
    store.mark_unpublished("m")
    assert store.requeue_expired_leases() == 0

    assert store.get("m") == before


def test_a_job_that_is_queued_is_not_changed_by_an_attempt(store):
    attempt = in_state(store, JobStatus.QUEUED)
    before = store.get("m")

    assert not store.renew({("m", attempt): 0.5})
    assert not store.complete_training("m", attempt, *RESULT)
    assert not store.fail("m", attempt, ERROR)
    assert not store.retry("m", attempt, ERROR, 1.0)
    assert not store.release("m", attempt)

    assert store.get("m") == before


@pytest.mark.parametrize("attempt", [0, 1, 3, -1])
def test_the_wrong_attempt_changes_nothing(store, attempt):
    assert store.release("m", run(store))
    assert store.claim("m", "worker 2") == 2
    before = store.get("m")

    assert not store.renew({("m", attempt): 0.5})
    assert not store.complete_training("m", attempt, *RESULT)
    assert not store.fail("m", attempt, ERROR)
    assert not store.retry("m", attempt, ERROR, 1.0)
    assert not store.release("m", attempt)

    assert store.get("m") == before
    assert store.complete_training("m", 2, *RESULT)


def test_an_attempt_changes_its_own_job_only(store):
    one, two, three = (run(store, name) for name in ("one", "two", "three"))
    accept(store, "four")
    before = [store.get(name) for name in ("two", "four")]

    assert store.fail("one", one, ERROR)
    assert store.retry("three", three, ERROR, 1.0)
    assert store.cancel("three")

    assert [store.get(name) for name in ("two", "four")] == before
    assert store.complete_training("two", two, *RESULT)


def test_the_version_grows_with_whatever_a_user_may_see(store):
    accept(store)
    seen = [store.get("m").version]

    def grew(applied=True):
        seen.append(store.get("m").version)
        return applied and seen[-1] > seen[-2]

    attempt = store.claim("m", "worker")
    assert grew()
    assert grew(store.renew({("m", attempt): 0.5}))
    assert grew(store.retry("m", attempt, ERROR, 0.0))
    attempt = store.claim("m", "worker")
    assert grew()
    assert grew(store.release("m", attempt))
    attempt = store.claim("m", "worker")
    assert grew()
    expire(store)
    assert grew(store.requeue_expired_leases() == 1)
    attempt = store.claim("m", "worker")
    assert grew()
    assert grew(store.complete_training("m", attempt, *RESULT))


def test_the_version_does_not_grow_with_what_nobody_sees(store):
    attempt = run(store)
    running = store.get("m").version
    assert store.renew({("m", attempt): None})
    assert store.get("m").version == running

    assert store.release("m", attempt)
    queued = store.get("m").version
    store.mark_unpublished("m")
    assert store.get("m").version == queued


@pytest.mark.parametrize("round_", range(3))
def test_of_twenty_claims_at_once_one_wins(store, round_):
    accept(store)

    attempts = at_once(20, lambda n: store.claim("m", f"worker {n}"))

    (winner,) = [n for n, attempt in enumerate(attempts) if attempt is not None]
    assert attempts[winner] == 1
    assert store.get("m").worker == f"worker {winner}"
    assert store.get("m").attempt == 1


def test_of_twenty_that_accept_one_id_one_wins(store):
    accepted = at_once(20, lambda n: store.create("m", JobKind.TRAIN, f"d{n}", REQUEST))

    assert accepted.count(True) == 1
    assert store.get("m").dataset_id == f"d{accepted.index(True)}"


def test_of_twenty_that_use_one_key_one_wins(store):
    accepted = at_once(
        20, lambda n: store.create(f"m{n}", JobKind.TRAIN, "d", REQUEST, idempotency_key="k")
    )

    assert accepted.count(True) == 1
    assert store.of_key("k").id == f"m{accepted.index(True)}"
    assert len(store.newest(100)) == 1


def test_of_twenty_ends_at_once_one_wins(store):
    attempt = run(store)

    def end(n):
        match n % 3:
            case 0:
                return store.complete_training("m", attempt, f"key {n}", "a" * 64, {}, {})
            case 1:
                return store.fail("m", attempt, {"type": str(n)})
            case 2:
                return store.cancel("m")

    ended = at_once(20, end)

    assert ended.count(True) == 1
    job, winner = store.get("m"), ended.index(True)
    assert job.state is ENDED[winner % 3]
    assert job.result_key == (f"key {winner}" if winner % 3 == 0 else None)
    assert job.error == ({"type": str(winner)} if winner % 3 == 1 else None)


def test_of_twenty_ways_out_of_an_attempt_at_once_one_is_gone(store):
    attempt = run(store)
    expire(store)

    def leave(n):
        match n % 4:
            case 0:
                return store.complete_training("m", attempt, f"key {n}", "a" * 64, {}, {})
            case 1:
                return store.retry("m", attempt, ERROR, 1.0)
            case 2:
                return store.release("m", attempt)
            case 3:
                return store.requeue_expired_leases() == 1

    left = at_once(20, leave)

    assert left.count(True) == 1
    job, winner = store.get("m"), left.index(True)
    assert job.state is (JobStatus.QUEUED if winner % 4 else JobStatus.COMPLETED)
    assert (job.failures, job.losses) == (winner % 4 == 1, winner % 4 == 3)


def test_of_twenty_that_reap_at_once_each_job_is_reaped_once(store):
    for n in range(10):
        run(store, f"job-{n}")
    put(store, lease_until=-1)

    reaped = at_once(20, lambda _: store.requeue_expired_leases())

    assert sum(reaped) == 10
    assert [job.losses for job in store.newest(100)] == [1] * 10


def test_writers_and_readers_do_not_wait_for_ever_for_each_other(store):
    def work(n):
        attempt = run(store, f"job-{n}")
        assert store.newest(5)
        return store.complete_training(f"job-{n}", attempt, *RESULT)

    assert at_once(20, work) == [True] * 20
    assert len(store.newest(100, JobStatus.COMPLETED)) == 20


# Jobs that predict.


def test_a_prediction_keeps_what_is_asked_until_it_ends(store):
    attempt = run(store, kind=JobKind.PREDICT)

    job = store.get("m")
    assert (job.kind, job.dataset_id, job.request, job.result) == (
        JobKind.PREDICT,
        None,
        ASKED,
        None,
    )
    assert store.inputs("m") == INPUTS
    assert store.complete_prediction("m", attempt, ANSWER)
    assert store.inputs("m") is None


def test_inputs_of_megabytes_come_back_as_they_went(store):
    inputs = '{"image_data":"' + "x" * 4_000_000 + '\\u0000é"}'
    accept(store, kind=JobKind.PREDICT, inputs=inputs)

    assert store.inputs("m") == inputs
    assert store.inputs("nobody") is None


def test_an_answer_completes_the_job(store):
    attempt = run(store, kind=JobKind.PREDICT)

    assert store.complete_prediction("m", attempt, ANSWER)

    job = store.get("m")
    assert job.state is JobStatus.COMPLETED
    assert (job.result, job.error, job.progress) == (ANSWER, None, 1.0)
    assert job.result_key is job.metrics is None
    assert job.started_at <= job.ended_at


def test_an_answer_whose_confirmation_got_lost_is_written_once(store):
    attempt = run(store, kind=JobKind.PREDICT)
    assert store.complete_prediction("m", attempt, ANSWER)
    before = store.get("m")

    assert store.complete_prediction("m", attempt, ANSWER)
    assert not store.complete_prediction("m", attempt + 1, ANSWER)

    assert store.get("m") == before


def test_an_answer_that_comes_late_changes_nothing(store):
    late = run(store, kind=JobKind.PREDICT)
    assert store.lose("m", late, ERROR)
    assert store.claim("m", "worker 2") == late + 1

    assert not store.complete_prediction("m", late, ANSWER)
    assert store.cancel("m")
    assert not store.complete_prediction("m", late + 1, ANSWER)

    assert store.get("m").result is None


@pytest.mark.parametrize("end", ["fail", "cancel", "retry", "reap"])
def test_with_the_end_of_a_prediction_its_inputs_go(store, end):
    attempt = run(store, kind=JobKind.PREDICT)
    put(store, failures=3, losses=MAX_LOSSES - 1)  # the next is the last

    match end:
        case "fail":
            assert store.fail("m", attempt, ERROR)
        case "cancel":
            assert store.cancel("m")
        case "retry":
            assert store.retry("m", attempt, ERROR, 2.0)
        case "reap":
            expire(store)
            assert store.requeue_expired_leases() == 1

    assert store.get("m").ended
    assert store.inputs("m") is None


def test_what_is_tried_again_keeps_its_inputs(store):
    assert store.retry("m", run(store, kind=JobKind.PREDICT), ERROR, 2.0)
    assert store.inputs("m") == INPUTS
    attempt = store.claim("m", "worker 2")
    assert store.release("m", attempt)
    assert store.inputs("m") == INPUTS


def test_the_list_leaves_answers_out(store):
    assert store.complete_prediction("m", run(store, kind=JobKind.PREDICT), ANSWER)

    (job,) = store.newest(10)

    assert (job.id, job.state, job.result) == ("m", JobStatus.COMPLETED, None)
