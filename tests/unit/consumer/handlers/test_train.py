import gzip
import itertools
import json
import logging

import pytest

from app import errors
from app.amqp.message import Disposition
from app.auth.audit_listing import AuditFilter, list_audit
from app.auth.grants import EVERYONE, Grants, Kind
from app.auth.identity import Identity, Scope
from app.backoff import RetryUntilAvailable
from app.consumer.handlers import train
from app.database.engine import database_now
from app.database.paging import Page
from app.jobs.attempt import JobAttempts
from app.jobs.lease import LeaseKeeper
from app.jobs.listing import JobFilter
from app.jobs.quotas import JobQuotas
from app.jobs.requeue import MAX_LOSSES
from app.models.registry import CachedModelRegistry
from app.observability import logs
from app.protocol.types import JobKind, JobStatus
from app.training.fit_process import FitLimits
from tests.support.fakes import FakeDatasets, FakeModels, FakeTrainer, FaultyJobs, Pauses, delivery
from tests.support.rows import ENDPOINT
from tests.support.waiting import until

TRAINING = {"dataset_id": "data", "features": ["a"], "target": "t", "model_id": "m"}
NAMELESS = {key: value for key, value in TRAINING.items() if key != "model_id"}
REORDERED = dict(reversed({**NAMELESS, "params": {}}.items()))
ELSEWHERE = ("models/m/9/", "a" * 64, {"rmse": 2.0}, {})
AWAY = errors.DatabaseUnavailable


class Bench:
    """The handler of trainings, on a real table and fakes of all else."""

    def __init__(self, path, renew_seconds=1.0):
        self.jobs = FaultyJobs(path)
        self.datasets = FakeDatasets()
        self.models = FakeModels()
        self.trainer = FakeTrainer()
        self.stopping = Pauses()
        self.failures = []
        self.delay = 0.0
        self.leases = LeaseKeeper(self.jobs, renew_seconds)
        self.leases.start()
        self.train = self.consumer("worker 1", self.stopping)
        self.jobs.create("m", JobKind.TRAIN, "data", TRAINING)

    def consumer(self, name, stopping, **options):
        retry = RetryUntilAvailable(stopping, lambda: itertools.repeat(0.0))
        attempts = JobAttempts(self.jobs, name, retry, retry_delay=self.retry_delay)
        parts = (self.jobs, attempts, self.leases, self.datasets, self.models, self.trainer)
        return train.TrainHandler(*parts, FitLimits(100.0, 10**9), retry, **options)

    def retry_delay(self, failures):
        self.failures.append(failures)
        return self.delay

    def close(self):
        self.leases.stop()
        self.leases.join()
        self.jobs.close()

    def handle(self, body=None, **changes):
        message = delivery(TRAINING if body is None else body, **changes)
        self.train([message])
        return message

    def handle_elsewhere(self, **changes):
        message = delivery(TRAINING, **changes)
        self.consumer("worker 2", Pauses())([message])
        return message

    def run_elsewhere(self):
        """Have another worker run the job; return its attempt."""
        return self.jobs.claim("m", "worker 2")

    def silence(self):
        """Make it so long ago that the lease was renewed."""
        self.jobs.set("m", lease_until=database_now(-1))

    def lose(self):
        """Have the relay find that the job's consumer is lost, before it renews its lease again."""

        def lost():
            self.silence()
            return self.jobs.requeue_expired_leases()

        until(lost, "the job is lost")

    def take_over(self):
        """Have another worker take the job over; return its attempt."""
        self.lose()
        return self.run_elsewhere()

    @property
    def row(self):
        return self.jobs.get("m")


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "jobs.db")
    yield made
    made.close()


@pytest.fixture
def renewing(tmp_path):
    """A bench whose leases are renewed all the time."""
    made = Bench(tmp_path / "jobs.db", renew_seconds=0.001)
    yield made
    made.close()


@pytest.fixture
def logged(caplog):
    """The lines that were logged, as they begin."""
    caplog.set_level(logging.INFO)
    return lambda start: [line for line in caplog.messages if line.startswith(start)]


def statuses(message):
    return [reply["status"] for reply in message.channel.replies]


def last(message):
    return message.channel.replies[-1]


# What goes well.


def test_a_training_is_received_run_stored_and_told(bench):
    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED", "TASK_COMPLETED"]
    received, completed = message.channel.replies
    assert received == {"status": "TASK_RECEIVED", "model_id": "m"}
    assert completed == {"status": "TASK_COMPLETED", "model_id": "m", "metrics": {"rmse": 1.0}}
    assert message.disposition is Disposition.ACK
    row = bench.row
    assert row.state is JobStatus.COMPLETED
    assert (row.result_key, row.result_sha256) == ("models/m/1/", "sha256")
    assert (row.worker, row.attempt, row.failures) == ("worker 1", 1, 0)
    ((attempt, manifest, onnx),) = bench.models.stored
    assert (attempt, manifest.model_id, onnx) == (1, "m", b"onnx")
    assert bench.models.deleted == []


def test_the_row_is_committed_before_the_reply(bench):
    seen = []
    message = delivery(TRAINING)
    message.channel.publish = lambda *_: seen.append(bench.row.state)

    bench.train([message])

    assert seen == [JobStatus.RUNNING, JobStatus.COMPLETED]


