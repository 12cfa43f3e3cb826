import json
import math

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from app import errors
from app.models.manifest import METADATA_KEY, Feature, TrainedManifest
from app.training import pipeline
from tests.support import frames

FAST = {
    "random_forest_regressor": {"n_estimators": 10},
    "random_forest_classifier": {"n_estimators": 10},
    "hist_gradient_boosting_regressor": {"max_iter": 10},
    "hist_gradient_boosting_classifier": {"max_iter": 10},
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    asked = frames.reference()
    data = frames.through_csv(frames.diabetes(), asked, tmp_path_factory.mktemp("reference"))
    return pipeline.fit_pipeline(data, asked, "reference")


def test_the_reference_training_has_the_reference_metrics(reference):
    assert reference.manifest.metrics["rmse"] == pytest.approx(53.00132602055401, rel=0, abs=1e-9)
    assert reference.manifest.rows == {"train": 353, "test": 89, "dropped": 0}


def test_the_reference_row_gets_the_reference_prediction_through_onnx(reference):
    file, _ = reference.encode(parity=0.0)

    (answer,) = frames.loaded(file).predict([frames.REFERENCE_ROW])

    assert answer["prediction"] == pytest.approx(208.644578, rel=1e-7)
    assert answer["pred_proba"] == answer["prediction"]


def test_a_regressor_is_measured_by_rmse_mae_and_r2(reference):
    assert list(reference.manifest.metrics) == ["rmse", "mae", "r2"]
    assert 0 < reference.manifest.metrics["mae"] < reference.manifest.metrics["rmse"]
    assert 0 < reference.manifest.metrics["r2"] < 1


def test_a_classifier_is_measured_by_accuracy_f1_and_log_loss():
    data = frames.frame("numeric", "logistic_regression")
    asked = frames.request(frames.features(data), estimator="logistic_regression")

    metrics = pipeline.fit_pipeline(data, asked, "m").manifest.metrics

    assert list(metrics) == ["accuracy", "f1", "log_loss"]
    assert 0.8 < metrics["accuracy"] <= 1
    assert 0.8 < metrics["f1"] <= 1
    assert 0 < metrics["log_loss"] < 0.5


@pytest.mark.parametrize("kind", frames.KINDS)
@pytest.mark.parametrize("estimator", frames.ESTIMATORS)
def test_every_estimator_learns_from_every_kind_of_column(estimator, kind, tmp_path):
    data = frames.frame(kind, estimator)
    asked = frames.request(
        frames.features(data), estimator=estimator, params=FAST.get(estimator, {})
    )

    fitted = pipeline.fit_pipeline(frames.through_csv(data, asked, tmp_path), asked, "m")

    assert frames.parity(fitted) < 1e-4
    assert all(map(math.isfinite, fitted.manifest.metrics.values()))


def test_the_manifest_tells_what_was_learnt(tmp_path):
    data = frames.frame("everything", "random_forest_classifier")
    asked = frames.request(
        ["flag", "b", "colour", "a"],
        dataset_id="data",
        estimator="random_forest_classifier",
        params={"n_estimators": 5},
        test_size=0.25,
    )

    manifest = pipeline.fit_pipeline(frames.through_csv(data, asked, tmp_path), asked, "m").manifest

    assert manifest.model_id == "m"
    assert manifest.dataset_id == "data"
    assert manifest.task == "classification"
    assert manifest.estimator == "random_forest_classifier"
    assert manifest.params == {"n_estimators": 5}
    assert manifest.target == "target"
    assert manifest.labels == [0, 1]
    assert manifest.rows == {"train": 90, "test": 30, "dropped": 0}
    assert manifest.features == [
        Feature(name="flag", type="boolean", nullable=True),
        Feature(name="b", type="number"),
        Feature(name="colour", type="text", nullable=True),
        Feature(name="a", type="number", nullable=True),
    ]
    assert {"sklearn", "skl2onnx", "numpy", "pandas"} <= set(manifest.versions)


def test_the_manifest_travels_inside_the_onnx_file(reference):
    file, manifest = reference.encode(parity=0.25)

    properties = {prop.key: prop.value for prop in onnx.load_from_string(file).metadata_props}
    assert manifest.parity == 0.25
    assert TrainedManifest.model_validate_json(properties[METADATA_KEY]) == manifest


def test_a_second_encoding_takes_the_place_of_the_first(reference):
    reference.encode(parity=1.0)
    file, _ = reference.encode(parity=0.5)

    (prop,) = onnx.load_from_string(file).metadata_props
    assert json.loads(prop.value)["parity"] == 0.5


def test_the_file_is_the_one_that_would_be_written_at_once(reference):
    file, _ = reference.encode(parity=0.5)

    assert onnx.load_from_string(file).SerializeToString() == file


def test_the_same_request_gives_the_same_model_twice():
    data = frames.frame("everything", "random_forest_regressor")
    asked = frames.request(frames.features(data), params={"n_estimators": 5})

    first, second = (
        pipeline.fit_pipeline(data, asked, "m").encode(parity=0.0)[0] for _ in range(2)
    )

    assert onnx.load_from_string(first).graph == onnx.load_from_string(second).graph


def test_rows_without_a_target_are_left_out(tmp_path):
    data = frames.frame("numeric", "ridge", rows=50)
    asked = frames.request(["a", "b"], estimator="ridge")
    complete = pipeline.fit_pipeline(data, asked, "m")
    holes = pd.concat([data, data.assign(target=np.nan)]).sort_index(kind="stable")

    fitted = pipeline.fit_pipeline(frames.through_csv(holes, asked, tmp_path), asked, "m")

    assert fitted.manifest.rows == {"train": 40, "test": 10, "dropped": 50}
    assert fitted.manifest.metrics == pytest.approx(complete.manifest.metrics)


def test_a_class_that_only_the_test_rows_have_is_no_answer():
    data = pd.DataFrame({"a": [float(i) for i in range(20)], "target": ["x", "y"] * 10})
    asked = frames.request(["a"], estimator="knn_classifier", params={"n_neighbors": 2})
    _, test = train_test_split(data.index, test_size=0.2, random_state=42)
    data.loc[test[0], "target"] = "z"

    fitted = pipeline.fit_pipeline(data, asked, "m")

    assert fitted.manifest.labels == ["x", "y"]
    assert fitted.manifest.metrics["accuracy"] < 1
    assert math.isfinite(fitted.manifest.metrics["log_loss"])


def test_a_metric_that_one_row_does_not_define_is_left_out():
    data = frames.frame("numeric", "ridge", rows=5)

    fitted = pipeline.fit_pipeline(data, frames.request(["a"], estimator="ridge"), "m")

    assert fitted.manifest.rows["test"] == 1
    assert list(fitted.manifest.metrics) == ["rmse", "mae"]


@pytest.mark.parametrize("estimator", frames.ESTIMATORS)
def test_a_column_that_is_empty_in_all_training_rows_is_learnt_as_nothing(estimator):
    data = frames.frame("numeric", estimator, rows=60)
    _, test = train_test_split(data.index, test_size=0.2, random_state=42)
    data["b"] = np.nan
    data.loc[test[0], "b"] = 1.0
    params = FAST.get(estimator, {})

    fitted = pipeline.fit_pipeline(
        data, frames.request(["a", "b"], estimator=estimator, params=params), "m"
    )

    assert frames.parity(fitted) < 1e-4


@pytest.mark.parametrize("estimator", frames.ESTIMATORS)
@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_too_few_rows_are_bad_data_or_enough(estimator, rows):
    data = frames.frame("numeric", estimator)
    data = pd.concat([data[data.target <= 0], data[data.target > 0]])[:rows]

    try:
        fitted = pipeline.fit_pipeline(data, frames.request(["a", "b"], estimator=estimator), "m")
    except errors.BadData as error:
        assert error.detail  # noqa: PT017
    else:
        assert fitted.manifest.rows["train"] + fitted.manifest.rows["test"] == rows


@pytest.mark.parametrize("estimator", frames.ESTIMATORS)
@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
def test_numbers_beyond_float32_are_bad_data_or_answered_alike(estimator, value):
    data = frames.frame("numeric", estimator, rows=60)
    data.loc[3, "a"] = value
    asked = frames.request(["a", "b"], estimator=estimator, params=FAST.get(estimator, {}))

    try:
        fitted = pipeline.fit_pipeline(data, asked, "m")
    except errors.BadData as error:
        assert estimator in error.detail  # noqa: PT017
    else:
        assert frames.parity(fitted) < 1e-4
