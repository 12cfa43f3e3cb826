"""The answer to a request that has become a job: its names are those of who asks."""

import json
from typing import Any

import pytest
from fastapi import Request

from app.auth.identity import Identity
from app.producer.callers.caller import IDENTITY
from app.producer.jobs.accepted_prediction import accepted_prediction


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"model_id": "red~m", "sha256": "a"}, {"model_id": "m"}),
        ({"model_id": "red~m", "model": "red~n:3"}, {"model_id": "m", "model": "n:3"}),
        ({"model_id": "blue~m"}, {"model_id": "blue~m"}),
    ],
)
def test_it_tells_the_job_and_the_exact_model(row: dict[str, Any], told: dict[str, Any]) -> None:
    scope = {"type": "http", "root_path": "/warren", IDENTITY: Identity("red")}

    answer = accepted_prediction(Request(scope), "TASK_QUEUED", "red~j", row)

    assert answer.status_code == 202
    assert answer.headers["location"] == "/warren/jobs/j"
    message = json.loads(bytes(answer.body))["message"]
    assert message == {"status": "TASK_QUEUED", "job_id": "j", **told}