def test_a_client_of_amqp_alone_gets_a_row_that_knows_where_to_reply(bench):
    message = bench.handle({**TRAINING, "model_id": "n"}, reply_to="me", correlation_id="c9")

    assert statuses(message) == ["TASK_RECEIVED", "TASK_COMPLETED"]
    row = bench.jobs.get("n")
    assert row.state is JobStatus.COMPLETED
    assert row.dataset_id == "data"
    assert (row.reply_to, row.correlation_id) == ("me", "c9")
    assert row.request["features"] == ["a"]


@pytest.mark.parametrize(("queue", "correlation"), [("a\0b", "c"), ("a", "\0"), ("a", b"\xff")])
def test_an_address_that_no_row_can_hold_is_used_and_forgotten(bench, queue, correlation):
    message = bench.handle(
        {**TRAINING, "model_id": "n"}, reply_to=queue, correlation_id=correlation
    )

    assert statuses(message) == ["TASK_RECEIVED", "TASK_COMPLETED"]
    assert {sent.queue for sent in message.channel.published} == {queue}
    row = bench.jobs.get("n")
    assert row.state is JobStatus.COMPLETED
    assert row.reply_to == (None if "\0" in queue else queue)
    assert row.correlation_id == (correlation if correlation == "c" else None)


def test_a_client_that_names_no_model_gets_a_name(bench):
    message = bench.handle(NAMELESS)

    received, completed = message.channel.replies
    assert received["model_id"] == completed["model_id"]
    assert bench.jobs.get(received["model_id"]).state is JobStatus.COMPLETED


@pytest.mark.parametrize(
    ("asked", "limits"),
    [
        ({}, FitLimits(100.0, 10**9)),
        ({"max_seconds": 5.0, "max_memory": 10**8}, FitLimits(5.0, 10**8)),
        ({"max_seconds": 1e9, "max_memory": 10**12}, FitLimits(100.0, 10**9)),
    ],
)
def test_a_request_may_ask_for_less_than_the_limits_and_not_for_more(bench, asked, limits):
    bench.handle({**TRAINING, "model_id": "n", **asked})

    assert bench.trainer.limits == [limits]


@pytest.mark.parametrize(
    ("asked", "default", "seconds"),
    [({}, 5.0, 5.0), ({"max_seconds": 50.0}, 5.0, 50.0), ({}, 1e9, 100.0)],
)
def test_a_request_that_asks_for_no_time_gets_the_default(bench, asked, default, seconds):
    handle = bench.consumer("worker 1", Pauses(), default_seconds=default)

    handle([delivery({**TRAINING, "model_id": "n", **asked})])

    assert [limits.seconds for limits in bench.trainer.limits] == [seconds]


@pytest.mark.parametrize(
    ("scopes", "seconds", "refused"),
    [
        ({"train"}, 60.0, False),
        ({"train"}, 61.0, True),
        ({"train", "long"}, 61.0, False),
        (None, 61.0, False),  # a client without an owner keeps the plain contract
    ],
)
def test_a_client_needs_a_scope_for_a_long_fit(bench, scopes, seconds, refused):
    handle = bench.consumer("worker 1", Pauses(), default_seconds=60.0)
    identity = Identity(scopes=frozenset(map(Scope, scopes))) if scopes else None
    body = {**TRAINING, "model_id": "n", "max_seconds": seconds}
    message = delivery(body, identity=identity)

    handle([message])

    assert bool(bench.trainer.limits) is not refused
    if refused:
        error = last(message)["error"]
        assert error["type"] == "forbidden"
        assert error["field"] == "max_seconds"
        assert "needs the scope long; without it a fit takes at most 60 seconds" in error["detail"]
        assert bench.jobs.get("n") is None


def test_the_progress_of_a_fit_is_seen_in_its_row(renewing):
    seen = []

    def meanwhile(on_beat):
        on_beat(0.25)
        while renewing.row.progress is None:
            on_beat(None)
        seen.append(renewing.row.progress)

    renewing.trainer.meanwhile = meanwhile
    renewing.handle()

    assert seen == [0.25]
    assert renewing.row.progress == 1.0


# What makes two messages one training.


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"message_id": "a"}, {"message_id": "a"}, True),
        ({"message_id": "a"}, {"message_id": "a", "reply_to": "b", "correlation_id": "c"}, True),
        ({"message_id": "a"}, {"message_id": "a", "redelivered": True}, True),
        ({"message_id": "a"}, {"message_id": "a", "body": {**NAMELESS, "test_size": 0.3}}, False),
        ({"message_id": "a"}, {"message_id": "a", "body": REORDERED}, True),
        ({"message_id": "a"}, {"message_id": "b"}, False),
        ({"message_id": "a"}, {"message_id": "b", "redelivered": True}, False),
        ({"message_id": "a"}, {"redelivered": True}, False),
        ({}, {}, False),
        ({}, {"redelivered": True}, True),
        ({}, {"message_id": "a", "redelivered": True}, False),
        ({}, {"correlation_id": "c", "redelivered": True}, False),
        ({}, {"reply_to": "b", "redelivered": True}, False),
        ({}, {"redelivered": True, "body": {**NAMELESS, "test_size": 0.3}}, False),
        ({"body": {**NAMELESS, "model_id": "n"}}, {"redelivered": True}, False),
        ({"reply_to": None, "correlation_id": None}, {"redelivered": True}, False),
    ],
)
def test_two_messages_are_one_training_if_they_are_named_alike(bench, first, second, same):
    bench.handle(**{"body": NAMELESS, **first})
    message = bench.handle(**{"body": NAMELESS, **second})

    assert len(bench.trainer.requests) == (1 if same else 2)
    assert statuses(message)[-1] == "TASK_COMPLETED"


