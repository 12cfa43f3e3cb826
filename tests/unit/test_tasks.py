import logging
import threading

import pytest

from app import errors
from app.consumer import tasks
from app.consumer.delivery import Verdict
from app.messages import Status
from tests.unit import frames
from tests.unit.fakes import FakeJobs, FakeSession, FakeStorage, FakeTrainer, delivery

TRAINING = {"dataset_id": "data", "features": ["a"], "target": "t", "model_id": "m"}


class Bench:
    """The handler of trainings on its fakes."""

    def __init__(self):
        self.jobs = FakeJobs()
        self.storage = FakeStorage()
        self.trainer = FakeTrainer()
        self.stopping = threading.Event()
        self.train = tasks.Train(self.jobs, self.storage, self.trainer, "worker 1", self.stopping)
        self.jobs.accept("m", "train", "data", TRAINING)

    def handle(self, body=None, **changes):
        message = delivery(TRAINING if body is None else body, **changes)
        self.train([message])
        return message

    @property
    def row(self):
        return self.jobs.rows["m"]


@pytest.fixture
def bench():
    return Bench()


def statuses(message):
    return [reply["status"] for reply in message.session.channel.replies]


def test_a_training_is_received_run_stored_and_told(bench):
    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED", "TASK_COMPLETED"]
    received, completed = message.session.channel.replies
    assert received == {"status": "TASK_RECEIVED", "model_id": "m"}
    assert completed == {"status": "TASK_COMPLETED", "model_id": "m", "metrics": {"rmse": 1.0}}
    assert message.verdict is Verdict.ACK
    assert bench.row["state"] is Status.COMPLETED
    assert bench.row["result_key"] == "models/m/1/"
    assert bench.row["sha256"] == "sha256"
    assert bench.row["worker"] == "worker 1"
    ((attempt, manifest, onnx),) = bench.storage.models
    assert (attempt, manifest.model_id, onnx) == (1, "m", b"onnx")


def test_the_row_is_committed_before_the_reply(bench):
    seen = []
    message = delivery(TRAINING)
    message.session.post = lambda action: (seen.append(bench.row["state"]), action())

    bench.train([message])

    assert seen == [Status.RUNNING, Status.COMPLETED]


def test_a_client_of_amqp_alone_gets_a_row(bench):
    bench.jobs.rows.clear()

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED", "TASK_COMPLETED"]
    assert bench.row["state"] is Status.COMPLETED
    assert bench.row["dataset_id"] == "data"


def test_a_client_that_names_no_model_gets_a_name(bench):
    body = {key: value for key, value in TRAINING.items() if key != "model_id"}

    message = bench.handle(body)

    received, completed = message.session.channel.replies
    assert received["model_id"] == completed["model_id"]
    assert bench.jobs.rows[received["model_id"]]["state"] is Status.COMPLETED


def test_a_redelivery_for_a_client_that_names_no_model_is_the_same_job(bench):
    body = {key: value for key, value in TRAINING.items() if key != "model_id"}
    first = bench.handle(body)

    again = bench.handle(body, redelivered=True)
    other = bench.handle(body, correlation_id="c2")

    name = first.session.channel.replies[0]["model_id"]
    assert again.session.channel.replies == [first.session.channel.replies[-1]]
    assert other.session.channel.replies[0]["model_id"] != name
    assert len(bench.trainer.requests) == 2


@pytest.mark.parametrize("body", [b"", b"{", b"[]", {}, {**TRAINING, "features": []}])
def test_poison_is_answered_and_rejected_and_the_next_message_is_handled(bench, body):
    poison, good = delivery(body), delivery(TRAINING)

    bench.train([poison, good])

    assert statuses(poison) == ["TASK_ERROR"]
    assert poison.verdict is Verdict.REJECT
    assert statuses(good) == ["TASK_RECEIVED", "TASK_COMPLETED"]


