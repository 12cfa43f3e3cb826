"""The handler of jobs that predict, with a real table; the broker and the models are stand-ins."""

import asyncio
import json
import threading
from contextlib import asynccontextmanager

import pytest

from app import errors
from app.amqp.message import Disposition
from app.amqp.topology import MAX_MESSAGE_BYTES
from app.backoff import RetryUntilAvailable
from app.consumer.handlers.job_prediction import JobPrediction
from app.consumer.handlers.predict_async import AsyncPredictHandler
from app.inference.cache import ModelCache
from app.jobs.attempt import JobAttempts
from app.jobs.lease import LeaseKeeper
from app.jobs.store import JobStore
from app.models.endpoint import EndpointSpec
from app.models.manifest import OnnxManifest
from app.models.registry import CachedModelRegistry
from app.protocol.types import JobKind, JobStatus
from tests.support import graphs, waiting
from tests.support.fakes import FakeSession, delivery
from tests.support.rows import ERROR, INPUTS, accept, expire, put, run

WORKER = "worker 2"
FAR = {"url": "http://127.0.0.1:1/", "limit": 1}
SECONDS = 20


class Faulty(JobStore):
    """A job table of which calls may be refused: by name, so many times."""

    def __init__(self, url):
        super().__init__(url)
        self.refuse = {}
        self.seen = []
        self.then = {}  # what a test does when a call has been answered, by name

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name not in (
            "get",
            "claim",
            "inputs",
            "complete_prediction",
            "renew",
            "fail",
            "release",
        ):
            return found

        def call(*args, **kwargs):
            self.seen.append(name)
            if self.refuse.get(name, 0) > 0:
                self.refuse[name] -= 1
                raise errors.DatabaseUnavailable("away")
            answer = found(*args, **kwargs)
            if name in self.then:
                self.then[name]()
            return answer

        return call


@pytest.fixture
def store(database_url):
    opened = Faulty(database_url)
    yield opened
    opened.close()


class Far:
    """Remote models: what they answer or raise; `hold` keeps them from it."""

    def __init__(self):
        self.asked = []
        self.answer = {"prediction": 7.5}
        self.gate = None

    def hold(self):
        self.gate = asyncio.Event()

    async def predict(self, model_id, spec, inputs, seconds, *, size, background):
        assert background
        self.asked.append((model_id, inputs.input_data, seconds))
        if self.gate:
            await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Near:
    """A model that is loaded: it adds one to `a`."""

    bytes = 1
    answer_bytes = 1
    answered_by = "onnx"
    labels = None
    alive = True
    isolated = False

    def __init__(self, model_id):
        self.model_id = model_id

    def prepare(self, inputs):
        for row in inputs.rows:
            if not isinstance(row.get("a"), float):
                raise errors.Invalid("input_data.a", "expected a number")
        return inputs.rows

    def predict(self, rows):
        return [
            None if row["a"] > 1e6 else {"prediction": row["a"] + 1, "pred_proba": row["a"] + 1}
            for row in rows
        ]


class Warren:
    """An `Prediction`, and what it works with."""

    def __init__(self, store):
        self.store = store
        self.far = Far()
        self.load = Near
        self.ending = threading.Event()
        self.channel = FakeSession()
        self.replies = self.channel.published
        self.calls = []
        registry = CachedModelRegistry(store)
        self.find = registry.get
        for model_id, spec in (
            ("model", OnnxManifest.model_validate(graphs.LINEAR)),
            ("far", EndpointSpec(**FAR)),
            ("far-idempotent", EndpointSpec(**FAR, idempotent=True)),
        ):
            assert registry.register(model_id, spec)

    @asynccontextmanager
    async def open(self):
        cache = ModelCache(lambda model_id, isolated: self.load(model_id), 100)
        retry = RetryUntilAvailable(self.ending)
        leases = LeaseKeeper(self.store, renew_seconds=0.02)
        leases.start()
        prediction = JobPrediction(self.store, self.find, cache, self.far, retry)
        attempts = JobAttempts(self.store, WORKER, retry)
        async with AsyncPredictHandler(attempts, leases, prediction) as made:
            self.handler = made
            yield self
        leases.stop()
        leases.join(SECONDS)

    def call(self, job_id, reply_to="reply"):
        body = json.dumps({"job_id": job_id}).encode()
        made = delivery(body, self.channel, reply_to=reply_to, message_id=job_id)
        self.calls.append(made)
        return made

    async def handle(self, job_id="m"):
        """Have a message handled to its end; return its disposition."""
        made = self.call(job_id)
        await self.handler(made)
        return made.disposition

    def begin(self, job_id="m"):
        made = self.call(job_id)
        return made, asyncio.create_task(self.handler(made))

    def told(self):
        return [json.loads(each.body) for each in self.replies]


