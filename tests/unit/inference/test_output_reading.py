import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.output_reading import read_outputs, softmax
from app.models.manifest import OnnxManifest
from app.protocol.label_keys import label_keys


def read(output, labels=None, holds="probabilities", **further):
    """Read the output of a graph, whose first dimension is the rows, and `further` ones."""
    spec = OnnxManifest.model_validate(
        {
            "inputs": [{"name": "x", "features": ["x"]}],
            "output": {"name": "p", "holds": holds if labels else "values"},
            "outputs": list(further),
            "labels": labels,
        }
    )
    outputs = {"p": np.array(output, np.float32), **further}
    return read_outputs(outputs, spec, label_keys(labels or []), len(output))


def test_labels_may_be_of_any_kind():
    (answer,) = read([[0.125, 0.25, 0.625]], [False, 7, "x"])

    assert answer["prediction"] == "x"
    assert list(answer["pred_proba"]) == ["false", "7", "x"]
    assert json.loads(json.dumps(answer)) == answer


@pytest.mark.parametrize(("labels", "told"), [(100, 100), (101, 5), (10_000, 5)])
def test_of_many_labels_the_most_probable_are_told(labels, told):
    (answer,) = read([np.arange(labels)], list(range(labels)), "logits")

    assert answer["prediction"] == labels - 1
    assert len(answer["pred_proba"]) == told
    assert max(answer["pred_proba"], key=answer["pred_proba"].get) == str(labels - 1)
    if told == 5:
        assert list(answer["pred_proba"]) == [str(labels - n) for n in range(1, 6)]


@pytest.mark.parametrize("column", [False, True])
def test_one_number_for_two_labels_is_the_probability_of_the_second(column):
    output = np.array([0.25, 0.75, 0.5])

    answers = read(output[:, None] if column else output, ["no", "yes"])

    assert answers == [
        {"prediction": "no", "pred_proba": {"no": 0.75, "yes": 0.25}},
        {"prediction": "yes", "pred_proba": {"no": 0.25, "yes": 0.75}},
        {"prediction": "no", "pred_proba": {"no": 0.5, "yes": 0.5}},
    ]


def test_one_logit_for_two_labels_goes_through_a_sigmoid():
    answers = read([[0.0], [2.0], [-1000.0], [np.inf]], [False, True], "logits")

    assert answers[0]["pred_proba"] == {"false": 0.5, "true": 0.5}
    assert answers[1]["prediction"] is True
    assert answers[1]["pred_proba"]["true"] == pytest.approx(1 / (1 + np.exp(-2)))
    assert answers[2]["pred_proba"] == {"false": 1.0, "true": 0.0}
    assert answers[3] is None


def test_further_outputs_keep_their_shape_and_type():
    answers = read(
        [1.0, 2.0],
        boxes=np.array([[[1, 2]], [[3, 4]]], np.int32),
        scores=np.array([0.5, np.nan], np.float16),
        names=np.array([["a"], ["b"]], object),
    )

    assert answers[0]["outputs"] == {"boxes": [[1, 2]], "scores": 0.5, "names": ["a"]}
    assert answers[1]["outputs"] == {"boxes": [[3, 4]], "scores": None, "names": ["b"]}
    json.dumps(answers, allow_nan=False)


def test_a_prediction_that_is_not_finite_has_no_further_outputs():
    assert read([np.nan], more=np.array([1.0])) == [None]


@given(st.lists(st.lists(st.floats(-1e300, 1e300), min_size=3, max_size=3), min_size=1))
def test_softmax_makes_probabilities(logits):
    values = softmax(np.array(logits))

    assert np.isfinite(values).all()
    assert values.sum(axis=1) == pytest.approx(1)
    largest = np.argmax(logits, axis=1)[:, None]
    assert (np.take_along_axis(values, largest, axis=1)[:, 0] == values.max(axis=1)).all()
