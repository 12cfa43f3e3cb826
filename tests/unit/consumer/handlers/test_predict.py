import json
import re
from concurrent.futures import Future
from time import monotonic

import pytest

from app import errors
from app.amqp.message import Disposition
from app.amqp.reply_to import DIRECT_REPLY_PREFIX
from app.consumer.handlers.predict import SMALL_BYTES, PredictHandler
from app.inference.graph import SessionGraph
from app.inference.onnx_runtime import OnnxRuntime
from app.inference.trained_model import TrainedModel
from app.inference.uploaded_model import UploadedModel
from app.models.manifest import OnnxManifest
from app.protocol.oip.message import answer_of, wrap
from tests.support import frames, graphs, pictures
from tests.support.fakes import FakeSession, at_once, delivery

NUMERIC = {"a": 0.5, "b": 1, "c": -2.0}


class Models:
    """The models that can answer; `runs` counts the rows of each run."""

    def __init__(self, *names):
        self.models = {name: Counted(frames.file("numeric", "ridge"), name) for name in names}

    def find(self, name):
        if name not in self.models:
            raise errors.NotFound("model_id", f"there is no model {name}")
        return self.models[name]

    def latest(self, _, dataset_id):
        if dataset_id == "empty":
            raise errors.NotFound(None, "model_id: there is no model latest on data set empty")
        return "a"


class Counted(TrainedModel):
    def __init__(self, onnx, name):
        runtime = OnnxRuntime(onnx)
        super().__init__(runtime.manifest.model_copy(update={"model_id": name}), runtime)
        self.runs = []

    def predict(self, rows):
        self.runs.append(len(rows))
        return super().predict(rows)


class Narrow(Counted):
    """A model whose memory ends at more than two rows."""

    def predict(self, rows):
        if len(rows) > 2:
            self.runs.append(-len(rows))
            raise errors.ModelOutOfMemory("the model needs more than 1 MB of memory to answer")
        return super().predict(rows)


@pytest.fixture
def models():
    return Models("a", "b")


@pytest.fixture
def predict(models):
    return PredictHandler(at_once(models.find), models.latest)


def asks(model_id="a", input_data=None, **changes):
    body = {"model_id": model_id, "input_data": NUMERIC if input_data is None else input_data}
    return delivery({**body, **changes})


def answer(message):
    (reply,) = message.channel.replies
    return reply


def test_a_prediction_is_answered_once(predict):
    message = asks()

    predict([message])

    reply = answer(message)
    assert reply["status"] == "TASK_COMPLETED"
    assert reply["model_id"] == "a"
    assert reply["prediction"] == reply["pred_proba"]
    assert message.disposition is Disposition.ACK


def test_messages_for_one_model_are_answered_in_one_run(predict, models):
    messages = [asks(input_data={**NUMERIC, "a": float(i)}) for i in range(10)]

    predict(messages)

    assert models.models["a"].runs == [10]
    predictions = [answer(message)["prediction"] for message in messages]
    assert predictions == sorted(predictions)
    assert len(set(predictions)) == 10


def test_where_memory_ends_each_message_is_answered_alone(predict, models):
    narrow = models.models["a"] = Narrow(frames.file("numeric", "ridge"), "a")
    messages = [asks(input_data=[NUMERIC] * count) for count in (1, 3, 2)]

    predict(messages)

    assert narrow.runs == [-6, 1, -3, 2]
    one, many, two = map(answer, messages)
    assert (len(one["prediction"]), len(two["prediction"])) == (1, 2)
    assert many["status"] == "TASK_ERROR"
    assert many["error"]["type"] == "model_out_of_memory"
    assert [each.disposition for each in messages] == [Disposition.ACK] * 3


def test_a_message_that_needs_too_much_memory_alone_is_told_so(predict, models):
    models.models["a"] = Narrow(frames.file("numeric", "ridge"), "a")
    message = asks(input_data=[NUMERIC] * 3)

    predict([message])

    assert answer(message)["error"]["detail"].startswith("the model needs more than 1 MB")


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
    for message, place in ((bad, field), (also_bad, field.replace(".", ".1."))):
        assert answer(message)["status"] == "TASK_ERROR"
        assert answer(message)["model_id"] == "a"
        assert answer(message)["error"]["field"] == place
        assert message.disposition is Disposition.ACK
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
    assert all(message.disposition is Disposition.ACK for message in messages)


def test_poison_among_predictions_is_answered_and_rejected(predict):
    poison, good = delivery(b"{"), asks()

    predict([poison, good])

    assert answer(poison)["error"]["type"] == "malformed"
    assert poison.disposition is Disposition.REJECT
    assert answer(good)["status"] == "TASK_COMPLETED"
    assert good.disposition is Disposition.ACK


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

    PredictHandler(at_once(models.find), models.latest)([one, good, among])

    assert answer(good)["status"] == "TASK_COMPLETED"
    assert answer(one)["error"]["field"] == "input_data"
    assert answer(among)["error"]["field"] == "input_data.1"