def test_a_training_of_http_is_not_taken_for_one_of_a_client_without_a_reply_queue(bench):
    nobody = {"reply_to": None, "correlation_id": None}

    bench.handle(message_id="m", **nobody)
    bench.handle(NAMELESS, redelivered=True, **nobody)

    assert len(bench.trainer.requests) == 2


def test_a_redelivery_is_the_newest_of_the_messages_that_are_alike(bench):
    bench.handle(NAMELESS)
    newest = bench.handle(NAMELESS)

    again = bench.handle(NAMELESS, redelivered=True)

    assert again.channel.replies == [last(newest)]


@pytest.mark.parametrize(("seconds", "trainings"), [(3500, 1), (3700, 2)])
def test_a_message_that_comes_again_an_hour_after_the_end_of_another_is_not_the_other(
    bench, seconds, trainings
):
    first = bench.handle(NAMELESS)
    bench.jobs.set(last(first)["model_id"], ended_at=database_now(-seconds))

    bench.handle(NAMELESS, redelivered=True)

    assert len(bench.trainer.requests) == trainings


@pytest.mark.parametrize("named", [{}, {"message_id": "a"}])
def test_an_error_is_told_only_to_the_request_that_it_belongs_to(bench, named):
    bench.datasets.before["download"] = [errors.NotFound(None, "no such data set")]

    failed = bench.handle(NAMELESS, **named)
    again = bench.handle(NAMELESS, **dict.fromkeys(named, "b"))

    assert statuses(failed)[-1] == "TASK_ERROR"
    assert statuses(again) == ["TASK_RECEIVED", "TASK_COMPLETED"]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("a", {"message_id": "a"}, True),
        ("a", {}, True),
        ("a", {"message_id": ""}, True),
        ("a", {"message_id": "n"}, True),  # as the relay and the producer name it
        ("a", {"message_id": "b"}, False),
        ("a", {"message_id": "b", "redelivered": True}, False),
        ("a", {"message_id": "a", "body": {**REORDERED, "model_id": "n"}}, True),
        (None, {}, True),
        (None, {"message_id": "b"}, False),
    ],
)
def test_a_model_is_trained_once_and_another_request_for_its_id_is_told_so(
    bench, first, second, same
):
    body = {**TRAINING, "model_id": "n"}
    bench.handle(body, message_id=first)
    message = bench.handle(**{"body": body, **second})

    assert len(bench.trainer.requests) == 1
    assert message.disposition is Disposition.ACK
    if same:
        assert statuses(message) == ["TASK_COMPLETED"]
    else:
        error = last(message)["error"]
        assert (error["type"], error["field"]) == ("invalid", "model_id")
        assert error["detail"].startswith("model_id: n is taken by an earlier training; leave it ")


def test_a_consumer_that_stops_does_not_wait_to_learn_which_job_a_message_is(bench):
    bench.jobs.before["trainings_of"] = [AWAY()]
    bench.stopping.set()

    message = bench.handle(NAMELESS, redelivered=True)

    assert message.disposition is Disposition.REQUEUE
    assert message.channel.published == []


def test_an_encoded_training_is_decoded_and_named_as_if_it_were_not(bench):
    packed = gzip.compress(json.dumps(NAMELESS).encode())

    plain = bench.handle(NAMELESS, message_id="a")
    message = bench.handle(packed, message_id="a", encoding="gzip")

    assert message.channel.replies == [last(plain)]


def test_an_encoding_that_nobody_knows_is_answered_and_rejected(bench):
    message = bench.handle(NAMELESS, encoding="utf-16")

    assert statuses(message) == ["TASK_ERROR"]
    assert '"utf-16" is unknown; send gzip, deflate' in last(message)["error"]["detail"]
    assert last(message)["error"]["field"] == "content_encoding"
    assert message.disposition is Disposition.REJECT


# Messages that are none, and errors that would come again.


@pytest.mark.parametrize("body", [b"", b"{", b"[]", {}, {**TRAINING, "features": []}])
def test_poison_is_answered_and_rejected_and_the_next_message_is_handled(bench, body):
    poison, good = delivery(body), delivery(TRAINING)

    bench.train([poison, good])

    assert statuses(poison) == ["TASK_ERROR"]
    assert poison.disposition is Disposition.REJECT
    assert statuses(good) == ["TASK_RECEIVED", "TASK_COMPLETED"]


@pytest.mark.parametrize(
    "error",
    [
        errors.Invalid("params.x", "no such parameter"),
        errors.BadData(None, "no column a", columns=["b"]),
        errors.FitFailed("exit status 1"),
        errors.FitOutOfMemory("more than 1 MB"),
        errors.FitTimeout("longer than 1 s"),
        errors.WarrenError("who knows"),
    ],
)
def test_an_error_that_would_come_again_ends_the_job_at_once(bench, error):
    bench.trainer.before["fit"] = [error]

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED", "TASK_ERROR"]
    assert last(message)["error"] == error.to_wire()
    assert message.disposition is Disposition.ACK
    assert bench.row.state is JobStatus.ERROR
    assert bench.row.error == error.to_wire()


