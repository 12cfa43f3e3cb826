from functools import partial

import numpy as np
import onnx
import pandas as pd
import pytest

from app.inference.onnx_runtime import OnnxRuntime
from app.training import onnx_export, pipeline
from app.training.evaluation import measure_parity
from tests.support import frames


def compare(data, **asked):
    """Export a model as we do, and as skl2onnx alone does; return the answers of both."""
    request = frames.request(frames.features(data), **asked)
    ours = pipeline.fit_pipeline(data, request, "m")
    theirs = pipeline.fit_pipeline(
        data, request, "m", export=partial(onnx_export.to_onnx, converters={})
    )
    return [
        each.compared(OnnxRuntime(each.encode(0.0)[0]).run(each.inputs)) for each in (ours, theirs)
    ] + [ours]


@pytest.mark.parametrize("depth", [1, 3, None])
@pytest.mark.parametrize("kind", frames.KINDS)
@pytest.mark.parametrize("classes", [None, 2, 3, 7])
def test_a_forest_answers_as_skl2onnx_would_have_it(classes, kind, depth):
    data = frames.frame(kind, "ridge", rows=300)
    name = "random_forest_regressor"
    if classes:
        name = "random_forest_classifier"
        data["target"] = np.argsort(np.argsort(data["target"])) * classes // len(data)
    params = {"n_estimators": 7, "max_depth": depth}

    ours, theirs, fitted = compare(data, estimator=name, params=params)

    assert np.array_equal(ours, theirs)
    assert measure_parity(fitted.expected, ours) < 1e-6


@pytest.mark.parametrize("estimator", ["random_forest_regressor", "random_forest_classifier"])
def test_a_forest_of_stumps_without_a_split_is_exported(estimator):
    data = frames.frame("numeric", estimator)

    ours, theirs, _ = compare(
        data, estimator=estimator, params={"n_estimators": 3, "min_samples_split": 1000}
    )

    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("params", [{"class_weight": "balanced"}, {"max_samples": 0.2}])
def test_weights_of_classes_are_those_of_the_forest(params):
    data = frames.frame("text", "random_forest_classifier")

    ours, theirs, _ = compare(data, estimator="random_forest_classifier", params=params)

    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("kind", frames.KINDS)
@pytest.mark.parametrize("estimator", ["linear_regression", "ridge", "logistic_regression"])
def test_a_linear_model_without_an_intercept_answers_alike(estimator, kind):
    data = frames.frame(kind, estimator)
    request = frames.request(
        frames.features(data), estimator=estimator, params={"fit_intercept": False}
    )

    assert frames.parity(pipeline.fit_pipeline(data, request, "m")) < 1e-4


@pytest.mark.parametrize("estimator", frames.ESTIMATORS)
def test_the_file_is_valid(estimator):
    onnx.checker.check_model(onnx.load_from_string(frames.file("everything", estimator)))


@pytest.mark.parametrize("estimator", ["random_forest_regressor", "random_forest_classifier"])
def test_rows_next_to_a_threshold_go_where_scikit_learn_sends_them(estimator):
    """Between two neighbouring float32 is a threshold that is none."""
    first = np.random.default_rng(5).uniform(1e3, 1e4, size=60).astype(np.float32)
    values = np.concatenate([first, np.nextafter(first, np.float32(np.inf))])
    data = pd.DataFrame({"a": values.astype(float), "target": np.repeat([0, 1], 60)})
    data = pd.concat([data] * 5, ignore_index=True)
    params = {"max_depth": None, "n_estimators": 5, "bootstrap": False}

    fitted = pipeline.fit_pipeline(
        data, frames.request(["a"], estimator=estimator, params=params), "m"
    )

    assert frames.parity(fitted) < 1e-6
    assert set(np.ravel(fitted.expected)) == {0.0, 1.0}  # every neighbour was told apart


def test_the_reference_is_answered_alike(tmp_path):
    asked = frames.reference()
    data = frames.through_csv(frames.diabetes(), asked, tmp_path)

    assert frames.parity(pipeline.fit_pipeline(data, asked, "m")) < 1e-7
