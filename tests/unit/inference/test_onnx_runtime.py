from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from app import errors
from app.inference.onnx_runtime import OnnxRuntime
from app.models.manifest import METADATA_KEY
from tests.conftest import ROOT
from tests.support import frames

# Files of the version before, whose trees skl2onnx 1.20 wrote, and what that version answered.
OLD = ROOT / "tests" / "support" / "format_1"
ROWS = [
    {"a": 0.5, "b": -0.25, "c": 1.0, "colour": "red", "flag": True},
    {"a": None, "b": 2.0, "c": 0.1, "colour": None, "flag": None},
]
ANSWERS = {
    "random_forest_regressor": [
        {"prediction": 0.7520024180412292, "pred_proba": 0.7520024180412292},
        {"prediction": -1.0303469896316528, "pred_proba": -1.0303469896316528},
    ],
    "random_forest_classifier": [
        {
            "prediction": "high",
            "pred_proba": {
                "high": 0.6000000238418579,
                "low": 0.036363635212183,
                "ä": 0.3636363744735718,
            },
        },
        {
            "prediction": "low",
            "pred_proba": {
                "high": 0.02641509473323822,
                "low": 0.7094339728355408,
                "ä": 0.2641509473323822,
            },
        },
    ],
    "hist_gradient_boosting_classifier": [
        {"prediction": 1, "pred_proba": {"0": 0.48210853338241577, "1": 0.5178914666175842}},
        {"prediction": 0, "pred_proba": {"0": 0.6465646028518677, "1": 0.3534353971481323}},
    ],
}


@pytest.mark.parametrize("estimator", ANSWERS)
def test_a_file_of_the_version_before_answers_as_then(estimator):
    assert (
        frames.loaded((OLD / f"{estimator}.onnx").read_bytes()).predict(ROWS)
        == (ANSWERS[estimator])
    )


@pytest.mark.parametrize("estimator", ANSWERS)
def test_trees_of_the_version_before_hold_more_than_their_file(estimator):
    path = OLD / f"{estimator}.onnx"

    assert OnnxRuntime(path).bytes > 6 * path.stat().st_size


@cache
def described(**changes):
    """A classifier of `x` [rows, 2], its own probabilities, whose manifest has these changes."""
    graph = helper.make_graph(
        [
            helper.make_node("ArgMax", ["number"], ["label"], axis=1, keepdims=0),
            helper.make_node("Identity", ["number"], ["probabilities"]),
        ],
        "graph",
        [helper.make_tensor_value_info("number", TensorProto.DOUBLE, [None, 2])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, [None, 2]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    manifest = frames.manifest(task="classification", labels=["no", "yes"], format=2, **changes)
    model.metadata_props.add(key=METADATA_KEY, value=manifest.model_dump_json())
    return model.SerializeToString()


X = np.random.default_rng(1).random((10, 2))


@pytest.mark.parametrize(
    ("row_bytes", "run_bytes"), [(0, 1), (10, 1000), (10, 100), (10, 99), (10, 30), (10, 1)]
)
def test_rows_are_answered_in_their_order_however_many_run_together(row_bytes, run_bytes):
    runtime = OnnxRuntime(described(row_bytes=row_bytes), run_bytes=run_bytes)

    answers = runtime.run({"number": X})

    assert answers.predicted.tolist() == X.argmax(axis=1).tolist()
    np.testing.assert_array_equal(answers.probabilities, X)


def test_a_classifier_without_probabilities_answers_labels_only():
    answers = OnnxRuntime(described(probabilities=False)).run({"number": X})

    assert answers.predicted.tolist() == X.argmax(axis=1).tolist()
    assert answers.probabilities is None


def test_a_model_counts_what_it_was_measured_to_hold():
    assert OnnxRuntime(described(memory=123_456_789)).bytes == 123_456_789
    assert OnnxRuntime(described()).bytes > len(described())


def test_the_file_may_be_gone_once_it_is_loaded(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(described())

    runtime = OnnxRuntime(path)
    path.unlink()

    assert runtime.run({"number": X}).predicted.tolist() == X.argmax(axis=1).tolist()


def corrupt(what: str, folder: Path) -> Path | bytes:
    """A model that cannot be served."""
    model = onnx.load_from_string(described())
    match what:
        case "no manifest":
            del model.metadata_props[:]
        case "another manifest":
            model.metadata_props[0].value = '{"model_id": "m"}'
        case "a path to garbage":
            path = folder / "model.onnx"
            path.write_bytes(b"garbage")
            return path
    return model.SerializeToString()


@pytest.mark.parametrize("what", ["no manifest", "another manifest", "a path to garbage"])
def test_what_cannot_be_served_is_corrupt(what, tmp_path):
    with pytest.raises(errors.Corrupt):
        OnnxRuntime(corrupt(what, tmp_path))


def test_runs_that_together_take_too_long_end_and_the_model_is_loaded_again():
    stops = []
    runtime = OnnxRuntime(
        described(row_bytes=10), run_bytes=30, run_seconds=-1, on_stop=stops.append
    )
    assert runtime.run({"number": X[:3]}).predicted.tolist() == X[:3].argmax(axis=1).tolist()
    assert runtime.alive

    with pytest.raises(errors.DeadlineExceeded, match="longer than -1 s") as caught:
        runtime.run({"number": X})

    assert stops == [caught.value]
    assert not runtime.alive