def test_a_classifier_answers_labels_and_probabilities(models):
    models.models["a"] = Counted(frames.file("numeric", "logistic_regression"), "a")
    one, many = asks(), asks(input_data=[NUMERIC, NUMERIC])

    PredictHandler(at_once(models.find), models.latest)([one, many])

    assert answer(one)["prediction"] in (0, 1)
    assert set(answer(one)["pred_proba"]) == {"0", "1"}
    assert answer(many)["prediction"] == [answer(one)["prediction"]] * 2
    assert len(answer(many)["pred_proba"]) == 2


class Counting(UploadedModel):
    runs: list[int]

    def predict(self, prepared):
        self.runs.append(len(prepared))
        return super().predict(prepared)


def test_what_is_answered_together_is_bounded_by_its_answers(models):
    messages = [asks() for _ in range(10)]

    PredictHandler(at_once(models.find), None, run_bytes=200)(messages)

    assert models.models["a"].runs == [3, 3, 3, 1]  # an answer takes 80 bytes
    assert {answer(each)["status"] for each in messages} == {"TASK_COMPLETED"}


def test_images_are_answered_a_few_megabytes_at_a_time():
    spec = OnnxManifest.model_validate(graphs.IMAGES)
    model = Counting("a", spec, SessionGraph(graphs.colours(), spec), 1000)
    model.runs = []
    colours = [pictures.RED, pictures.GREEN, pictures.BLUE] * 3
    asked = [{"model_id": "a", "image_data": pictures.image(each)} for each in colours]
    bad = {"model_id": "a", "image_data": "bad"}
    many = {"model_id": "a", "image_data": [pictures.image(each) for each in colours]}
    messages = [delivery(each) for each in (*asked[:4], bad, *asked[4:], many)]

    PredictHandler(at_once(lambda _: model), None, run_bytes=1500)(messages)

    replies = [answer(each) for each in messages]
    assert model.runs == [3, 3, 3, 9]  # each has 192 bytes, and its answer 320
    assert [each.get("prediction") for each in replies if each is not replies[4]] == [
        *graphs.COLOURS * 3,
        graphs.COLOURS * 3,
    ]
    assert replies[4]["error"]["field"] == "image_data"


def test_the_replies_of_a_batch_go_by_their_own_sessions(predict):
    sessions = [FakeSession(), FakeSession()]
    messages = [
        delivery({"model_id": "a", "input_data": NUMERIC}, session, correlation_id=str(number))
        for number, session in enumerate(sessions)
    ]

    predict(messages)

    for number, session in enumerate(sessions):
        (sent,) = session.published
        assert sent.correlation_id == str(number)


def lines(*bodies):
    """One message of many requests."""
    return delivery(b"\n".join(json.dumps(body).encode() for body in bodies), is_ndjson=True)


def said(message):
    """The replies to the lines of a message."""
    (sent,) = message.channel.published
    return [json.loads(line) for line in sent.body.split(b"\n")]


def test_the_lines_of_messages_are_answered_in_one_run_for_each_model(predict, models):
    def asked(model_id, value):
        return {"model_id": model_id, "input_data": {**NUMERIC, "a": value}}

    first = lines(asked("a", 1.0), asked("b", 2.0), asked("a", 3.0))
    second, alone = lines(asked("b", 4.0), asked("a", 5.0)), asks(input_data={**NUMERIC, "a": 6.0})

    predict([first, alone, second])

    assert models.models["a"].runs == [4]
    assert models.models["b"].runs == [2]
    assert [reply["model_id"] for reply in said(first) + said(second)] == ["a", "b", "a", "b", "a"]
    predictions = [reply["prediction"] for reply in [*said(first), *said(second), answer(alone)]]
    assert predictions == sorted(predictions)


def test_a_bad_line_spoils_itself_only(predict):
    good = {"model_id": "a", "input_data": NUMERIC}
    message = lines(good, {"model_id": "a", "input_data": {}}, {"model_id": "gone"}, [], good)
    gone = lines({**good, "model_id": "gone"}, good)

    predict([message, gone])

    kinds = [reply.get("error", {}).get("type") for reply in said(message)]
    assert kinds == [None, "invalid", "invalid", "invalid", None]
    assert message.disposition is Disposition.REJECT  # for what was no request
    assert [reply["status"] for reply in said(gone)] == ["TASK_ERROR", "TASK_COMPLETED"]
    assert gone.disposition is Disposition.ACK


def test_a_bug_with_one_model_is_none_of_the_other_lines_business(predict, models):
    def fail(rows):
        raise KeyError("secret")

    models.models["b"].predict = fail
    good = {"model_id": "a", "input_data": NUMERIC}
    message = lines(good, {**good, "model_id": "b"}, good)

    predict([message])

    kinds = [reply.get("error", {}).get("type") for reply in said(message)]
    assert kinds == [None, "internal", None]
    assert message.disposition is Disposition.REJECT


