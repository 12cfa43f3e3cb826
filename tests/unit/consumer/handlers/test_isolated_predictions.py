"""Requests for models that run isolated: they are deferred, and harm nobody but their senders."""

import json
from concurrent.futures import Future
from time import monotonic

import pytest

from app import errors
from app.amqp.message import Disposition
from app.consumer.handlers.predict import PredictHandler
from app.consumer.held_bytes import HeldBytes
from app.protocol.replies import parse_reply
from app.protocol.types import JobStatus
from tests.support.fakes import FakeSession, delivery

SECONDS = 20


class Isolated:
    """Answers each row by its `a`, or fails as the row says; `runs` has the rows of each run."""

    isolated = True
    bytes = 1
    answer_bytes = 1
    answered_by = "onnx"
    labels = None

    def __init__(self, model_id, runs):
        self.model_id = model_id
        self.alive = True
        self.runs = runs

    def prepare(self, inputs):
        if any("a" not in row for row in inputs.rows):
            raise errors.Invalid("input_data.a", "missing")
        return inputs.rows

    def predict(self, rows):
        assert self.alive
        self.runs.append([row["a"] for row in rows])
        for row in rows:
            if fails := row.get("fails"):
                self.alive = False
                raise FAILS[fails]
        return [{"prediction": row["a"], "pred_proba": row["a"]} for row in rows]


FAILS = {
    "memory": errors.ModelOutOfMemory("it needs more than 1 MB"),
    "time": errors.DeadlineExceeded("it took longer than 15 s"),
    "death": errors.ModelLost("its process died"),
    "bug": KeyError("secret"),
}


class Models:
    """Loads a model again when it has died; `asked` tells for what, and whether isolated."""

    def __init__(self):
        self.asked = []
        self.runs = []
        self.loads = {}
        self.refuse = None

    def find(self, model_id, isolated):
        self.asked.append((model_id, isolated))
        found = self.loads.get(model_id)
        if found is None or not found.result().alive:
            found = self.loads[model_id] = Future()
            if self.refuse and found is not None and len(self.asked) > 1:
                found.set_exception(self.refuse)
            else:
                found.set_result(Isolated(model_id, self.runs))
        return found


@pytest.fixture
def models():
    return Models()


@pytest.fixture
def predict(models):
    return PredictHandler(models.find, None)


def asks(a, model_id="m", channel=None, **changes):
    fails = changes.pop("fails", None)
    row = {"a": a} if fails is None else {"a": a, "fails": fails}
    return delivery({"model_id": model_id, "input_data": row}, channel, **changes)


def finished(deferred, dropped=()):
    """Do deferred work as the worker thread does, without the messages of lost connections."""
    for work in deferred:
        work.until.exception(SECONDS)
        work.then([each for each in work.messages if each not in dropped])


def answer(message):
    (reply,) = message.channel.replies
    return reply


def test_requests_are_deferred_and_answered_together(predict, models):
    messages = [asks(n) for n in range(5)]

    deferred = predict(messages)

    assert not any(message.channel.published for message in messages)
    assert [work.messages for work in deferred] == [messages]
    finished(deferred)
    assert [answer(message)["prediction"] for message in messages] == [0, 1, 2, 3, 4]
    assert models.runs == [[0, 1, 2, 3, 4]]


def test_an_invalid_row_fails_only_its_own_request(predict):
    bad = delivery({"model_id": "m", "input_data": {"b": 1}})
    good = asks(1)

    finished(predict([bad, good]))

    assert answer(bad)["error"]["field"] == "input_data.a"
    assert answer(good)["prediction"] == 1