def test_an_unknown_data_set_ends_the_job(bench):
    message = bench.handle({**TRAINING, "model_id": "n", "dataset_id": "nowhere"})

    assert last(message)["error"]["type"] == "not_found"
    assert bench.jobs.get("n").state is JobStatus.ERROR


def test_a_message_of_another_training_of_that_id_is_none(bench):
    message = bench.handle({**TRAINING, "dataset_id": "theirs"})

    assert last(message)["error"]["type"] == "invalid"
    assert message.disposition is Disposition.ACK
    assert bench.row.state is JobStatus.QUEUED
    assert bench.row.failures == 0
    assert bench.trainer.requests == []


def test_a_message_with_the_id_of_a_prediction_does_it_no_harm(bench):
    bench.jobs.create("p", JobKind.PREDICT, None, {"model_id": "m"}, inputs="{}")

    message = bench.handle({**TRAINING, "model_id": "p"})

    assert last(message)["error"]["detail"] == "model_id: p is taken"
    assert message.disposition is Disposition.ACK
    assert bench.jobs.get("p").state is JobStatus.QUEUED
    assert bench.jobs.get("p").failures == 0


def test_a_message_with_the_id_of_a_registered_model_becomes_no_job(bench):
    assert CachedModelRegistry(bench.jobs).register("far", ENDPOINT)

    message = bench.handle({**TRAINING, "model_id": "far"})

    assert last(message)["error"]["detail"] == "model_id: far is taken"
    assert message.disposition is Disposition.ACK
    assert bench.jobs.get("far") is None
    assert bench.trainer.requests == []


def test_a_job_whose_message_cannot_be_understood_does_not_wait_for_ever(bench):
    for failures in range(1, 5):
        message = bench.handle({"estimator": "of the future"}, message_id="m")

        assert message.disposition is Disposition.REJECT
        assert bench.row.failures == failures
    assert bench.row.state is JobStatus.ERROR
    assert bench.row.error["type"] == "invalid"


def test_a_bug_ends_the_job_and_tells_nothing_of_itself(bench):
    bench.trainer.before["fit"] = [KeyError("secret")]

    with pytest.raises(KeyError):
        bench.handle()

    assert bench.row.state is JobStatus.ERROR
    assert bench.row.error["type"] == "internal"
    assert "secret" not in str(bench.row)


def test_a_bug_ends_the_job_as_soon_as_the_database_is_back(bench):
    bench.trainer.before["fit"] = [KeyError("secret")]
    bench.jobs.before["fail"] = [AWAY(), AWAY()]

    with pytest.raises(KeyError):
        bench.handle()

    assert bench.row.state is JobStatus.ERROR


# Errors that may not come again.

FAILURES = {
    "the data set cannot be fetched": ("datasets", "download", errors.StorageUnavailable),
    "the model cannot be stored": ("models", "put_trained", errors.StorageUnavailable),
    "the child is killed": ("trainer", "fit", errors.ChildKilled),
    "the disk is full": ("datasets", "download", lambda _: OSError(28, "No space left")),
}


REFUSED = {"type": "unavailable", "detail": "the consumer's system refused: No space left"}


@pytest.fixture(params=FAILURES)
def fails(bench, request):
    """Let an attempt fail with what may not come again; return what is told of it."""
    bench.train = bench.consumer("worker 1", bench.stopping, keep_seconds=-1.0)
    part, method, kind = FAILURES[request.param]

    def fail():
        error = kind("just now")
        getattr(bench, part).before[method] = [error]
        return error.to_wire() if isinstance(error, errors.WarrenError) else REFUSED

    return fail


def test_what_failed_and_may_yet_succeed_is_retried_after_a_while(bench, fails, logged):
    bench.delay = 1000.0
    error = fails()

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED"]
    assert message.disposition is Disposition.ACK
    row = bench.row
    assert row.state is JobStatus.QUEUED
    assert (row.failures, row.error, row.worker) == (1, error, None)
    assert row.published_at is None
    assert round((row.run_after - row.started_at).total_seconds(), -2) == 1000
    assert len(logged("retry")) == 1


def test_each_failure_leads_to_the_next_rung_and_the_last_ends_the_job(bench, fails):
    for number in range(1, 4):
        fails()
        assert statuses(bench.handle()) == ["TASK_RECEIVED"]
        assert (bench.row.state, bench.row.failures) == (JobStatus.QUEUED, number)
    error = fails()
    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED", "TASK_ERROR"]
    assert last(message)["error"] == error
    assert (bench.row.state, bench.row.failures, bench.row.attempt) == (JobStatus.ERROR, 4, 4)
    assert bench.failures == [1, 2, 3, 4]


def test_the_next_attempt_may_succeed_and_sweeps_what_the_others_left(bench, fails):
    for _ in range(2):
        fails()
        bench.handle()

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED", "TASK_COMPLETED"]
    assert (bench.row.state, bench.row.attempt, bench.row.error) == (JobStatus.COMPLETED, 3, None)
    assert bench.row.result_key == "models/m/3/"
    assert bench.models.deleted == [("m", 1), ("m", 2)]