@pytest.fixture
def warren(store):
    return Warren(store)


def asked(store, model_id, job_id="m", inputs=INPUTS):
    assert store.create(job_id, JobKind.PREDICT, None, {"model_id": model_id}, inputs=inputs)


def in_loop(warren, test):
    """Run a coroutine function with the handler open."""

    async def whole():
        async with warren.open(), asyncio.timeout(SECONDS):
            return await test()

    return asyncio.run(whole())


def handled(warren, job_id="m"):
    return in_loop(warren, lambda: warren.handle(job_id))


async def until(ask):
    return await asyncio.to_thread(waiting.until, ask, "what the test waits for")


# What comes of a message.


def test_a_model_that_is_answered_here(store, warren):
    asked(store, "model")

    assert handled(warren) is Disposition.ACK

    job = store.get("m")
    assert job.state is JobStatus.COMPLETED
    assert job.result.pop("elapsed_ms") >= 0
    assert job.result == {"prediction": 2.0, "pred_proba": 2.0, "model_id": "model"}
    assert (job.worker, job.attempt, job.failures) == (WORKER, 1, 0)
    assert store.inputs("m") is None
    (reply,) = warren.told()
    assert reply == {
        "status": "TASK_COMPLETED",
        "model_id": "model",
        "prediction": 2.0,
        "pred_proba": 2.0,
    }


def test_a_remote_model(store, warren):
    asked(store, "far")

    assert handled(warren) is Disposition.ACK

    assert warren.far.asked == [("far", {"a": 1.0}, 60.0)]
    job = store.get("m")
    assert (job.state, job.result["prediction"]) == (JobStatus.COMPLETED, 7.5)
    assert job.result["pred_proba"] is None


def test_rows_are_answered_by_lists(store, warren):
    asked(store, "model", inputs='{"input_data":[{"a":1.0},{"a":2.0}]}')
    handled(warren)
    assert store.get("m").result["prediction"] == [2.0, 3.0]


def test_the_table_is_not_asked_for_what_no_job_is_called(store, warren):
    store.seen.clear()
    for job_id in ("a\nb", "../x", "a" * 255, "", None):
        assert handled(warren, job_id) is Disposition.REJECT
    assert store.seen == []


def test_a_message_of_no_prediction_goes_to_the_dead_letters(store, warren):
    accept(store, "training")
    before = store.get("training")

    for job_id in ("training", "nobody", "far", None, "a\0b", "a" * 255):
        assert handled(warren, job_id) is Disposition.REJECT

    assert store.get("training") == before
    assert all(each["status"] == "TASK_ERROR" for each in warren.told())


@pytest.mark.parametrize("end", ["answer", "fail", "cancel"])
def test_a_job_that_has_ended_is_left_alone(store, warren, end):
    attempt = run(store, kind=JobKind.PREDICT)
    match end:
        case "answer":
            assert store.complete_prediction("m", attempt, {"prediction": 1})
        case "fail":
            assert store.fail("m", attempt, ERROR)
        case "cancel":
            assert store.cancel("m")
    before = store.get("m")

    assert handled(warren) is Disposition.ACK

    assert store.get("m") == before