@pytest.mark.parametrize("fails", ["memory", "death"])
def test_what_one_request_does_to_the_process_is_told_to_its_sender_alone(predict, models, fails):
    before, culprit, after = asks(1), asks(2, fails=fails), asks(3)

    finished(predict([before, culprit, after]))

    assert models.runs == [[1, 2, 3], [1], [2], [3]]
    assert answer(before)["prediction"] == 1
    assert answer(after)["prediction"] == 3
    assert answer(culprit)["error"]["type"] == FAILS[fails].type
    assert {each.disposition for each in (before, culprit, after)} == {Disposition.ACK}


def test_a_run_that_takes_too_long_is_not_repeated(predict, models):
    messages = [asks(1), asks(2, fails="time")]

    finished(predict(messages))

    assert models.runs == [[1, 2]]
    assert [answer(each)["error"]["type"] for each in messages] == ["deadline_exceeded"] * 2


def test_a_sender_that_has_stopped_waiting_meanwhile_is_not_asked_for_again(predict, models):
    culprit, late = asks(1, fails="death"), asks(2, deadline=monotonic() + 60)
    deferred = predict([culprit, late])
    late.deadline = monotonic()

    finished(deferred)

    assert [2] not in models.runs


def test_a_model_that_cannot_be_loaded_again_is_told_to_those_that_wait(predict, models):
    models.refuse = errors.ModelQuarantined("it ended its process 3 times")
    messages = [asks(1, fails="death"), asks(2)]

    finished(predict(messages))

    assert [answer(message)["error"]["type"] for message in messages] == ["quarantined"] * 2


def test_a_bug_is_told_and_goes_to_the_dead_letters(predict):
    message = asks(1, fails="bug")

    finished(predict([message]))

    assert answer(message)["error"]["type"] == "internal"
    assert message.disposition is Disposition.REJECT


@pytest.mark.parametrize("end", ["expired", "lost"])
def test_a_request_whose_sender_no_longer_waits_is_dropped(models, end):
    held = HeldBytes()
    predict = PredictHandler(models.find, None, held=held)
    channel = FakeSession()
    message = asks(1, channel=channel)
    if end == "lost":
        channel.alive = False
    else:
        message.deadline = monotonic() + 60
        find = models.find

        def expire(*args):
            message.deadline = monotonic()
            return find(*args)

        predict = PredictHandler(expire, None, held=held)

    finished(predict([message]), dropped=[message] if end == "lost" else [])

    assert models.runs == []
    assert channel.published == []
    assert held.held == 0


def test_the_lines_of_a_message_that_ask_several_models_are_answered_with_the_last(predict):
    lines = [asks(1).body, asks(2, "n").body, asks(3).body]
    message = delivery(b"\n".join(lines), is_ndjson=True)

    finished(predict([message]))

    (reply,) = message.channel.published
    replies = [parse_reply(line) for line in reply.body.split(b"\n")]
    assert [each.status for each in replies] == [JobStatus.COMPLETED] * 3


def test_a_message_that_was_delivered_before_is_answered_by_an_isolated_process(predict, models):
    again, first = asks(1, redelivered=True), asks(2)

    finished(predict([again, first]))

    assert sorted(models.asked) == [("m", False), ("m", True)]
    assert models.runs.count([1]) == models.runs.count([2]) == 1  # not in one run
    assert answer(again)["prediction"] == 1


def test_a_large_request_runs_alone(predict, models):
    rows = [{"a": n, "text": "x" * 100} for n in range(2000)]
    large = delivery({"model_id": "m", "input_data": rows})

    finished(predict([asks(1), large, asks(2)]))

    assert sorted(map(len, models.runs)) == [1, 1, 2000]
    assert len(answer(large)["prediction"]) == 2000


def test_what_waits_is_bounded_by_bytes(models):
    held = HeldBytes(1000)
    predict = PredictHandler(models.find, None, held=held)
    held.take(1)
    message = delivery({"model_id": "m", "input_data": {"a": 1, "text": "x" * 100}})

    assert predict([message]) == []

    assert answer(message)["error"]["type"] == "overloaded"
    assert json.loads(message.channel.published[0].body)["model_id"] == "m"