def test_a_fitted_model_waits_a_while_for_storage(bench):
    bench.models.before["put_trained"] = [errors.StorageUnavailable() for _ in range(3)]

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED", "TASK_COMPLETED"]
    assert bench.stopping.count == 3
    assert len(bench.trainer.requests) == 1
    assert bench.row.failures == 0


@pytest.mark.parametrize("error", [errors.StorageUnavailable, errors.NotFound, errors.WarrenError])
def test_a_sweep_that_fails_does_no_harm(bench, error):
    bench.run_elsewhere()
    bench.take_over()
    bench.jobs.release("m", 2)
    bench.models.before["delete_attempt"] = [error(), error()]

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED", "TASK_COMPLETED"]
    assert message.disposition is Disposition.ACK
    assert bench.row.state is JobStatus.COMPLETED


# Claims: what is done twice, and what runs again.


def test_a_job_that_runs_elsewhere_is_not_run_again(bench, logged):
    bench.run_elsewhere()

    message = bench.handle()

    assert statuses(message) == []
    assert message.disposition is Disposition.ACK
    assert bench.trainer.requests == []
    assert bench.stopping.count == 0
    assert len(logged("duplicate dropped")) == 1


def test_a_message_that_comes_again_while_its_job_runs_is_dropped(bench, logged):
    """If its consumer is lost, the relay finds out and publishes another message."""
    bench.run_elsewhere()
    bench.silence()

    message = bench.handle(redelivered=True)

    assert statuses(message) == []
    assert message.disposition is Disposition.ACK
    assert (bench.row.worker, bench.row.attempt, bench.row.failures) == ("worker 2", 1, 0)
    assert logged("duplicate dropped") == ["duplicate dropped: attempt 1 runs on worker 2"]


def test_a_job_whose_consumer_was_lost_is_run_and_has_not_failed(bench):
    bench.run_elsewhere()
    bench.lose()

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED", "TASK_COMPLETED"]
    row = bench.row
    assert (row.worker, row.attempt, row.failures, row.losses) == ("worker 1", 2, 0, 1)
    assert bench.models.deleted == [("m", 1)]


def test_a_job_whose_consumers_were_lost_too_often_is_not_run_again_but_ends(bench):
    bench.run_elsewhere()
    bench.jobs.set("m", losses=MAX_LOSSES - 1)
    bench.lose()

    message = bench.handle()

    assert statuses(message) == ["TASK_ERROR"]
    assert last(message)["error"]["type"] == "consumer_lost"
    assert bench.trainer.requests == []


def test_a_fit_that_was_killed_for_anothers_sake_has_not_failed(bench):
    bench.trainer.before["fit"] = [errors.ChildLost("killed")]

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED"]
    assert message.disposition is Disposition.ACK
    row = bench.row
    assert (row.state, row.failures, row.losses) == (JobStatus.QUEUED, 0, 1)
    assert row.error["type"] == "child_lost"
    assert row.published_at is None  # the relay publishes it again


def test_a_training_gives_way_to_another_callers(bench, logged):
    bench.jobs.create("mine", JobKind.TRAIN, "data", TRAINING, caller="a")
    bench.jobs.claim("mine", "worker 2")
    bench.jobs.set("m", caller="a")
    bench.jobs.create("other", JobKind.TRAIN, "data", TRAINING, caller="b")

    message = bench.handle()

    assert statuses(message) == []
    assert message.disposition is Disposition.ACK
    assert bench.trainer.requests == []
    row = bench.row
    assert (row.state, row.attempt, row.published_at) == (JobStatus.QUEUED, 0, None)
    assert row.run_after is not None
    assert logged("the job gives way") == ["the job gives way to another caller's"]


@pytest.mark.parametrize("redelivered", [False, True])
def test_a_completed_job_is_told_again_and_not_run_again(bench, redelivered, logged):
    first = bench.handle()

    again = bench.handle(redelivered=redelivered)

    assert again.channel.replies == [last(first)]
    assert again.disposition is Disposition.ACK
    assert len(bench.trainer.requests) == 1
    assert bench.row.attempt == 1
    assert len(logged("duplicate dropped")) == 1


def test_a_failed_job_is_told_again_and_not_run_again(bench):
    bench.trainer.before["fit"] = [errors.BadData(None, "no column a")]
    first = bench.handle()

    again = bench.handle(redelivered=True)

    assert again.channel.replies == [last(first)]
    assert len(bench.trainer.requests) == 1


def test_a_job_that_was_cancelled_in_its_queue_is_not_run(bench):
    bench.jobs.cancel("m")

    message = bench.handle()

    assert message.channel.replies == [{"status": "TASK_CANCELLED", "model_id": "m"}]
    assert message.disposition is Disposition.ACK
    assert bench.trainer.requests == []


# Attempts that have the job no longer.


@pytest.mark.parametrize(
    "error",
    [None, errors.BadData(None, "no column a"), errors.ChildKilled("by somebody"), KeyError("x")],
)
def test_an_attempt_that_comes_too_late_changes_nothing_and_says_nothing(bench, error):
    bench.trainer.before["fit"] = [error] if error else []
    bench.trainer.meanwhile = lambda on_beat: bench.take_over()
    message = delivery(TRAINING)

    if isinstance(error, KeyError):
        with pytest.raises(KeyError):
            bench.train([message])
    else:
        bench.train([message])

    assert statuses(message) == ["TASK_RECEIVED"]
    assert message.disposition is Disposition.ACK
    row = bench.row
    assert (row.state, row.attempt, row.worker) == (JobStatus.RUNNING, 2, "worker 2")
    assert row.error == errors.ConsumerLost().to_wire()
    assert row.result_key is None