@pytest.mark.parametrize(
    "error",
    [
        errors.Invalid("params.x: no such parameter", field="params.x"),
        errors.BadData("no column a", columns=["b"]),
        errors.FitFailed("killed by SIGKILL"),
    ],
)
def test_a_fit_that_fails_ends_the_job_and_is_told(bench, error):
    bench.trainer.failures = [error]

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED", "TASK_ERROR"]
    assert message.session.channel.replies[-1]["error"] == error.to_wire()
    assert message.verdict is Verdict.ACK
    assert bench.row["state"] is Status.ERROR
    assert bench.row["error"] == error.to_wire()


def test_an_unknown_data_set_ends_the_job(bench):
    message = bench.handle({**TRAINING, "dataset_id": "nowhere"})

    assert message.session.channel.replies[-1]["error"]["type"] == "not_found"
    assert bench.row["state"] is Status.ERROR


@pytest.mark.parametrize("part", ["storage", "jobs"])
def test_what_cannot_be_reached_for_now_is_tried_again(bench, part):
    getattr(bench, part).failures = [errors.StorageUnavailable(), errors.DatabaseUnavailable()]

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED", "TASK_COMPLETED"]
    assert bench.row["state"] is Status.COMPLETED
    assert len(bench.trainer.requests) == 1


def test_the_end_of_a_job_is_written_as_soon_as_the_database_is_back(bench):
    def away():
        bench.jobs.failures = [errors.DatabaseUnavailable()]

    bench.trainer.meanwhile = away
    bench.trainer.failures = [errors.BadData("no column a")]

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED", "TASK_ERROR"]
    assert bench.row["state"] is Status.ERROR


def test_a_consumer_that_stops_does_not_wait_for_storage(bench):
    bench.stopping.set()
    bench.storage.failures = [errors.StorageUnavailable()]

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED"]
    assert message.verdict is Verdict.REQUEUE
    assert bench.row["state"] is Status.QUEUED


def test_a_consumer_that_stops_does_not_wait_for_the_database(bench):
    bench.stopping.set()
    bench.jobs.failures = [errors.DatabaseUnavailable()]

    message = bench.handle()

    assert statuses(message) == []
    assert message.verdict is Verdict.REQUEUE
    assert bench.row["state"] is Status.QUEUED


def test_an_interrupted_fit_is_released_and_handed_back(bench):
    bench.trainer.failures = [errors.Interrupted()]

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED"]
    assert message.verdict is Verdict.REQUEUE
    assert bench.row["state"] is Status.QUEUED


def test_an_interrupted_job_is_run_by_the_next_consumer(bench):
    bench.trainer.failures = [errors.Interrupted()]
    bench.handle()

    message = bench.handle(redelivered=True)

    assert statuses(message) == ["TASK_RECEIVED", "TASK_COMPLETED"]
    assert bench.row["attempt"] == 2


def test_an_interrupted_fit_is_handed_back_though_the_database_is_away(bench):
    def away():
        bench.jobs.failures = [errors.DatabaseUnavailable()]

    bench.trainer.meanwhile = away
    bench.trainer.failures = [errors.Interrupted()]

    message = bench.handle()

    assert message.verdict is Verdict.REQUEUE
    assert bench.row["state"] is Status.RUNNING
    assert statuses(bench.handle(redelivered=True)) == ["TASK_RECEIVED", "TASK_COMPLETED"]


@pytest.mark.parametrize("error", [None, errors.BadData("no column a")])
def test_an_attempt_that_comes_too_late_says_nothing(bench, error):
    bench.trainer.failures = [error] if error else []
    bench.trainer.meanwhile = lambda: bench.jobs.claim("m", "worker 2", redelivered=True)

    message = bench.handle()

    assert statuses(message) == ["TASK_RECEIVED"]
    assert message.verdict is Verdict.ACK
    assert bench.row["state"] is Status.RUNNING
    assert bench.row["attempt"] == 2
    assert bench.row["worker"] == "worker 2"


def test_a_job_that_runs_elsewhere_is_not_run_again(bench):
    bench.jobs.claim("m", "worker 2", redelivered=False)

    message = bench.handle()

    assert statuses(message) == []
    assert message.verdict is Verdict.ACK
    assert bench.trainer.requests == []


