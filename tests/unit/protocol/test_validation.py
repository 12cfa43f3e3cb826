"""Messages about wrong bodies are plain English, whatever is wrong with them."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from app import errors
from app.models.endpoint import EndpointSpec
from app.models.manifest import OnnxManifest
from app.producer.schemas.requests import (
    InvocationBody,
    ParallelBody,
    PredictBody,
    SyncAsyncBody,
    TrainBody,
)
from app.protocol.sentences import explain
from app.protocol.types import MAX_ROWS
from app.protocol.validation import validate
from tests.support.words import foreign_words

ROW = {"a": 1.5}
ONE_ROW = (
    'input_data: must be an object that names each feature, such as {"age": 0.04, "bmi": 0.06}'
)
BESIDE = "this key is not known; send it inside of input_data, or in place of it"
BODIES: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (
        TrainBody,
        {
            "dataset_id": "d",
            "features": ["a"],
            "target": "t",
            "estimator": "ridge",
            "params": {"alpha": 1},
            "test_size": 0.2,
            "max_seconds": 1.5,
            "max_memory": 10**9,
        },
    ),
    (PredictBody, {"model_id": "m", "dataset_id": "d", "job_id": "j", "input_data": ROW}),
    (PredictBody, {"model_id": "m", "image_data": ["aGk="]}),
    (ParallelBody, {"model_ids": ["m"], "input_data": [ROW], "seconds": 1.5, "combine": "mean"}),
    (SyncAsyncBody, {"sync_model_id": "a", "async_model_id": "b", "input_data": ROW}),
    (SyncAsyncBody, {"sync_model_id": "a", "async_model_id": "b", "tolerance": 0.5}),
    (InvocationBody, {"model_id": "m", "input_data": ROW}),
    (EndpointSpec, {"url": "http://h", "secret": {"name": "s", "header": "X", "prefix": ""}}),
    (EndpointSpec, {"url": "http://h", "seconds": 1.5, "limit": 1, "idempotent": True}),
    (EndpointSpec, {"sagemaker": {"endpoint_name": "e", "region": "us-east-1"}}),
    (
        OnnxManifest,
        {
            "inputs": [{"name": "x", "image": {"size": [2, 2], "resize": 2, "mean": [0, 0, 0]}}],
            "output": {"name": "y", "holds": "values"},
        },
    ),
    (
        OnnxManifest,
        {
            "inputs": [{"name": "x", "features": ["a"]}],
            "output": {"name": "y", "holds": "logits"},
            "labels": ["a", 1, True],
            "sample": ROW,
        },
    ),
]

scalars = st.sampled_from(
    [None, True, -1, 0, 1, 10**6, 10**30, -0.5, 0.5, 1e300, float("inf"), "", "a", "3", "..", "é"]
)
values = st.recursive(
    scalars | st.just("x" * 400),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of each member of a JSON value."""
    below = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(each for key, inner in below for each in places(inner, (*path, key)))]


