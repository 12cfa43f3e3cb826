import numpy as np
import pytest

from app import errors
from app.inference.graph import SessionGraph
from app.inference.runtime import NO_PLACE
from app.inference.table_model import UploadedTableModel
from app.inference.uploaded_model import UploadedModel
from app.models.manifest import OnnxManifest
from tests.support import graphs

VALUES = {
    "inputs": [{"name": "x", "features": ["a", "b"], "nullable": True}],
    "output": {"name": "y", "holds": "values"},
}


def loaded(onnx, manifest):
    spec = OnnxManifest.model_validate(manifest)
    return UploadedTableModel(UploadedModel("m", spec, SessionGraph(onnx, spec), 1000))


def numbers(*rows):
    return {"number": np.array(rows, np.float64)}


@pytest.mark.parametrize("batch", [None, 1, 2, 7])
def test_rows_are_answered_whatever_the_batch_of_the_graph(batch):
    model = loaded(graphs.linear(batch=batch), VALUES)

    answers = model.answer(numbers([0, 0], [1, 0], [0, 1]))

    assert answers.predicted.tolist() == [1.0, 3.0, 4.0]
    assert answers.probabilities is None


def test_the_columns_have_the_limits_of_the_tensors():
    manifest = {**VALUES, "inputs": [{"name": "x", "features": ["a", "b"]}]}

    (a, _) = loaded(graphs.cast_sum(graphs.UINT8), manifest).layout.features

    assert (a.lowest, a.largest, a.whole) == (0, 255, True)


def test_a_table_cannot_hold_whole_numbers_that_float64_rounds():
    manifest = {**VALUES, "inputs": [{"name": "x", "features": ["a", "b"]}]}

    (a, _) = loaded(graphs.cast_sum(graphs.INT64), manifest).layout.features

    assert (a.lowest, a.largest) == (-(2**53), 2**53)


def test_inputs_of_their_own_get_their_columns():
    manifest = {
        **VALUES,
        "inputs": [{"name": "b", "features": ["b"]}, {"name": "a", "features": ["a"]}],
    }
    model = loaded(graphs.named(), manifest)

    assert [each.name for each in model.layout.features] == ["b", "a"]
    assert model.answer(numbers([1, 20], [2, 30])).predicted.tolist() == [21.0, 32.0]


def test_only_rows_at_which_the_graph_fails_have_no_answer():
    class Failing(SessionGraph):
        def run(self, feeds):
            if (feeds["x"] < 0).any():
                raise errors.Invalid(None, "a negative number")
            return {"y": feeds["x"].sum(axis=1)}

    spec = OnnxManifest.model_validate(VALUES)
    model = UploadedTableModel(UploadedModel("m", spec, Failing(graphs.linear(), spec), 1000))

    answers = model.answer(numbers([1, 1], [-1, 1], [2, 2], [3, -3], [4, 4]))

    np.testing.assert_array_equal(answers.predicted, [2, np.nan, 4, np.nan, 8])


def test_a_classifier_answers_the_place_of_the_most_probable_label():
    manifest = {
        "inputs": [{"name": "x", "features": ["a"], "nullable": True}],
        "output": {"name": "p", "holds": "probabilities"},
        "labels": ["p", "q", "r"],
    }
    model = loaded(graphs.probabilities(3), manifest)

    answers = model.answer(numbers([2.0], [-1.0], [float("nan")]))

    assert answers.predicted.tolist() == [2, 0, NO_PLACE]
    np.testing.assert_allclose(answers.probabilities[:2].sum(axis=1), 1)