def test_a_job_that_runs_elsewhere_is_left_alone(store, warren):
    asked(store, "model")
    store.claim("m", "worker 1")
    before = store.get("m")

    assert handled(warren) is Disposition.ACK

    assert store.get("m") == before
    assert warren.replies == []


def test_a_message_that_comes_twice_asks_once(store, warren):
    asked(store, "far")

    async def test():
        warren.far.hold()
        _, first = warren.begin()
        await asyncio.sleep(0)  # it has begun, and is not claimed yet
        assert await warren.handle() is Disposition.ACK
        await until(lambda: warren.far.asked)
        assert await warren.handle() is Disposition.ACK
        warren.far.gate.set()
        await first

    in_loop(warren, test)

    assert len(warren.far.asked) == 1
    assert store.get("m").attempt == 1


# What a consumer before has begun.


def lose(store):
    """Have a consumer claim the job and be lost."""
    assert store.claim("m", "worker 1") == 1
    expire(store)
    assert store.requeue_expired_leases() == 1


def test_what_must_not_be_done_twice_is_not(store, warren):
    asked(store, "far")
    lose(store)

    assert handled(warren) is Disposition.ACK

    assert warren.far.asked == []
    job = store.get("m")
    assert (job.state, job.error["type"]) == (JobStatus.ERROR, "endpoint_failed")
    assert "may have been carried out" in job.error["detail"]


@pytest.mark.parametrize("model_id", ["model", "far-idempotent"])
def test_what_may_be_done_twice_is(store, warren, model_id):
    asked(store, model_id)
    lose(store)

    assert handled(warren) is Disposition.ACK

    job = store.get("m")
    assert (job.state, job.attempt, job.failures) == (JobStatus.COMPLETED, 2, 0)
    assert job.error is None


def test_what_was_handed_back_or_not_begun_is_done(store, warren):
    asked(store, "far")
    assert store.release("m", store.claim("m", "worker 1"))
    busy = errors.EndpointUnavailable("busy").to_wire()
    assert store.retry("m", store.claim("m", "worker 1"), busy, 0.0)

    assert handled(warren) is Disposition.ACK

    assert store.get("m").state is JobStatus.COMPLETED


# Errors.


@pytest.mark.parametrize(
    ("model_id", "error", "state"),
    [
        ("far", errors.EndpointUnavailable("429"), JobStatus.QUEUED),
        ("far", errors.EndpointUnavailable("503", may_have_begun=True), JobStatus.ERROR),
        (
            "far-idempotent",
            errors.EndpointUnavailable("503", may_have_begun=True),
            JobStatus.QUEUED,
        ),
        ("far", errors.Overloaded("files"), JobStatus.QUEUED),
        ("far", errors.Unavailable("no answer"), JobStatus.ERROR),  # it may have begun
        ("far-idempotent", errors.Unavailable("no answer"), JobStatus.QUEUED),
        ("far-idempotent", errors.EndpointFailed("500"), JobStatus.ERROR),
        ("far", errors.DeadlineExceeded("60 s"), JobStatus.ERROR),
        ("far", errors.Invalid("input_data", "422"), JobStatus.ERROR),
    ],
)
def test_an_error_of_a_remote_model(store, warren, model_id, error, state):
    asked(store, model_id)
    warren.far.answer = error

    assert handled(warren) is Disposition.ACK

    job = store.get("m")
    assert (job.state, job.error) == (state, error.to_wire())
    if state is JobStatus.QUEUED:
        assert (job.failures, job.published_at, warren.replies) == (1, None, [])
        assert 0.9 < (job.run_after - job.started_at).total_seconds() < 10
        assert store.inputs("m")
    else:
        assert warren.told()[0]["error"] == error.to_wire()
        assert store.inputs("m") is None


def test_the_last_attempt_ends_the_job(store, warren):
    asked(store, "far")
    put(store, "m", failures=3)
    warren.far.answer = errors.EndpointUnavailable("busy")

    assert handled(warren) is Disposition.ACK

    assert store.get("m").state is JobStatus.ERROR


