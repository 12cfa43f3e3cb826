"""Predictions of models that are not loaded."""

import gc
import weakref
from concurrent.futures import Future
from time import monotonic

import pytest

from app import errors
from app.amqp.message import Disposition
from app.consumer.handlers.predict import PredictHandler
from app.inference.trained_model import TrainedModel
from app.protocol.replies import parse_reply
from app.protocol.types import JobStatus
from tests.support import frames
from tests.support.fakes import delivery

ROW = {"a": 0.5, "b": 1, "c": -2.0}


class Models:
    """`warm` is loaded; what else is asked for is so when a test says so."""

    def __init__(self):
        self.found = {}
        self.loaded("warm")

    def find(self, name):
        return self.found.setdefault(name, Future())

    def loaded(self, name):
        ridge = frames.trained("numeric", "ridge")
        model = Counted(ridge.manifest, ridge.runtime)
        model.manifest = model.manifest.model_copy(update={"model_id": name})
        self.find(name).set_result(model)

    def failed(self, name, error):
        self.find(name).set_exception(error)


class Counted(TrainedModel):
    """`runs` counts the rows of each run."""

    def predict(self, rows):
        self.runs = [*getattr(self, "runs", []), len(rows)]
        return super().predict(rows)


@pytest.fixture
def models():
    return Models()


@pytest.fixture
def predict(models):
    return PredictHandler(lambda name, isolated: models.find(name), lambda _: "warm")


def asks(*model_ids, **changes):
    """A message that asks one model, or one with a line for each."""
    bodies = [{"model_id": model_id, "input_data": ROW} for model_id in model_ids]
    if len(bodies) == 1:
        return delivery(bodies[0], **changes)
    lines = b"\n".join(delivery(body).body for body in bodies)
    return delivery(lines, is_ndjson=True, **changes)


def statuses(message):
    """The status in each line of the only reply."""
    (reply,) = message.channel.published
    return [parse_reply(line).status for line in reply.body.split(b"\n")]


def resume(later):
    return later.then(later.messages)


def test_what_asks_a_loaded_model_does_not_wait_for_what_asks_another(predict, models):
    cold, warm, also_cold = asks("cold"), asks("warm"), asks("cold")

    (later,) = predict([cold, warm, also_cold])

    assert statuses(warm) == [JobStatus.COMPLETED]
    assert cold.channel.published == also_cold.channel.published == []
    assert later.messages == [cold, also_cold]
    assert later.until is models.find("cold")


def test_when_many_messages_wait_others_are_refused_at_once(predict):
    message = asks("cold")
    message.channel.crowded = True

    assert predict([message]) == []

    (reply,) = message.channel.replies
    assert reply["error"]["type"] == "unavailable"
    assert message.disposition is Disposition.ACK


def test_what_waited_for_a_model_is_answered_in_one_run(predict, models):
    messages = [asks("cold") for _ in range(5)]
    (later,) = predict(messages)
    models.loaded("cold")

    assert not resume(later)

    assert [statuses(message) for message in messages] == [[JobStatus.COMPLETED]] * 5
    assert models.find("cold").result().runs == [5]


def test_each_model_is_waited_for_alone(predict, models):
    first, second = asks("cold"), asks("colder")

    (of_first, of_second) = predict([first, second])

    models.loaded("colder")
    resume(of_second)
    assert statuses(second) == [JobStatus.COMPLETED]
    models.loaded("cold")
    resume(of_first)
    assert statuses(first) == [JobStatus.COMPLETED]


def test_a_message_whose_lines_ask_many_models_is_answered_with_the_last(predict, models):
    message = asks("cold", "warm", "colder", "cold")

    (of_cold, of_colder) = predict([message])

    assert of_cold.messages == of_colder.messages == [message]
    models.failed("colder", errors.NotFound(None, "there is none"))
    resume(of_colder)
    assert message.channel.published == []
    models.loaded("cold")
    resume(of_cold)
    assert statuses(message) == [
        JobStatus.COMPLETED,
        JobStatus.COMPLETED,
        JobStatus.ERROR,
        JobStatus.COMPLETED,
    ]


def test_what_came_too_late_is_not_answered(predict, models):
    expired, awaited = asks("cold"), asks("cold", deadline=monotonic() + 60)
    (later,) = predict([expired, awaited])
    expired.deadline = monotonic()
    models.loaded("cold")

    resume(later)

    assert expired.channel.published == []
    assert statuses(awaited) == [JobStatus.COMPLETED]
    assert models.find("cold").result().runs == [1]


def test_what_another_consumer_has_been_given_is_not_answered(predict, models):
    lost, kept = asks("cold"), asks("cold")
    (later,) = predict([lost, kept])
    models.loaded("cold")

    later.then([kept])

    assert lost.channel.published == []
    assert statuses(kept) == [JobStatus.COMPLETED]


def test_an_error_reaches_all_that_waited_for_the_model(predict, models):
    messages = [asks("cold"), asks("cold")]
    (later,) = predict(messages)
    models.failed("cold", errors.StorageUnavailable())

    resume(later)

    for message in messages:
        (reply,) = message.channel.replies
        assert reply["error"]["type"] == "storage_unavailable"
        assert reply["model_id"] == "cold"
        assert message.disposition is Disposition.ACK


def test_a_bug_with_a_model_is_told_and_goes_to_the_dead_letters(predict, models):
    message = asks("cold")
    (later,) = predict([message])
    models.failed("cold", KeyError("secret"))

    resume(later)

    (reply,) = message.channel.replies
    assert reply["error"]["type"] == "internal"
    assert message.disposition is Disposition.REJECT


def test_an_error_that_is_remembered_does_not_keep_what_was_asked(predict, models):
    models.failed("cold", errors.StorageUnavailable())
    message = asks("cold")
    predict([message])
    assert statuses(message) == [JobStatus.ERROR]

    watched = weakref.ref(message)
    del message

    gc.collect()
    assert watched() is None