def test_a_completed_job_is_told_again_and_not_run_again(bench):
    first = bench.handle()

    again = bench.handle(redelivered=True)

    assert again.session.channel.replies == [first.session.channel.replies[-1]]
    assert again.verdict is Verdict.ACK
    assert len(bench.trainer.requests) == 1


def test_a_failed_job_is_told_again_and_not_run_again(bench):
    bench.trainer.failures = [errors.BadData("no column a")]
    first = bench.handle()

    again = bench.handle(redelivered=True)

    assert again.session.channel.replies == [first.session.channel.replies[-1]]
    assert len(bench.trainer.requests) == 1


def test_every_line_of_a_training_names_its_job(bench, caplog):
    jobs = []

    class Job(logging.Handler):
        def emit(self, record):
            jobs.append(tasks.log._job.get())

    handler = Job()
    tasks.logger.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO):
            bench.handle()
    finally:
        tasks.logger.removeHandler(handler)

    assert set(jobs) == {"m"}


NUMERIC = {"a": 0.5, "b": 1, "c": -2.0}


class Models:
    """The models that can answer; `runs` counts the rows of each run."""

    def __init__(self, *names):
        self.models = {name: Counted(frames.file("numeric", "ridge"), name) for name in names}

    def find(self, name):
        if name not in self.models:
            raise errors.NotFound(f"model_id: there is no model {name}", field="model_id")
        return self.models[name]

    def latest(self, dataset_id):
        if dataset_id == "empty":
            raise errors.NotFound("model_id: there is no model latest on data set empty")
        return "a"


class Counted(tasks.Model):
    def __init__(self, onnx, name):
        super().__init__(onnx)
        self.manifest = self.manifest.model_copy(update={"model_id": name})
        self.runs = []

    def predict(self, rows):
        self.runs.append(len(rows))
        return super().predict(rows)


@pytest.fixture
def models():
    return Models("a", "b")


@pytest.fixture
def predict(models):
    return tasks.Predict(models.find, models.latest)


def asks(model_id="a", input_data=None, **changes):
    body = {"model_id": model_id, "input_data": NUMERIC if input_data is None else input_data}
    return delivery({**body, **changes})


def answer(message):
    (reply,) = message.session.channel.replies
    return reply


def test_a_prediction_is_answered_once(predict):
    message = asks()

    predict([message])

    reply = answer(message)
    assert reply["status"] == "TASK_COMPLETED"
    assert reply["model_id"] == "a"
    assert reply["prediction"] == reply["pred_proba"]
    assert message.verdict is Verdict.ACK


def test_messages_for_one_model_are_answered_in_one_run(predict, models):
    messages = [asks(input_data={**NUMERIC, "a": float(i)}) for i in range(10)]

    predict(messages)

    assert models.models["a"].runs == [10]
    predictions = [answer(message)["prediction"] for message in messages]
    assert predictions == sorted(predictions)
    assert len(set(predictions)) == 10


def test_each_model_answers_its_own_messages(predict, models):
    messages = [asks("a"), asks("b"), asks("a")]

    predict(messages)

    assert [answer(message)["model_id"] for message in messages] == ["a", "b", "a"]
    assert models.models["a"].runs == [2]
    assert models.models["b"].runs == [1]


def test_rows_are_answered_by_lists_in_their_order(predict):
    rows = [{**NUMERIC, "a": value} for value in (1.0, 3.0, 2.0)]
    many, first, second = asks(input_data=rows), asks(input_data=rows[0]), asks(input_data=rows[1])

    predict([first, many, second])

    predictions = answer(many)["prediction"]
    assert len(predictions) == len(answer(many)["pred_proba"]) == 3
    assert predictions[0] == pytest.approx(answer(first)["prediction"])
    assert predictions[1] == pytest.approx(answer(second)["prediction"])
    assert predictions[0] < predictions[2] < predictions[1]


def test_a_list_of_one_row_is_answered_by_a_list(predict):
    message = asks(input_data=[NUMERIC])

    predict([message])

    assert len(answer(message)["prediction"]) == 1


