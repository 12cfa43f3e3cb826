"""The message of `POST /predict` for an owner whose names are qualified."""

import json
from typing import Any

import pytest

from app.producer.routes.predict import renamed
from app.producer.schemas.requests import PredictBody
from app.protocol.requests import PredictRequest
from app.protocol.validation import parse_request

ROW = '{"a": 1.5, "é": "ü", "x": 1e-7}'


@pytest.mark.parametrize(
    ("body", "dataset_id"),
    [
        (f'{{"model_id": "m", "input_data": {ROW}}}', None),
        (f'{{\n "input_data": [{ROW}],\n "model_id" : "m", "job_id": "j"\n}}', None),
        ('{"model_id": "m", "input_data": {"model_id": "m"}}', None),
        ('{"model_id": "m", "input_data": {"a": "\\"model_id\\": \\"m\\""}}', None),
        ('{"model\\u005fid": "m", "input_data": {"model_id": "m"}}', None),
        ('{"model_id": "\\u006d", "input_data": {"a": 1}}', None),
        (f'{{"model_id": "latest", "dataset_id": "d", "input_data": {ROW}}}', "red~d"),
    ],
)
def test_a_message_has_qualified_names_and_is_otherwise_the_request(
    body: str, dataset_id: str | None
) -> None:
    asked = parse_request(PredictBody, body.encode())

    message = renamed(asked, body.encode(), f"red~{asked.model_id}", dataset_id)

    expected: dict[str, Any] = {**json.loads(body), "model_id": f"red~{asked.model_id}"}
    if dataset_id:
        expected["dataset_id"] = dataset_id
    assert json.loads(message) == expected
    assert parse_request(PredictRequest, message).model_id == f"red~{asked.model_id}"