def test_what_nobody_waits_for_any_more_is_not_answered(predict, models):
    request = {"model_id": "a", "input_data": NUMERIC}
    late = delivery(request, deadline=monotonic() - 1)
    in_time, patient = delivery(request, deadline=monotonic() + 600), asks()

    predict([late, in_time, patient])

    assert late.channel.published == []
    assert late.disposition is Disposition.ACK
    assert answer(in_time)["status"] == answer(patient)["status"] == "TASK_COMPLETED"
    assert models.models["a"].runs == [2]


def noted(caplog):
    """What was logged, without the milliseconds."""
    return [re.sub(r"=\d+\.\d", "", each.getMessage()) for each in caplog.records]


def test_a_request_with_a_job_is_logged_at_its_start_and_end(predict, caplog):
    caplog.set_level("INFO")
    message = asks(job_id="j1")
    predict([message, asks("b")])

    assert answer(message)["status"] == "TASK_COMPLETED"
    assert noted(caplog) == [
        "START predict model=a",
        "END predict model=a TASK_COMPLETED elapsed_ms",
    ]


def test_a_request_with_a_job_that_fails_is_logged_with_its_error(predict, caplog):
    caplog.set_level("INFO")
    predict([asks("none", job_id="j1"), asks(input_data={"a": 1}, job_id="j2")])

    assert sorted(noted(caplog)) == [
        "END predict model=a TASK_ERROR elapsed_ms invalid",
        "END predict model=none TASK_ERROR elapsed_ms not_found",
        "START predict model=a",
        "START predict model=none",
    ]


def test_a_request_with_a_job_that_comes_too_late_has_an_end_all_the_same(models, caplog):
    caplog.set_level("INFO")
    found = Future()
    predict = PredictHandler(lambda *_: found, models.latest)
    message = asks(job_id="j1")
    (later,) = predict([message])
    found.set_result(models.find("a"))
    later.then([])

    assert message.channel.replies == []
    assert noted(caplog)[1] == "END predict model=a TASK_ERROR elapsed_ms dropped"


def test_a_request_with_a_job_that_waited_for_its_model_ends_once(models, caplog):
    caplog.set_level("INFO")
    found = Future()
    predict = PredictHandler(lambda *_: found, models.latest)
    message = asks(job_id="j1")
    (later,) = predict([message])
    found.set_result(models.find("a"))
    later.then([message])

    assert answer(message)["status"] == "TASK_COMPLETED"
    assert noted(caplog)[1:] == ["END predict model=a TASK_COMPLETED elapsed_ms"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"body": b"x" * SMALL_BYTES}, True),
        ({"body": b"x" * (SMALL_BYTES + 1)}, False),
        ({"body": b'{"model_id": "latest"}'}, False),
        ({"body": b'{"model_id": "\\u006catest"}'}, False),
        ({"body": b'{"image_data": ""}'}, False),
        ({"reply_to": None}, True),
        ({"reply_to": f"{DIRECT_REPLY_PREFIX}.abc"}, False),
    ],
)
def test_a_prediction_is_fast_if_it_is_small_and_needs_no_other_service(predict, changes, expected):
    assert predict.is_fast(delivery(**{"body": b'{"model_id": "m"}', **changes})) is expected


def test_lines_of_both_forms_are_answered_in_one_run(predict, models):
    tensors = [
        {"name": name, "shape": [2], "datatype": "FP64", "data": [value, value]}
        for name, value in NUMERIC.items()
    ]
    infer = json.dumps({"id": "7", "inputs": tensors}).encode()
    plain = json.dumps({"model_id": "a", "input_data": NUMERIC}).encode()
    wrong = wrap(json.dumps({"inputs": tensors[:1]}).encode(), None, "a")
    message = delivery(b"\n".join((plain, wrap(infer, None, "a"), wrong)), is_ndjson=True)

    predict([message])

    (reply,) = message.channel.published
    first, second, third = reply.body.split(b"\n")
    prediction = json.loads(first)["prediction"]
    assert models.models["a"].runs == [3]
    said = json.loads(answer_of(second).body)
    assert (said["model_name"], said["id"]) == ("a", "7")
    assert said["outputs"][0]["data"] == [prediction] * 2
    assert json.loads(third)["error"]["field"] == "input_data.0.b"


def test_a_wrong_line_of_a_producer_keeps_none_of_the_lines(predict):
    tensors = [
        {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
        for name, value in NUMERIC.items()
    ]
    right = wrap(json.dumps({"inputs": tensors}).encode(), None, "a")
    tensors[0]["data"] = ["high"]
    wrong = wrap(json.dumps({"inputs": tensors}).encode(), None, "a")
    message = delivery(b"\n".join((right, wrong, right)), is_ndjson=True)

    predict([message])

    first, second, third = message.channel.published[0].body.split(b"\n")
    assert json.loads(second)["error"]["type"] == "invalid"
    assert first == third
    assert b"outputs" in first
    assert message.disposition is Disposition.ACK
