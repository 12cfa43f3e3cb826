"""Where the models of prediction jobs run, and how much their inputs take."""

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from app import errors
from app.backoff import RetryUntilAvailable
from app.consumer.handlers.job_prediction import HeldJob, JobPrediction
from app.database.tables import jobs_table
from app.jobs.store import JobStore
from app.models.manifest import OnnxManifest
from app.models.registry import CachedModelRegistry
from app.protocol.types import JobKind
from tests.support import graphs, waiting

SECONDS = 20
INPUTS = '{"input_data":{"a":1.0}}'


class Model:
    """Answers `a` when its gate lets it."""

    bytes = 1
    answer_bytes = 1
    answered_by = "onnx"
    labels = None

    def __init__(self, model_id, isolated):
        self.model_id = model_id
        self.isolated = isolated
        self.alive = True
        self.gate = threading.Event()
        self.running = 0
        self.most = 0
        self.ends_by = None

    def prepare(self, inputs):
        return inputs.rows

    def predict(self, rows):
        self.running += 1
        self.most = max(self.most, self.running)
        assert self.gate.wait(SECONDS)
        self.running -= 1
        if self.ends_by:
            self.alive = False
            raise self.ends_by
        return [{"prediction": row["a"], "pred_proba": row["a"]} for row in rows]


class Models:
    """Loads models, which run isolated if their name says so or if that is asked for."""

    def __init__(self):
        self.loaded = {}
        self.read = []  # the models of the jobs whose rows were read

    def get(self, model_id, isolated):
        found = Future()
        key = (model_id, isolated)
        if key not in self.loaded or not self.loaded[key].alive:
            self.loaded[key] = Model(model_id, isolated or model_id.startswith("isolated"))
        found.set_result(self.loaded[key])
        return found


@pytest.fixture
def store(database_url):
    opened = JobStore(database_url)
    registry = CachedModelRegistry(opened)
    for name in ("near", "isolated", "isolated-other"):
        assert registry.register(name, OnnxManifest.model_validate(graphs.LINEAR))
    yield opened
    opened.close()


@pytest.fixture
def models():
    made = Models()
    yield made
    for model in made.loaded.values():
        model.gate.set()


def predicting(store, models, test, **limits):
    """Run a coroutine function, which gets a way to begin the prediction of a job."""
    registry = CachedModelRegistry(store)

    def find(model_id):
        models.read.append(model_id)
        return registry.get(model_id)

    async def whole():
        retry = RetryUntilAvailable(threading.Event())
        prediction = JobPrediction(store, find, models, None, retry, **limits)
        with ThreadPoolExecutor(8) as database:

            def begin(job_id, model_id, *, redelivered=False):
                held = HeldJob(redelivered=redelivered)
                return asyncio.ensure_future(prediction.predict(held, job_id, model_id, database))

            async with asyncio.timeout(SECONDS):
                await test(begin)
        prediction.close()

    asyncio.run(whole())


def accept(store, job_id, model_id, inputs=INPUTS):
    assert store.create(job_id, JobKind.PREDICT, None, {"model_id": model_id}, inputs=inputs)


async def until(ask):
    return await asyncio.to_thread(waiting.until, ask, "what the test waits for")


async def running(models, name, *, isolated=False):
    """Wait until a model runs, and return it."""
    key = (name, isolated)
    await until(lambda: key in models.loaded and models.loaded[key].running)
    return models.loaded[key]


@pytest.mark.parametrize("sign", ["none", "losses", "redelivered"])
def test_a_job_that_may_have_ended_a_consumer_runs_isolated(store, models, sign):
    accept(store, "one", "near")
    if sign == "losses":
        with store.engine.begin() as connection:
            connection.execute(sa.update(jobs_table).values(losses=1))

    async def test(begin):
        task = begin("one", "near", redelivered=sign == "redelivered")
        model = await running(models, "near", isolated=sign != "none")
        model.gate.set()
        assert (await task)["prediction"] == 1.0

    predicting(store, models, test)
    assert list(models.loaded) == [("near", sign != "none")]


def test_the_jobs_of_an_isolated_model_run_in_turn_and_delay_no_others(store, models):
    for job_id, model_id in [
        ("one", "isolated"),
        ("two", "isolated"),
        ("three", "isolated-other"),
        ("four", "near"),
    ]:
        accept(store, job_id, model_id)

    async def test(begin):
        slow = [begin("one", "isolated"), begin("two", "isolated")]
        model = await running(models, "isolated")
        for job_id, name in [("three", "isolated-other"), ("four", "near")]:
            task = begin(job_id, name)
            (await running(models, name)).gate.set()
            assert (await task)["prediction"] == 1.0
        assert not any(task.done() for task in slow)
        model.gate.set()
        await asyncio.gather(*slow)
        assert model.most == 1

    predicting(store, models, test)


def test_a_job_does_not_suffer_from_one_that_ended_the_process_before(store, models):
    for job_id in ("one", "two"):
        accept(store, job_id, "isolated")

    async def test(begin):
        first = begin("one", "isolated")
        model = await running(models, "isolated")
        second = begin("two", "isolated")
        model.ends_by = errors.ModelLost("its process died")
        model.gate.set()
        with pytest.raises(errors.ModelLost):
            await first
        await until(lambda: models.loaded["isolated", False] is not model)
        models.loaded["isolated", False].gate.set()
        assert (await second)["prediction"] == 1.0

    predicting(store, models, test)


def test_jobs_wait_while_the_inputs_of_others_take_all_the_memory(store, models):
    for job_id, model_id in [("one", "isolated"), ("two", "near"), ("three", "near")]:
        accept(store, job_id, model_id)

    async def test(begin):
        first = begin("one", "isolated")
        model = await running(models, "isolated")
        others = [begin("two", "near"), begin("three", "near")]
        await until(lambda: models.read == ["isolated", "near", "near"])
        assert ("near", False) not in models.loaded

        others[0].cancel()
        model.gate.set()
        await first

        (await running(models, "near")).gate.set()
        assert (await others[1])["prediction"] == 1.0

    predicting(store, models, test, held_bytes=len(INPUTS))
