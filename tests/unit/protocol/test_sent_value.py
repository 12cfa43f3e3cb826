"""The value that an error names, and the strings that it keeps to itself."""

import pytest

from app import errors
from app.models.endpoint import EndpointSpec
from app.producer.schemas.requests import TrainBody
from app.protocol.validation import validate

TRAINING = {"dataset_id": "d", "features": ["a"], "target": "t"}


@pytest.mark.parametrize(
    ("options", "detail"),
    [
        ({"cv": 1}, "cv.folds: must be at least 2; you sent the number 1"),
        ({"split": {"random_state": -1}}, "must be at least 0; you sent the number -1"),
        ({"split": {"stratify": "yes"}}, 'must be true, false or "auto"; you sent "yes"'),
        ({"dataset_id": "a b"}, 'begin with a letter or digit; you sent "a b"'),
        ({"cv": "5"}, 'or an object with folds and repeats; you sent "5"'),
        ({"features": True}, "or an object with exclude; you sent true"),
        ({"split": {"stratify": 1}}, 'must be true, false or "auto"; you sent the number 1'),
        ({"refit": "yes"}, 'refit: must be true or false; you sent "yes"'),
        ({"calibrate": "platt"}, 'must be "sigmoid" or "isotonic"; you sent "platt"'),
        ({"preprocessing": {"dates": ["week"]}}, '"day-of-year" or "hour"; you sent "week"'),
        ({"features": [1]}, "features.0: must be a string; you sent the number 1"),
        ({"target": ["t"]}, "target: must be a string; you sent a list"),
        ({"split": []}, "split: must be an object; you sent a list"),
        ({"calibrate": "x" * 9999}, f'; you sent "{"x" * 80}…"'),
        ({"calibrate": "a\nb"}, r'; you sent "a\nb"'),
    ],
)
def test_an_error_names_what_was_sent_behind_what_is_allowed(options, detail):
    with pytest.raises(errors.Invalid) as caught:
        validate(TrainBody, {**TRAINING, **options})

    assert caught.value.detail.endswith(detail)


@pytest.mark.parametrize("secret", ["the secret!", {"name": "the secret!"}])
def test_a_secret_in_the_place_of_its_name_is_not_shown(secret):
    with pytest.raises(errors.Invalid) as caught:
        validate(EndpointSpec, {"url": "http://h", "secret": secret})

    assert caught.value.extra["field"].startswith("secret")
    assert "the secret!" not in caught.value.detail
