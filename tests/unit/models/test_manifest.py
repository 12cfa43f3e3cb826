import pytest
from pydantic import ValidationError

from app import errors
from app.models.manifest import OnnxManifest, TrainedManifest
from app.protocol.label_keys import label_keys
from app.protocol.validation import validate
from tests.support import frames
from tests.support.graphs import IMAGES, LINEAR


@pytest.mark.parametrize("labels", [None, [0, 1], [False, True], ["a", "b"], ["1", "2"]])
def test_a_manifest_survives_its_json(labels):
    manifest = frames.manifest(labels=labels)

    again = TrainedManifest.model_validate_json(manifest.model_dump_json())

    assert again == manifest
    assert list(map(type, again.labels or [])) == list(map(type, labels or []))


def test_a_manifest_does_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        frames.manifest().target = "other"


def test_two_inputs_of_a_graph_have_different_names():
    inputs = [{"name": "x", "features": ["a"]}, {"name": "x", "features": ["b"]}]

    with pytest.raises(ValidationError, match='inputs: two have the name "x"'):
        OnnxManifest.model_validate({**LINEAR, "inputs": inputs})


WRONG = {
    "a label twice": (
        {"labels": ["a", "a"]},
        "body",
        'labels: two have the same key in pred_proba, "a"',
    ),
    "a number and its text": ({"labels": [1, "1"]}, "body", 'in pred_proba, "1"'),
    "a feature in two forms of Unicode": (
        {"inputs": [{"name": "x", "features": ["\u00e9", "e\u0301"]}]},
        "body",
        "inputs: a feature is named twice: \u00e9",
    ),
    "keys that nothing tells apart": (
        {"labels": [True, "true", "True"]},
        "body",
        'labels: two have the same key in pred_proba, "True"',
    ),
    "a fraction": ({"labels": [1.0, 2.0]}, "labels.0", "a whole number without a decimal point"),
    "null": ({"labels": ["a", None]}, "labels.1", "a label is text"),
    "an image of text": (
        {"inputs": [{"name": "x", "image": {"size": [8, 8]}, "type": "text"}]},
        "inputs.0",
        "an image has no type",
    ),
    "an image that may be missing": (
        {"inputs": [{"name": "x", "image": {"size": [8, 8]}, "nullable": True}]},
        "inputs.0",
        "not nullable",
    ),
    "missing text": (
        {"inputs": [{"name": "x", "features": ["a"], "type": "text", "nullable": True}]},
        "inputs.0",
        "only numbers may be missing",
    ),
    "another type": (
        {"inputs": [{"name": "x", "features": ["a"], "type": "date"}]},
        "inputs.0.type",
        'must be "number", "boolean" or "text"',
    ),
    "the output twice": (
        {"outputs": ["logits"]},
        "body",
        "outputs: one is named twice, or is the output: logits",
    ),
    "a further output twice": ({"outputs": ["a", "a"]}, "body", "outputs: one is named twice"),
}


@pytest.mark.parametrize(("changes", "field", "says"), WRONG.values(), ids=WRONG)
def test_a_manifest_that_contradicts_itself_is_refused(changes, field, says):
    with pytest.raises(errors.Invalid) as caught:
        validate(OnnxManifest, {**IMAGES, **changes})

    assert caught.value.extra["field"] == field
    assert says in caught.value.detail


def test_a_manifest_of_an_older_version_is_read():
    older = (
        '{"kind": "onnx", "inputs": [{"name": "x", "features": ["a"], "image": null}],'
        ' "output": {"name": "p", "holds": "probabilities"}, "labels": [true, "true"],'
        ' "sample": null}'
    )

    manifest = OnnxManifest.model_validate_json(older)

    assert label_keys(manifest.labels or []) == ["True", "true"]
    assert (manifest.inputs[0].type, manifest.inputs[0].nullable) == ("number", False)
    assert manifest.outputs == []