def test_what_a_late_attempt_has_stored_is_swept(bench, logged):
    bench.trainer.meanwhile = lambda on_beat: bench.take_over()

    bench.handle()

    assert [attempt for attempt, *_ in bench.models.stored] == [1]
    assert bench.models.deleted == [("m", 1)]
    assert len(logged("fenced")) == 1


@pytest.mark.parametrize("error", [errors.StorageUnavailable, errors.NotFound])
def test_a_late_attempt_that_cannot_sweep_does_no_harm(bench, error):
    bench.trainer.meanwhile = lambda on_beat: bench.take_over()
    bench.models.before["delete_attempt"] = [error()]

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED"]
    assert message.disposition is Disposition.ACK


def test_a_late_attempt_tells_the_end_that_another_has_come_to(bench):
    def meanwhile(_):
        assert bench.jobs.complete_training("m", bench.take_over(), *ELSEWHERE)

    bench.trainer.meanwhile = meanwhile

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED", "TASK_COMPLETED"]
    assert last(message)["metrics"] == {"rmse": 2.0}
    assert bench.row.result_key == "models/m/9/"
    assert bench.models.deleted == [("m", 1)]


def until_it_raises(on_beat):
    while True:
        on_beat(None)


def test_a_fit_ends_when_its_job_is_cancelled(renewing, logged):

    def meanwhile(on_beat):
        renewing.jobs.cancel("m")
        until_it_raises(on_beat)

    renewing.trainer.meanwhile = meanwhile

    message = renewing.handle()

    assert statuses(message) == ["TASK_RECEIVED", "TASK_CANCELLED"]
    assert message.disposition is Disposition.ACK
    assert renewing.row.state is JobStatus.CANCELLED
    assert renewing.models.stored == []
    assert len(logged("cancelled")) == 1
    assert logged("fenced") == []


def test_a_fit_ends_when_its_job_is_taken_over(renewing, logged):

    def meanwhile(on_beat):
        while not renewing.take_over():
            pass
        until_it_raises(on_beat)

    renewing.trainer.meanwhile = meanwhile

    message = renewing.handle()

    assert statuses(message) == ["TASK_RECEIVED"]
    assert (renewing.row.worker, renewing.row.attempt) == ("worker 2", 2)
    assert len(logged("fenced")) == 1


def test_a_download_ends_when_its_job_is_cancelled(renewing):

    def download(dataset_id, path, on_bytes):
        renewing.jobs.cancel("m")
        until_it_raises(on_bytes)

    renewing.datasets.download = download

    message = renewing.handle()

    assert statuses(message) == ["TASK_RECEIVED", "TASK_CANCELLED"]


def test_a_job_that_is_cancelled_while_its_model_is_stored_stays_cancelled(bench):
    put = bench.models.put_trained
    bench.models.put_trained = lambda *asked: (put(*asked), bench.jobs.cancel("m"))[0]

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED", "TASK_CANCELLED"]
    assert bench.row.state is JobStatus.CANCELLED
    assert bench.row.result_key is None
    assert bench.models.deleted == [("m", 1)]


# A database that is away, and a consumer that stops: what a fit ends with, and where that leads.

CAUSES = {
    "complete_training": None,
    "fail": errors.BadData(None, "no column"),
    "retry": errors.ChildKilled("x"),
}
ENDS = {
    "complete_training": JobStatus.COMPLETED,
    "fail": JobStatus.ERROR,
    "retry": JobStatus.QUEUED,
}
CLAIM = [("complete_training", "get", "claim"), ("complete_training", "claim", "claim")]
STEPS = [
    *CLAIM,
    *((end, step, "end") for end in CAUSES for step in (end, "get")),
]


@pytest.fixture(params=["before", "after"])
def away(bench, request):
    """Let a step of an attempt find no database, or have its answer lost."""

    def arrange(end, step, phase):
        bench.trainer.before["fit"] = [CAUSES[end]] if CAUSES[end] else []

        def leave(*_):
            getattr(bench.jobs, request.param)[step] = [AWAY(), AWAY()]

        if phase == "claim":
            leave()
        else:
            bench.trainer.meanwhile = leave

    return arrange


@pytest.mark.parametrize("step", STEPS)
def test_a_database_that_is_away_is_waited_for(bench, away, step):
    end, *_ = step
    away(*step)

    message = bench.handle()

    told = [] if end == "retry" else [ENDS[end]]
    assert bench.stopping.count >= 1
    assert statuses(message) == ["TASK_RECEIVED", *told]
    assert message.disposition is Disposition.ACK
    assert bench.row.state is ENDS[end]
    assert bench.row.failures == (end == "retry")
    assert len(bench.trainer.requests) == 1
    assert bench.row.result_key in (None, f"models/m/{bench.row.attempt}/")
    published = ("m", bench.row.attempt)
    assert bench.row.result_key is None or published not in bench.models.deleted


