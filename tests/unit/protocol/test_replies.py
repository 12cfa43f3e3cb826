import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.protocol.replies import (
    Cancelled,
    Failed,
    Predicted,
    Reply,
    TrainCompleted,
    parse_reply,
)
from app.protocol.types import JobStatus

ERROR = errors.NotReady(None, "in training", state="TASK_RUNNING")

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=10,
)
objects = st.dictionaries(text, json_values, max_size=3)
model_ids = st.none() | text
plain = st.sampled_from([JobStatus.RECEIVED, JobStatus.QUEUED, JobStatus.RUNNING])

replies = st.one_of(
    st.builds(Reply, plain, model_ids),
    st.builds(TrainCompleted, model_ids, metrics=st.dictionaries(text, finite, max_size=3)),
    st.builds(Predicted, model_ids, prediction=json_values),
    st.builds(Predicted, model_ids, prediction=json_values, pred_proba=json_values),
    st.builds(Predicted, model_ids, prediction=json_values, outputs=objects),
    st.builds(Cancelled, model_ids),
    st.builds(Failed, model_ids, error=objects),
)


@given(replies)
def test_a_reply_survives_the_wire(reply):
    assert parse_reply(reply.encode()) == reply


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (Reply(JobStatus.RECEIVED, "m"), b'{"status":"TASK_RECEIVED","model_id":"m"}'),
        (Reply(JobStatus.QUEUED), b'{"status":"TASK_QUEUED","model_id":null}'),
        (
            TrainCompleted("m", metrics={"r2": 0.5}),
            b'{"status":"TASK_COMPLETED","model_id":"m","metrics":{"r2":0.5}}',
        ),
        (
            Predicted("m", prediction=[1, "a"], pred_proba=[{"a": 1.0}, None]),
            b'{"status":"TASK_COMPLETED","model_id":"m","prediction":[1,"a"],'
            b'"pred_proba":[{"a":1.0},null]}',
        ),
        (
            Predicted("m", prediction=None, pred_proba=None),
            b'{"status":"TASK_COMPLETED","model_id":"m","prediction":null,"pred_proba":null}',
        ),
        (
            Predicted("m", prediction=1),
            b'{"status":"TASK_COMPLETED","model_id":"m","prediction":1}',
        ),
        (
            Predicted("m", prediction=1, pred_proba=1, outputs={"y": [1]}),
            b'{"status":"TASK_COMPLETED","model_id":"m","prediction":1,"pred_proba":1,'
            b'"outputs":{"y":[1]}}',
        ),
        (Cancelled("m"), b'{"status":"TASK_CANCELLED","model_id":"m"}'),
        (
            Cancelled("m", error={"type": "unavailable"}),
            b'{"status":"TASK_CANCELLED","model_id":"m","error":{"type":"unavailable"}}',
        ),
        (
            Failed.of(ERROR, "m"),
            b'{"status":"TASK_ERROR","model_id":"m","error":'
            b'{"type":"not_ready","detail":"in training","state":"TASK_RUNNING"}}',
        ),
    ],
)
def test_a_reply_has_its_keys_in_order(reply, body):
    assert reply.encode() == body
    assert parse_reply(body) == reply


def test_long_lists_are_written_like_short_ones():
    numbers = [each / 7 for each in range(10_000)]
    reply = Predicted("m", prediction=numbers, pred_proba=numbers)

    assert json.loads(reply.encode()) == reply.to_wire()


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_reply_never_holds_what_is_no_json(number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        Predicted("m", prediction=number).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"status": "DONE"}',
        b'{"status": []}',
        b'{"status": null}',
        b'{"status": "TASK_ERROR"}',
        b'{"status": "TASK_ERROR", "error": "text"}',
        b'{"status": "TASK_ERROR", "error": null}',
        b'{"status": "TASK_CANCELLED", "error": null}',
        b'{"status": "TASK_COMPLETED"}',
        b'{"status": "TASK_COMPLETED", "metrics": 1}',
        b'{"status": "TASK_COMPLETED", "model_id": 1, "prediction": 1}',
        b'{"status": "TASK_COMPLETED", "prediction": 1, "prediction": 2}',
    ],
)
def test_what_is_no_reply_is_malformed(body):
    with pytest.raises(errors.Malformed):
        parse_reply(body)
