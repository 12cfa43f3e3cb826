"""Keys of a message that are misspelt are told in its job, and change nothing else."""

import json

import pytest

from app.protocol.training_request import TrainRequest
from app.protocol.validation import parse_request, validate
from app.training.key_warnings import unknown_key_warnings
from tests.support import frames

ASKED = {"dataset_id": "d", "target": "target", "estimator": "ridge"}


def parsed(**more):
    return parse_request(TrainRequest, json.dumps({**ASKED, **more}).encode())


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"estimater": "svm"}, '"estimater" (did you mean "estimator"?)'),
        ({"random_state": 3}, '"random_state" (split has it)'),
        ({"scaling": "none", "zzz": 1}, '"scaling" (preprocessing has it), "zzz"'),
        ({"unknown": None}, '"unknown"'),
    ],
)
def test_unknown_keys_are_named_with_what_was_meant(sent, told):
    (warning,) = unknown_key_warnings(parsed(**sent))

    assert warning.type == "unknown_keys"
    assert warning.detail == f"the message has keys that are not known and have no effect: {told}"
    assert warning.field is None


def test_a_message_of_known_keys_has_no_warning():
    assert unknown_key_warnings(parsed(test_size=0.5)) == []


def test_the_row_of_a_job_keeps_them_and_they_make_no_other_training():
    request = parsed(cross_validation=5)
    again = validate(TrainRequest, json.loads(json.dumps(request.row())))

    assert request.row()["unknown_keys"] == ["cross_validation"]
    assert again == parse_request(TrainRequest, again.encode()) == request
    assert request.asks_the_same(parsed())
    assert unknown_key_warnings(again) == unknown_key_warnings(request)


def test_very_many_and_very_long_keys_are_cut():
    request = parsed(**{f"{n:02}" + "x" * 1000: n for n in range(100)})

    assert [key[:2] for key in request.unknown_keys] == [f"{n:02}" for n in range(20)]
    assert max(map(len, request.unknown_keys)) < 300


def test_the_model_has_the_warning():
    data = frames.frame("numeric", "ridge")
    asked = frames.request(["a"], estimator="ridge", n_folds=5)

    manifest, _ = frames.train(data, asked)

    assert [each.type for each in manifest.warnings] == ["unknown_keys"]
    assert '"n_folds"' in manifest.warnings[0].detail
