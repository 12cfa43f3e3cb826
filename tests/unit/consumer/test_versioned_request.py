"""Replies that tell which version of a name has answered."""

from typing import Any

import pytest

from app import errors
from app.consumer.versioned_request import versioned
from app.protocol import strict_json
from app.protocol.replies import Failed, Predicted, Reply, with_model

ANSWER = Predicted("m", prediction=1.5, pred_proba=[1.5])


def members(reply: Reply) -> list[tuple[str, Any]]:
    return list(strict_json.loads(reply.encode()).items())


def test_the_version_stands_behind_the_id() -> None:
    reply = versioned(ANSWER, "churn:3")

    assert (reply.status, reply.model_id) == (ANSWER.status, "m")
    assert members(reply) == [
        *[("status", "TASK_COMPLETED"), ("model_id", "m"), ("model", "churn:3")],
        *[("prediction", 1.5), ("pred_proba", [1.5])],
    ]


@pytest.mark.parametrize(
    ("reply", "model"),
    [(ANSWER, None), (Failed.of(errors.NotFound("model_id", "there is none"), "m"), "churn:3")],
)
def test_a_reply_without_a_name_and_an_error_stay_as_they_are(
    reply: Reply, model: str | None
) -> None:
    assert versioned(reply, model) is reply


@pytest.mark.parametrize("body", [b"", b"{}", b'{"status":"TASK_QUEUED","model_id":null}'])
def test_what_names_no_model_gets_no_version(body: bytes) -> None:
    assert with_model(body, "churn:3") == body