def changed(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy of a body with another value at a path."""
    if not path:
        return value
    body = copy.deepcopy(body)
    inner = body
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return body


@pytest.mark.parametrize(("kind", "body"), BODIES)
@given(data=st.data())
def test_a_message_has_no_word_of_python_and_says_more_than_not_valid(
    kind: type[BaseModel], body: dict[str, Any], data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(places(body)))
    try:
        kind.model_validate(changed(body, path, data.draw(values)))
    except ValidationError as refused:
        for error in refused.errors(include_url=False):
            message = explain(error)
            assert not foreign_words(message), error
            assert message != "is not valid", error


@pytest.mark.parametrize("key", ["a key", "__class__", "model_config"])
@pytest.mark.parametrize(("kind", "body"), BODIES)
def test_a_key_that_is_not_known_is_named(
    kind: type[BaseModel], body: dict[str, Any], key: str
) -> None:
    with pytest.raises(errors.Invalid) as caught:
        validate(kind, {**body, key: 1})

    assert caught.value.extra["field"] in (key, "input_data")  # a body without inputs comes first


@pytest.mark.parametrize(
    ("kind", "changes", "detail"),
    [
        (TrainBody, {"target": 1}, "target: must be a string; you sent the number 1"),
        (TrainBody, {"target": ""}, "target: must not be empty"),
        (TrainBody, {"features": []}, "features: must not be empty"),
        (
            TrainBody,
            {"": 1},
            '"": this key is not known; known are dataset_id, dataset_version, features, target, '
            "estimator, params, calibrate, test_size, split, cv, refit, sample_weight, "
            "preprocessing, target_transform, types, name, tags, max_seconds, max_memory; "
            "parameters of the estimator belong in params",
        ),
        (
            TrainBody,
            {"max_memory": 1e9},
            "max_memory: must be a whole number, written in digits only; "
            "you sent the number 1000000000.0",
        ),
        (
            TrainBody,
            {"max_memory": 1.5},
            "max_memory: must be a whole number, written in digits only; you sent the number 1.5",
        ),
        (TrainBody, {"params": []}, "params: must be an object; you sent a list"),
        (
            PredictBody,
            {"input_data": [1]},
            "input_data.0: must be an object that names each feature, such as "
            '{"age": 0.04, "bmi": 0.06}, or a list of values in the model\'s order',
        ),
        (PredictBody, {"input_data": 1}, ONE_ROW),
        (PredictBody, {"columns": ["a"]}, f"columns: {BESIDE}"),
        (PredictBody, {"data": [[1]], "columns": ["a"]}, f"data: {BESIDE}"),
        (PredictBody, {"image_data": "x"}, "input_data: give either this or image_data"),
        (
            ParallelBody,
            {"combine": "sum"},
            'combine: must be "mean", "vote" or "max_proba"; you sent "sum"',
        ),
        (
            ParallelBody,
            {"seconds": 4000},
            "seconds: must be at most 3600; you sent the number 4000",
        ),
        (ParallelBody, {"model_ids": ["m"] * 33}, "model_ids: must have at most 32 items"),
    ],
)
def test_the_message_says_what_is_expected(
    kind: type[BaseModel], changes: dict[str, Any], detail: str
) -> None:
    body = next(body for each, body in BODIES if each is kind)

    with pytest.raises(errors.Invalid) as caught:
        validate(kind, {**body, **changes})

    assert caught.value.detail == detail


@pytest.mark.parametrize(
    ("model_id", "sent"),
    [
        *((each, f'; you sent "{each}"') for each in ("", ".", "a..b", "a/b", "-a")),
        ("x" * 129, f'; you sent "{"x" * 80}…"'),
        (None, "; you sent null"),
        (1, "; you sent the number 1"),
        (10**400, f"; you sent the number 1{'0' * 39}…"),
        (True, "; you sent true"),
        (["a"], "; you sent a list"),
        ({"a": 1}, "; you sent an object"),
    ],
)
def test_an_id_that_is_refused_is_answered_with_the_rule(model_id: Any, sent: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        validate(PredictBody, {"model_id": model_id, "input_data": ROW})

    assert caught.value.extra == {"field": "model_id"}
    assert caught.value.detail == (
        "model_id: use a string of letters, digits, underscores, dashes and single dots, at most "
        "128 characters; begin with a letter or digit; behind a name, @alias or :version may "
        f"follow{sent}"
    )


def test_too_many_rows_are_too_large() -> None:
    with pytest.raises(errors.TooLarge) as caught:
        validate(PredictBody, {"model_id": "m", "input_data": [{}] * (MAX_ROWS + 1)})

    assert caught.value.detail == "input_data: must have at most 10000 items"


@pytest.mark.parametrize(
    ("kind", "changes", "detail"),
    [
        (
            EndpointSpec,
            {"secret": {"name": "S", "header": "X"}},
            "secret.name: use small letters, digits and underscores, at most 64 characters; begin "
            "with a letter",
        ),
        (
            EndpointSpec,
            {"secret": {"name": "s", "header": "X Y"}},
            "secret.header: use letters, digits and dashes, 1 to 64 characters",
        ),
        (
            EndpointSpec,
            {"secret": {"name": "s", "prefix": "ü"}},
            "secret.prefix: use printable ASCII characters and spaces, at most 32",
        ),
        (
            EndpointSpec,
            {"secret": {"name": "s", "hader": "X"}},
            'secret.hader: this key is not known; did you mean "header"?',
        ),
        (
            EndpointSpec,
            {"sagemaker": {"endpoint_name": "-e"}},
            "sagemaker.endpoint_name: use letters, digits and dashes, at most 63 characters; begin "
            'and end with a letter or digit; you sent "-e"',
        ),
        (
            EndpointSpec,
            {"sagemaker": {"endpoint_name": "e", "region": "here"}},
            "sagemaker.region: must be the name of an AWS region, such as us-east-1; you sent "
            '"here"',
        ),
        *(
            (
                EndpointSpec,
                {"url": url},
                "body: the address has to be http:// or https://, a host, and no user; a port is 1 "
                "to 65535",
            )
            for url in ("http://h:x", "http://h:99999", "http://[", "h", "ftp://h", "http://u@h")
        ),
        (
            OnnxManifest,
            {"labels": [1.5, "a"]},
            "labels.0: a label is text, a whole number without a decimal point, true or false; "
            "you sent the number 1.5",
        ),
        (
            OnnxManifest,
            {"inputs": [{"name": "x", "featurs": ["a"]}]},
            'inputs.0.featurs: this key is not known; did you mean "features"?',
        ),
    ],
)
def test_a_pattern_is_said_in_words_and_a_nested_key_is_recognised(
    kind: type[BaseModel], changes: dict[str, Any], detail: str
) -> None:
    body = next(body for each, body in reversed(BODIES) if each is kind and "sagemaker" not in body)

    with pytest.raises(errors.Invalid) as caught:
        validate(kind, {**body, **changes})

    assert caught.value.detail == detail