@pytest.mark.parametrize("step", STEPS)
def test_a_consumer_that_stops_does_not_wait_for_the_database_and_loses_nothing(bench, away, step):
    away(*step)
    bench.stopping.meanwhile = bench.stopping.set

    message = bench.handle()
    assert message.disposition is Disposition.REQUEUE
    assert statuses(message) in ([], ["TASK_RECEIVED"])
    for part in (bench.jobs.before, bench.jobs.after, bench.trainer.before):
        part.clear()
    bench.trainer.meanwhile = lambda on_beat: None
    if bench.row.state is JobStatus.RUNNING:
        bench.lose()
    again = bench.handle_elsewhere(redelivered=True)

    assert bench.row.ended
    assert last(again)["status"] == bench.row.state
    assert bench.row.failures <= 1
    assert bench.row.result_key in (None, f"models/m/{bench.row.attempt}/")
    assert ("m", bench.row.attempt) not in bench.models.deleted


def test_a_consumer_that_stops_while_it_publishes_releases_the_job(bench):
    bench.jobs.before["complete_training"] = [AWAY()]
    bench.stopping.meanwhile = bench.stopping.set

    message = bench.handle()

    assert message.disposition is Disposition.REQUEUE
    assert (bench.row.state, bench.row.failures, bench.row.worker) == (JobStatus.QUEUED, 0, None)


def test_a_bug_while_the_model_is_published_fails_the_job(bench):
    bench.jobs.before["complete_training"] = [ValueError("a bug")]

    with pytest.raises(ValueError, match="a bug"):
        bench.handle()

    assert bench.row.state is JobStatus.ERROR
    assert bench.row.error["type"] == "internal"


def test_a_value_that_the_database_refuses_fails_the_job(bench):
    bench.jobs.before["complete_training"] = [errors.Invalid(None, "a value is refused")]

    message = bench.handle()

    assert message.disposition is Disposition.ACK
    assert statuses(message) == ["TASK_RECEIVED", "TASK_ERROR"]
    assert bench.row.state is JobStatus.ERROR


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_row_is_written_when_the_database_is_back(bench, when):
    getattr(bench.jobs, when)["create"] = [AWAY(), AWAY()]

    message = bench.handle({**TRAINING, "model_id": "n"})

    assert statuses(message) == ["TASK_RECEIVED", "TASK_COMPLETED"]
    assert (bench.jobs.get("n").attempt, bench.jobs.get("n").failures) == (1, 0)


def test_a_consumer_that_stops_does_not_wait_for_a_row(bench):
    bench.jobs.before["create"] = [AWAY()]
    bench.stopping.set()

    message = bench.handle({**TRAINING, "model_id": "n"})

    assert statuses(message) == []
    assert message.disposition is Disposition.REQUEUE
    assert bench.jobs.get("n") is None


def test_a_consumer_that_stops_does_not_wait_for_storage(bench):
    bench.stopping.set()
    bench.datasets.download = lambda *asked: None
    bench.models.before["put_trained"] = [errors.StorageUnavailable()]

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED"]
    assert message.disposition is Disposition.REQUEUE
    assert (bench.row.state, bench.row.failures) == (JobStatus.QUEUED, 0)


def test_a_consumer_that_stops_ends_a_download_and_hands_its_job_back(bench):
    def download(dataset_id, path, on_bytes):
        bench.stopping.set()
        on_bytes(1)
        pytest.fail("went on")

    bench.datasets.download = download

    message = bench.handle()

    assert message.disposition is Disposition.REQUEUE
    assert (bench.row.state, bench.row.failures) == (JobStatus.QUEUED, 0)


def test_an_interrupted_fit_is_released_and_handed_back(bench):
    bench.trainer.before["fit"] = [errors.ShuttingDown()]

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED"]
    assert message.disposition is Disposition.REQUEUE
    assert (bench.row.state, bench.row.failures) == (JobStatus.QUEUED, 0)
    assert bench.row.published_at is not None


def test_an_interrupted_job_is_run_by_the_next_consumer(bench):
    bench.trainer.before["fit"] = [errors.ShuttingDown()]
    bench.handle()

    message = bench.handle_elsewhere(redelivered=True)

    assert statuses(message) == ["TASK_RECEIVED", "TASK_COMPLETED"]
    assert (bench.row.attempt, bench.row.failures) == (2, 0)


def test_an_interrupted_fit_is_handed_back_though_the_database_is_away(bench):
    bench.trainer.before["fit"] = [errors.ShuttingDown()]
    bench.jobs.before["release"] = [AWAY()]

    message = bench.handle()

    assert message.disposition is Disposition.REQUEUE
    assert bench.row.state is JobStatus.RUNNING
    bench.lose()
    again = bench.handle_elsewhere(redelivered=True)
    assert statuses(again) == ["TASK_RECEIVED", "TASK_COMPLETED"]


def test_every_line_of_a_training_names_its_job(bench, caplog):
    jobs = []

    class Job(logging.Handler):
        def emit(self, record):
            jobs.append(logs.current_job())

    handler = Job()
    train.log.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO):
            bench.handle()
    finally:
        train.log.removeHandler(handler)

    assert set(jobs) == {"m"}


