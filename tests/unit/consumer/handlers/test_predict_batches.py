"""Asking together changes nothing: everybody gets the reply they would get alone."""

import json
from math import isclose

from hypothesis import given, settings
from hypothesis import strategies as st

from app import errors
from app.amqp.message import Disposition
from app.consumer.handlers.predict import PredictHandler
from tests.support import frames
from tests.support.fakes import at_once, delivery

KINDS = [
    ("everything", "random_forest_regressor"),
    ("everything", "random_forest_classifier"),
    ("text", "logistic_regression"),
    ("numeric", "ridge"),
]
NAMES = [f"{kind}-{estimator}" for kind, estimator in KINDS]


def find(model_id):
    if model_id not in NAMES:
        raise errors.NotFound("model_id", f"there is no model {model_id}")
    return frames.trained(*KINDS[NAMES.index(model_id)])


def latest(_, dataset_id):
    if dataset_id == "empty":
        raise errors.NotFound("model_id", "there is no model on data set empty")
    return NAMES[0]


numbers = st.floats(-1e3, 1e3) | st.integers(-100, 100) | st.sampled_from([0.0, -0.0, 3e38, 1e-320])
VALUES = {
    "number": numbers,
    "text": st.sampled_from(["red", "green", "blue", "\u00e4,\n", "never seen", "", "\U0001f600"]),
    "boolean": st.booleans(),
}
wrong = st.sampled_from([None, True, "1", 1e300, 10**400, [], {"a": 1}, 0.5, "red"])


@st.composite
def rows(draw, model_id):
    """A row that fits a model, or one with something wrong, or with what only may be wrong."""
    features = find(model_id).manifest.features
    row = {each.name: draw(VALUES[each.type]) for each in features}
    name = draw(st.sampled_from([*row, "extra"]))
    match draw(st.sampled_from(["good"] * 6 + ["missing", "wrong"])):
        case "missing":
            row.pop(name, None)
        case "wrong":
            row[name] = draw(wrong)
    return row


@st.composite
def requests(draw):
    """The body of a request, good or not."""
    name = draw(st.sampled_from(NAMES))
    row = rows(name)
    asked = {"model_id": name, "input_data": draw(row | st.lists(row, max_size=4))}
    match draw(st.sampled_from(["good"] * 6 + ["latest", "empty", "gone", "poison"])):
        case "latest":
            asked["model_id"] = "latest"
        case "empty":
            asked |= {"model_id": "latest", "dataset_id": "empty"}
        case "gone":
            asked["model_id"] = "gone"
        case "poison":
            return draw(st.sampled_from([b"", b"{", b"[]", b"null", b'{"model_id":"m"}', b"\xff"]))
    return json.dumps(asked).encode()


def alone(body):
    """What a request that comes alone is answered, and what becomes of its message."""
    message = delivery(body)
    PredictHandler(at_once(find), latest)([message])
    (reply,) = message.channel.replies
    return reply, message.disposition


def close(one, other):
    """Whether two replies are the same, but for the last digits of their numbers."""
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-5, abs_tol=1e-6)
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other))
    return type(one) is type(other) and one == other


@settings(max_examples=200)
@given(st.lists(requests() | st.lists(requests(), min_size=1, max_size=5), max_size=6))
def test_together_everybody_is_answered_as_they_are_alone(asked):
    """A message is a body, or a list of bodies: its lines."""
    messages = [
        delivery(b"\n".join(each) + b"\n", is_ndjson=True)
        if isinstance(each, list)
        else delivery(each)
        for each in asked
    ]

    PredictHandler(at_once(find), latest)(messages)

    for message, each in zip(messages, asked, strict=True):
        (sent,) = message.channel.published
        assert (sent.queue, sent.correlation_id) == ("callback", "c1")
        replies = [json.loads(line) for line in sent.body.split(b"\n")]
        expected, dispositions = zip(
            *map(alone, each if message.is_ndjson else [each]), strict=True
        )
        assert close(replies, list(expected)), (replies, expected)
        assert message.disposition is (
            Disposition.REJECT if Disposition.REJECT in dispositions else Disposition.ACK
        )
