"""What is counted of requests that a model answers together."""

from app import errors
from app.consumer.handlers.joint_runs import answer_together
from app.observability.metrics import catalogue
from app.protocol.requests import PredictRequest
from tests.support.counted import counted
from tests.support.fakes import delivery


class Model:
    """Answers each row by its `a`, which may be None; without `a` a row is refused."""

    model_id, answered_by, labels = "m", "onnx", None
    alive, isolated = True, False
    answer_bytes = 1
    error: errors.WarrenError | None = None

    def prepare(self, inputs):
        if any("a" not in row for row in inputs.rows):
            raise errors.Invalid("input_data.a", "missing")
        return inputs.rows

    def predict(self, rows):
        if self.error:
            raise self.error
        return [row["a"] and {"prediction": row["a"], "pred_proba": row["a"]} for row in rows]


def answered(*inputs, error=None):
    """How many requests got a reply, after the model has answered them."""
    model = Model()
    model.error = error
    requests = [(delivery({}), PredictRequest(model_id="m", input_data=each)) for each in inputs]
    told = []
    answer_together(requests, model, lambda: model, 10**6, lambda place, _: told.append(place))
    assert sorted(told) == list(range(len(inputs)))


def test_each_request_is_counted_once_and_each_run():
    with (
        counted(catalogue.PREDICTIONS) as predictions,
        counted(catalogue.BATCH_ROWS) as rows,
        counted(catalogue.RUN) as runs,
    ):
        answered({"a": 1.0}, {}, [{"a": 1.0}, {"a": 2.0}], {"a": None})

    assert predictions == {("onnx", "completed"): 2, ("onnx", "invalid"): 2}
    assert rows == runs == {("onnx",): 1}


def test_the_requests_of_a_run_that_fails_are_counted_by_its_error():
    with counted(catalogue.PREDICTIONS) as predictions, counted(catalogue.RUN) as runs:
        answered({"a": 1.0}, {"a": 2.0}, error=errors.DeadlineExceeded("late"))

    assert predictions == {("onnx", "deadline_exceeded"): 2}
    assert runs == {}


def test_requests_that_are_run_again_alone_are_counted_once():
    with counted(catalogue.PREDICTIONS) as predictions:
        answered({"a": 1.0}, {"a": 2.0}, error=errors.ModelOutOfMemory("too much"))

    assert predictions == {("onnx", "model_out_of_memory"): 2}