def test_a_training_beyond_the_quota_of_its_user_is_told_and_dead_lettered(bench):
    quotas = JobQuotas(stored=1)
    handler = bench.consumer("worker 1", bench.stopping, quotas=quotas)
    ended = []
    for user, number in (("ann", 1), ("ann", 2), ("bob", 3), (None, 4), (None, 5)):
        message = delivery({**TRAINING, "model_id": f"m{number}"}, user_id=user)
        handler([message])
        ended.append((message.disposition, message.channel.replies[-1]["status"]))
        if number == 2:
            assert message.channel.replies[-1]["error"]["type"] == "quota_exceeded"
            assert bench.jobs.get("m2") is None
    done, refused = (Disposition.ACK, "TASK_COMPLETED"), (Disposition.REJECT, "TASK_ERROR")
    assert ended == [done, refused, done, done, done]
    assert [bench.jobs.get(f"m{each}").caller for each in (1, 3, 4)] == [
        "user ann",
        "user bob",
        None,
    ]
    assert bench.jobs.get("m1").size > 0


# Two owners, whose clients have users of the broker.


def sent(bench, owner, body, **changes):
    """Handle a message of an owner's client; `green~data` is a data set that all may read."""
    grants = Grants(bench.jobs.engine)
    grants.give(Kind.DATASET, "green~data", EVERYONE)
    identity = Identity(owner, frozenset((Scope.TRAIN,)))
    message = delivery(body, identity=identity, **changes)
    bench.consumer("worker 1", bench.stopping, grants=grants)([message])
    return message


@pytest.mark.parametrize("named", [{"message_id": "1"}, {"redelivered": True}])
def test_two_owners_that_ask_the_same_of_a_shared_data_set_train_two_models(bench, named):
    nobody = {"reply_to": None, "correlation_id": None, **named}
    shared = {**NAMELESS, "dataset_id": "green~data"}

    for owner in ("red", "blue", "red"):
        sent(bench, owner, shared, **nobody)

    for owner in ("red", "blue"):
        found, _ = bench.jobs.list(JobFilter(owner=owner), Page(10, "-created_at"))
        assert len(found) == 1


@pytest.mark.parametrize("owner", ["red", "default"])
@pytest.mark.parametrize("body", [{"estimator": "of the future"}, b"junk"])
def test_junk_does_not_end_the_job_of_another_owner(bench, owner, body):
    victim = {"red": "m", "default": "red~m"}[owner]
    if owner == "default":
        bench.jobs.create(victim, JobKind.TRAIN, "data", TRAINING)

    message = sent(bench, owner, body, message_id=victim)

    assert message.disposition is Disposition.REJECT
    assert bench.jobs.get(victim).failures == 0


def test_a_client_does_not_run_the_job_of_another_owner(bench):
    bench.jobs.create("blue~m", JobKind.TRAIN, "data", {**TRAINING, "model_id": "blue~m"})

    message = sent(bench, "red", {**TRAINING, "model_id": "blue~m"})

    assert message.disposition is Disposition.REJECT
    assert last(message)["error"]["detail"] == "model_id: blue~m is a name of another owner"
    assert bench.jobs.get("blue~m").state is JobStatus.QUEUED
    assert bench.jobs.get("blue~m").failures == 0


def test_a_training_that_a_message_asks_for_is_in_the_audit_log_once(bench):
    asked = {**NAMELESS, "dataset_id": "green~data"}
    message = sent(bench, "red", asked, user_id="ann", message_id="1")
    sent(bench, "red", asked, user_id="ann", message_id="1")

    rows = list_audit(bench.jobs.engine, AuditFilter(owner="red"), Page(9, "created_at"))[0]
    (row,) = rows
    assert (row.action, row.kind, row.actor) == ("create", "job", "user ann")
    assert row.request == message.correlation_id
    assert row.name.startswith("red~")


def test_a_quota_is_that_of_all_users_of_an_owner_and_of_its_keys(bench):
    quotas = JobQuotas(stored=1)
    handler = bench.consumer("worker 1", bench.stopping, quotas=quotas)
    team = Identity("default", frozenset((Scope.TRAIN,)))
    ended = []
    for user in ("ann", "bob"):
        message = delivery({**TRAINING, "model_id": user}, user_id=user, identity=team)
        handler([message])
        ended.append(message.channel.replies[-1])

    assert [each["status"] for each in ended] == ["TASK_COMPLETED", "TASK_ERROR"]
    assert "for owner default at the most" in ended[1]["error"]["detail"]
    assert bench.jobs.get("ann").caller == team.caller


def test_a_client_gets_its_own_names_though_the_relay_has_sent_the_message(bench):
    asked = {**TRAINING, "dataset_id": "green~data", "model_id": "m1"}
    first = sent(bench, "red", asked, user_id="ann")
    relayed = delivery({**asked, "model_id": "red~m1"}, resend_as="warren")
    bench.consumer("worker 1", bench.stopping)([relayed])
    over_http = delivery({**TRAINING, "model_id": "blue~m2"}, resend_as="warren")
    bench.jobs.create("blue~m2", JobKind.TRAIN, "data", {**TRAINING, "model_id": "blue~m2"})
    bench.consumer("worker 1", bench.stopping)([over_http])

    named = [each.channel.replies[-1]["model_id"] for each in (first, relayed, over_http)]
    assert named == ["m1", "m1", "blue~m2"]
