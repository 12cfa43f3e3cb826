"""The bodies that clients write: each names the nearest key of one that it does not know."""

import json
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter

from app import errors
from app.models.endpoint import EndpointSpec, SageMaker, Secret
from app.models.graph_spec import Input, Output, Preprocessing
from app.models.manifest import OnnxManifest
from app.producer.schemas.requests import (
    AsyncBody,
    InvocationBody,
    InvocationTarget,
    ParallelBody,
    PredictBody,
    SyncAsyncBody,
    TrainBody,
)
from app.protocol.validation import validate

IMAGES = {
    "inputs": [{"name": "X", "image": {"size": [8, 8]}}],
    "output": {"name": "Y", "holds": "values"},
}
URL = {"url": "http://127.0.0.1/", "secret": {"name": "mine"}}
SAGEMAKER = {"sagemaker": {"endpoint_name": "churn"}}

# The body, a valid example, where in it an object stands, and the form of this object.
OBJECTS: list[tuple[type[BaseModel], dict[str, Any], list[str | int], type[BaseModel]]] = [
    *(
        (kind, json.loads(kind.EXAMPLE), [], kind)
        for kind in (TrainBody, PredictBody, AsyncBody, ParallelBody, SyncAsyncBody, InvocationBody)
    ),
    (InvocationTarget, {}, [], InvocationTarget),
    (OnnxManifest, IMAGES, [], OnnxManifest),
    (OnnxManifest, IMAGES, ["inputs", 0], Input),
    (OnnxManifest, IMAGES, ["inputs", 0, "image"], Preprocessing),
    (OnnxManifest, IMAGES, ["output"], Output),
    (EndpointSpec, URL, [], EndpointSpec),
    (EndpointSpec, URL, ["secret"], Secret),
    (EndpointSpec, SAGEMAKER, ["sagemaker"], SageMaker),
]


@pytest.mark.parametrize(
    ("body", "example", "place", "form", "key"),
    [
        pytest.param(*each, key, id=f"{each[0].__name__} {each[3].__name__}.{key}")
        for each in OBJECTS
        for key in each[3].model_fields
    ],
)
def test_the_nearest_key_is_named(
    body: type[BaseModel],
    example: dict[str, Any],
    place: list[str | int],
    form: type[BaseModel],
    key: str,
) -> None:
    misspelt = f"{key[:-1]}z{key[-1]}"
    sent = json.loads(json.dumps(example))
    inner = sent
    for part in place:
        inner = inner[part]  # type: ignore[index]
    inner[misspelt] = None

    with pytest.raises(errors.Invalid) as caught:
        validate(body, sent)

    assert caught.value.extra["field"] == ".".join(map(str, [*place, misspelt]))
    assert caught.value.message == f'this key is not known; did you mean "{key}"?'


@pytest.mark.parametrize(
    ("form", "key"),
    [
        pytest.param(form, key, id=f"{form.__name__}.{key}")
        for form in dict.fromkeys(each[3] for each in OBJECTS)
        for key in form.model_fields
    ],
)
def test_the_examples_of_a_field_are_values_that_it_takes(form: type[BaseModel], key: str) -> None:
    field = form.model_fields[key]
    taken = TypeAdapter(Annotated[field.annotation, key, *field.metadata])

    for example in field.examples or ():
        taken.validate_python(example)