@pytest.mark.parametrize(
    ("row", "field"),
    [({"a": 1, "b": 2}, "input_data.c"), ({**NUMERIC, "b": "x"}, "input_data.b")],
)
def test_a_bad_row_spoils_its_own_message_only(predict, models, row, field):
    good, bad, also_bad = asks(), asks(input_data=row), asks(input_data=[NUMERIC, row])

    predict([bad, good, also_bad])

    assert answer(good)["status"] == "TASK_COMPLETED"
    for message in (bad, also_bad):
        assert answer(message)["status"] == "TASK_ERROR"
        assert answer(message)["model_id"] == "a"
        assert answer(message)["error"]["field"] == field
        assert message.verdict is Verdict.ACK
    assert models.models["a"].runs == [1]


def test_nothing_is_run_when_every_row_is_bad(predict, models):
    predict([asks(input_data={}), asks(input_data=[{}])])

    assert models.models["a"].runs == []


def test_a_model_that_cannot_answer_spoils_its_own_messages_only(predict):
    messages = [asks("gone"), asks("a"), asks("gone")]

    predict(messages)

    assert [answer(message)["status"] for message in messages] == [
        "TASK_ERROR",
        "TASK_COMPLETED",
        "TASK_ERROR",
    ]
    assert answer(messages[0])["error"]["type"] == "not_found"
    assert answer(messages[0])["model_id"] == "gone"
    assert all(message.verdict is Verdict.ACK for message in messages)


def test_poison_among_predictions_is_answered_and_rejected(predict):
    poison, good = delivery(b"{"), asks()

    predict([poison, good])

    assert answer(poison)["error"]["type"] == "malformed"
    assert poison.verdict is Verdict.REJECT
    assert answer(good)["status"] == "TASK_COMPLETED"
    assert good.verdict is Verdict.ACK


def test_latest_is_the_newest_model_under_its_own_name(predict, models):
    messages = [asks("latest"), asks("a"), asks("latest", dataset_id="data")]

    predict(messages)

    assert [answer(message)["model_id"] for message in messages] == ["a", "a", "a"]
    assert models.models["a"].runs == [3]


def test_latest_of_what_has_no_model_is_not_found(predict):
    message = asks("latest", dataset_id="empty")

    predict([message])

    assert answer(message)["error"]["type"] == "not_found"


def test_an_answer_that_is_not_finite_is_an_error_of_its_own_message(models):
    class Odd(Counted):
        def predict(self, rows):
            answers = zip(rows, super().predict(rows), strict=True)
            return [None if row["a"] == 666 else answer for row, answer in answers]

    models.models["a"] = Odd(frames.file("numeric", "ridge"), "a")
    odd = {**NUMERIC, "a": 666}
    good, one, among = asks(), asks(input_data=odd), asks(input_data=[NUMERIC, odd])

    tasks.Predict(models.find, models.latest)([one, good, among])

    assert answer(good)["status"] == "TASK_COMPLETED"
    assert answer(one)["error"]["field"] == "input_data"
    assert answer(among)["error"]["type"] == "invalid"


def test_a_classifier_answers_labels_and_probabilities(models):
    models.models["a"] = Counted(frames.file("numeric", "logistic_regression"), "a")
    one, many = asks(), asks(input_data=[NUMERIC, NUMERIC])

    tasks.Predict(models.find, models.latest)([one, many])

    assert answer(one)["prediction"] in (0, 1)
    assert set(answer(one)["pred_proba"]) == {"0", "1"}
    assert answer(many)["prediction"] == [answer(one)["prediction"]] * 2
    assert len(answer(many)["pred_proba"]) == 2


def test_the_replies_of_a_batch_go_by_their_own_sessions(predict):
    sessions = [FakeSession(), FakeSession()]
    messages = [
        delivery({"model_id": "a", "input_data": NUMERIC}, session, correlation_id=str(number))
        for number, session in enumerate(sessions)
    ]

    predict(messages)

    for number, session in enumerate(sessions):
        ((_, _, _, properties),) = session.channel.published
        assert properties.correlation_id == str(number)