@pytest.mark.parametrize(
    ("inputs", "field"),
    [('{"input_data":{"a":"x"}}', "input_data.a"), ('{"input_data":{"a":1e7}}', "input_data")],
)
def test_what_the_model_cannot_answer_ends_the_job(store, warren, inputs, field):
    asked(store, "model", inputs=inputs)

    assert handled(warren) is Disposition.ACK

    job = store.get("m")
    assert (job.state, job.error["type"]) == (JobStatus.ERROR, "invalid")
    assert job.error["field"] == field


def test_an_answer_that_is_too_long_for_a_row_ends_the_job(store, warren):
    class Verbose(Near):
        def predict(self, rows):
            return [{"prediction": 1.0, "pred_proba": "x" * MAX_MESSAGE_BYTES} for _ in rows]

    warren.load = Verbose
    asked(store, "model")

    assert handled(warren) is Disposition.ACK

    assert store.get("m").error["type"] == "too_large"
    assert store.get("m").result is None


def test_a_model_that_is_not_there_ends_the_job(store, warren):
    asked(store, "gone")
    handled(warren)
    assert store.get("m").error["type"] == "not_found"


def test_while_the_models_cannot_be_reached_the_job_waits(store, warren):
    asked(store, "model")

    def load(_):
        raise errors.StorageUnavailable("away")

    warren.load = load
    assert handled(warren) is Disposition.ACK
    job = store.get("m")
    assert (job.state, job.error["type"]) == (JobStatus.QUEUED, "storage_unavailable")


def test_a_bug_ends_the_job_and_is_logged(store, warren, caplog):
    asked(store, "far")
    warren.far.answer = RuntimeError("a bug")

    assert handled(warren) is Disposition.ACK

    job = store.get("m")
    assert (job.state, job.error["type"]) == (JobStatus.ERROR, "internal")
    assert "a bug" not in job.error["detail"]
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("call", ["get", "claim", "inputs", "complete_prediction"])
def test_a_database_that_is_away_is_waited_for(store, warren, call):
    asked(store, "far")
    store.refuse = {call: 2}

    assert handled(warren) is Disposition.ACK

    assert store.get("m").state is JobStatus.COMPLETED
    assert len(warren.far.asked) == 1


# Leases.


def test_leases_are_renewed_though_the_database_was_away(store, warren):
    names = ("one", "two")
    for job_id in names:
        asked(store, "far", job_id)

    async def test():
        warren.far.hold()
        tasks = [warren.begin(job_id)[1] for job_id in names]
        await until(lambda: len(warren.far.asked) == 2)
        store.refuse = {"renew": 2}
        await until(lambda: store.refuse["renew"] == 0)
        for job_id in names:
            expire(store, job_id)
        ends = {job_id: store.get(job_id).lease_until for job_id in names}
        await until(lambda: all(store.get(each).lease_until > ends[each] for each in names))
        warren.far.gate.set()
        await asyncio.gather(*tasks)

    in_loop(warren, test)

    assert {job.state for job in store.newest(10)} == {JobStatus.COMPLETED}


@pytest.mark.parametrize("loss", ["cancelled", "taken over"])
def test_what_is_lost_is_given_up_and_nothing_is_written(store, warren, loss):
    asked(store, "far-idempotent")

    async def test():
        warren.far.hold()
        call, task = warren.begin()
        await until(lambda: warren.far.asked)
        if loss == "cancelled":
            assert store.cancel("m")
        else:
            put(store, "m", worker="worker 3", attempt=2)
        await task
        return call.disposition

    assert in_loop(warren, test) is Disposition.ACK
    job = store.get("m")
    assert job.state is (JobStatus.CANCELLED if loss == "cancelled" else JobStatus.RUNNING)
    assert job.result is job.error is None


def test_who_gives_up_waiting_for_a_model_takes_it_from_nobody(store, warren):
    loading, loaded = threading.Event(), threading.Event()

    def load(model_id):
        loading.set()
        assert loaded.wait(SECONDS)
        return Near(model_id)

    warren.load = load
    for job_id in ("one", "two"):
        asked(store, "model", job_id)

    async def test():
        tasks = [warren.begin(job_id)[1] for job_id in ("one", "two")]
        await until(loading.is_set)
        await until(
            lambda: all(store.get(each).state is JobStatus.RUNNING for each in ("one", "two"))
        )
        store.cancel("one")
        await tasks[0]
        loaded.set()
        await tasks[1]

    in_loop(warren, test)

    assert store.get("two").state is JobStatus.COMPLETED


# The end of the consumer.


@pytest.mark.parametrize(
    ("model_id", "state", "verdict"),
    [
        ("far-idempotent", JobStatus.QUEUED, Disposition.REQUEUE),
        ("far", JobStatus.ERROR, Disposition.ACK),  # it may have begun, and must not twice
    ],
)
def test_who_is_cancelled_hands_back_what_may_be_done_again(
    store, warren, model_id, state, verdict
):
    asked(store, model_id)

    async def test():
        warren.far.hold()
        call, task = warren.begin()
        await until(lambda: warren.far.asked)
        task.cancel()
        await task
        return call.disposition

    assert in_loop(warren, test) is verdict
    job = store.get("m")
    assert (job.state, job.failures) == (state, 0)
    assert job.error is None or "may have been carried out" in job.error["detail"]


def test_who_is_cancelled_before_it_has_begun_hands_back(store, warren):
    asked(store, "far")
    claiming, claimed = threading.Event(), threading.Event()

    def slowly():
        claiming.set()
        assert claimed.wait(SECONDS)

    store.then["claim"] = slowly

    async def test():
        call, task = warren.begin()
        await until(claiming.is_set)
        task.cancel()
        await asyncio.sleep(0)
        claimed.set()
        await task
        return call.disposition

    assert in_loop(warren, test) is Disposition.REQUEUE
    job = store.get("m")
    assert (job.state, job.attempt, job.worker) == (JobStatus.QUEUED, 1, None)
    assert warren.far.asked == []


def test_what_waits_for_its_turn_at_a_model_is_handed_back(store, warren):
    asked(store, "far")
    warren.far.answer = errors.ShuttingDown()

    assert handled(warren) is Disposition.REQUEUE

    job = store.get("m")
    assert (job.state, job.failures, job.error) == (JobStatus.QUEUED, 0, None)


def test_an_end_while_the_database_is_away(store, warren):
    asked(store, "far")

    async def test():
        store.refuse = {"get": 10_000}
        call, task = warren.begin()
        await until(lambda: store.seen)
        warren.ending.set()
        await task
        return call.disposition

    assert in_loop(warren, test) is Disposition.REQUEUE
    store.refuse = {}
    assert store.get("m").attempt == 0


def test_what_is_answered_when_the_end_comes_is_written(store, warren):
    asked(store, "far")
    writing, written = threading.Event(), threading.Event()

    def slowly():
        writing.set()
        assert written.wait(SECONDS)

    store.then["complete_prediction"] = slowly

    async def test():
        call, task = warren.begin()
        await until(writing.is_set)
        task.cancel()
        await asyncio.sleep(0)
        written.set()
        await task
        return call.disposition

    assert in_loop(warren, test) is Disposition.ACK
    assert store.get("m").state is JobStatus.COMPLETED


def test_the_lines_of_a_job_name_it(store, warren, caplog):
    asked(store, "model")
    with caplog.at_level("INFO"):
        handled(warren)
    said = [
        record.getMessage() for record in caplog.records if record.name.endswith("predict_async")
    ]
    assert said[0] == "START async model=model attempt=1"
    assert said[-1].startswith("END async model=model attempt=1 TASK_COMPLETED elapsed_ms=")
