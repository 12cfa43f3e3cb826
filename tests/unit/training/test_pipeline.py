import json
import math

import numpy as np
import onnx
import pandas as pd
import pytest
from lightgbm.basic import LightGBMError
from sklearn.model_selection import train_test_split
from xgboost.core import XGBoostError

from app import errors
from app.models.manifest import METADATA_KEY, Feature, TrainedManifest
from app.training import parity
from app.training.estimators import build_estimator
from tests.support import frames

FAST = {
    "random_forest_regressor": {"n_estimators": 10},
    "random_forest_classifier": {"n_estimators": 10},
    "hist_gradient_boosting_regressor": {"max_iter": 10},
    "hist_gradient_boosting_classifier": {"max_iter": 10},
}
# Other params, for which there are other ways through the export; those of neighbours and of
# calibration are answered by scikit-learn.
OTHER = [
    ("linear_regression", {"fit_intercept": False}),
    ("ridge", {"alpha": 10.0}),
    ("logistic_regression", {"C": 0.1, "fit_intercept": False}),
    ("svm_regressor", {"kernel": "linear"}),
    ("svm_classifier", {"kernel": "poly", "degree": 2}),
    ("svm_classifier", {"break_ties": True}),
    ("knn_regressor", {"weights": "distance"}),
    ("knn_regressor", {"p": 1}),
    ("knn_regressor", {"metric": "chebyshev"}),
    ("knn_classifier", {"metric": "cosine"}),
    ("knn_classifier", {"p": 3, "weights": "distance"}),
    ("random_forest_regressor", {"n_estimators": 5, "criterion": "absolute_error"}),
    ("random_forest_classifier", {"n_estimators": 5, "class_weight": "balanced"}),
    ("hist_gradient_boosting_regressor", {"max_iter": 10, "loss": "absolute_error"}),
    ("hist_gradient_boosting_classifier", {"max_iter": 10, "early_stopping": True}),
]
ONNX = {name for name in frames.ESTIMATORS if not name.startswith(("knn", "gaussian_nb"))}


@pytest.fixture(scope="module")
def reference():
    return frames.train(frames.diabetes(), frames.reference(), "reference")


def test_the_reference_training_has_the_reference_metrics(reference):
    manifest, _ = reference

    assert manifest.metrics["rmse"] == pytest.approx(53.00132602055401, rel=0, abs=1e-9)
    assert manifest.rows == {"train": 353, "test": 89, "dropped": 0}
    assert manifest.parity < 1e-12


def test_the_reference_row_gets_the_reference_prediction(reference):
    _, file = reference

    (answer,) = frames.loaded(file).predict([frames.REFERENCE_ROW])

    assert answer["prediction"] == pytest.approx(208.644578, rel=1e-8)
    assert answer["pred_proba"] == answer["prediction"]


def test_a_regressor_is_measured_by_rmse_mae_and_r2(reference):
    metrics = reference[0].metrics

    assert list(metrics) == ["rmse", "mae", "r2"]
    assert 0 < metrics["mae"] < metrics["rmse"]
    assert 0 < metrics["r2"] < 1


def test_a_classifier_is_measured_by_accuracy_f1_and_log_loss():
    data = frames.frame("numeric", "logistic_regression")
    asked = frames.request(frames.features(data), estimator="logistic_regression")

    metrics = frames.train(data, asked)[0].metrics

    assert list(metrics) == ["accuracy", "f1", "log_loss"]
    assert 0.8 < metrics["accuracy"] <= 1
    assert 0.8 < metrics["f1"] <= 1
    assert 0 < metrics["log_loss"] < 0.5


def test_a_classifier_without_probabilities_has_no_log_loss():
    manifest, _ = frames.fitted("numeric", "svm_classifier")

    assert list(manifest.metrics) == ["accuracy", "f1"]
    assert not manifest.probabilities


@pytest.mark.parametrize("kind", frames.KINDS)
@pytest.mark.parametrize("estimator", frames.ESTIMATORS)
def test_every_estimator_learns_from_every_kind_of_column(estimator, kind):
    data = frames.frame(kind, estimator)
    params = FAST.get(estimator, {})
    asked = frames.request(frames.features(data), estimator=estimator, params=params)

    manifest, _ = frames.train(data, asked)

    assert manifest.runtime == ("onnx" if estimator in ONNX else "scikit-learn")
    assert (manifest.runtime_reason is None) == (manifest.runtime == "onnx")
    float32 = estimator.startswith("xgboost")  # which computes in float32, and so does its graph
    exact = parity.BOUND if float32 else 1e-12
    assert manifest.parity <= (exact if manifest.runtime == "onnx" else 0)
    assert all(map(math.isfinite, manifest.metrics.values()))


@pytest.mark.parametrize("kind", ["numeric", "everything"])
@pytest.mark.parametrize(("estimator", "params"), OTHER, ids=str)
def test_what_is_measured_is_what_is_served(estimator, params, kind):
    data = frames.frame(kind, estimator, rows=200)
    asked = frames.request(frames.features(data), estimator=estimator, params=params)

    manifest, file = frames.train(data, asked)

    assert manifest.parity <= parity.BOUND
    model = frames.load(manifest, file)
    read = pd.DataFrame(data, columns=frames.features(data)).astype(object)
    rows = read.where(read.notna(), None).to_dict("records")
    told = [each["prediction"] for each in model.predict(rows)]
    target = data["target"].to_numpy()
    classifies = manifest.labels is not None
    _, test = train_test_split(
        np.arange(len(data)),
        test_size=0.2,
        random_state=42,
        stratify=target if classifies else None,
    )
    served, right = np.array(told)[test], target[test]
    if classifies:
        assert np.mean(served == right) == pytest.approx(manifest.metrics["accuracy"], abs=1e-12)
    else:
        rmse = np.sqrt(np.mean((served - right) ** 2))
        assert rmse == pytest.approx(manifest.metrics["rmse"], rel=1e-9)


def test_the_manifest_tells_what_was_learnt():
    data = frames.frame("everything", "random_forest_classifier")
    asked = frames.request(
        ["flag", "b", "colour", "a"],
        dataset_id="data",
        estimator="random_forest_classifier",
        params={"n_estimators": 5},
        test_size=0.25,
    )

    manifest, _ = frames.train(data, asked)

    assert manifest.model_id == "m"
    assert manifest.dataset_id == "data"
    assert manifest.task == "classification"
    assert manifest.estimator == "random_forest_classifier"
    assert manifest.params["n_estimators"] == 5
    assert manifest.params["max_depth"] is None  # the effective ones
    assert manifest.target == "target"
    assert manifest.labels == [0, 1]
    assert manifest.rows == {"train": 90, "test": 30, "dropped": 0}
    assert manifest.features == [
        Feature(name="flag", type="boolean", nullable=True),
        Feature(name="b", type="number"),
        Feature(name="colour", type="text", nullable=True),
        Feature(name="a", type="number", nullable=True),
    ]
    assert {"sklearn", "onnx", "numpy", "pandas"} <= set(manifest.versions)
    assert manifest.format == 2


def test_the_manifest_travels_inside_the_onnx_file(reference):
    manifest, file = reference

    (prop,) = onnx.load_from_string(file).metadata_props
    assert prop.key == METADATA_KEY
    assert TrainedManifest.model_validate_json(prop.value) == manifest


def test_the_same_request_gives_the_same_model_twice():
    data = frames.frame("everything", "random_forest_regressor")
    asked = frames.request(frames.features(data), params={"n_estimators": 5})

    first, second = (onnx.load_from_string(frames.train(data, asked)[1]) for _ in range(2))

    assert first.graph == second.graph


def test_rows_without_a_target_are_left_out():
    data = frames.frame("numeric", "ridge", rows=50)
    asked = frames.request(["a", "b"], estimator="ridge")
    complete, _ = frames.train(data, asked)
    holes = pd.concat([data, data.assign(target=np.nan)]).sort_index(kind="stable")

    manifest, _ = frames.train(holes, asked)

    assert manifest.rows == {"train": 40, "test": 10, "dropped": 50}
    assert manifest.metrics == pytest.approx(complete.metrics)


def test_a_class_that_only_the_test_rows_have_is_no_answer():
    data = pd.DataFrame({"a": [float(i) for i in range(20)], "target": ["x", "y"] * 10})
    asked = frames.request(["a"], estimator="knn_classifier", params={"n_neighbors": 2})
    _, test = train_test_split(data.index, test_size=0.2, random_state=42)
    data.loc[test[0], "target"] = "z"

    manifest, _ = frames.train(data, asked)

    assert manifest.labels == ["x", "y"]
    assert manifest.metrics["accuracy"] < 1
    assert math.isfinite(manifest.metrics["log_loss"])


def test_more_labels_than_a_model_can_serve_are_refused_before_the_fit():
    rows = 3 * 1_001
    data = pd.DataFrame({"a": np.arange(rows), "target": [f"l{i % 1_001}" for i in range(rows)]})
    asked = frames.request(["a"], estimator="knn_classifier", calibrate="sigmoid")

    with pytest.raises(errors.BadData, match="has 1,001 different labels") as refused:
        frames.train(data, asked, fit=lambda *_, **__: pytest.fail("it was fitted"))

    assert refused.value.extra["field"] == "target"


@pytest.mark.parametrize("kind", [XGBoostError, LightGBMError])
def test_a_library_that_gets_no_memory_is_a_lack_of_memory(kind):
    def fit(*_, **__):
        raise kind("std::bad_alloc")

    data = frames.frame("numeric", "ridge")

    with pytest.raises(MemoryError):
        frames.train(data, frames.request(frames.features(data), estimator="ridge"), fit=fit)


@pytest.mark.parametrize("estimator", frames.CLASSIFIERS)
def test_labels_are_told_apart_if_the_first_class_is_not_learnt(estimator):
    data = pd.DataFrame({"a": [float(i % 2) for i in range(40)], "target": ["x", "y"] * 20})
    asked = frames.request(["a"], estimator=estimator, params=FAST.get(estimator, {}))
    _, test = train_test_split(data.index, test_size=0.2, random_state=42)
    data.loc[test[0], "target"] = "a"  # before the others

    manifest, file = frames.train(data, asked)

    assert manifest.labels == ["x", "y"]
    model = frames.load(manifest, file)
    answers = model.predict([{"a": 0.0}, {"a": 1.0}])
    if not estimator.startswith(("hist", "lightgbm")):  # which need more rows to learn that
        assert [each["prediction"] for each in answers] == ["x", "y"]
    assert {each["prediction"] for each in answers} <= {"x", "y"}


def test_a_metric_that_one_row_does_not_define_is_left_out():
    data = frames.frame("numeric", "ridge", rows=5)

    manifest, _ = frames.train(data, frames.request(["a"], estimator="ridge"))

    assert manifest.rows["test"] == 1
    assert list(manifest.metrics) == ["rmse", "mae"]


@pytest.mark.parametrize("estimator", frames.ESTIMATORS)
def test_a_column_that_is_empty_in_all_training_rows_is_learnt_as_nothing(estimator):
    data = frames.frame("numeric", estimator, rows=60)
    target = data["target"] if estimator in frames.CLASSIFIERS else None
    _, test = train_test_split(data.index, test_size=0.2, random_state=42, stratify=target)
    data["b"] = np.nan
    data.loc[test[0], "b"] = 1.0
    params = FAST.get(estimator, {})

    manifest, _ = frames.train(data, frames.request(["a", "b"], estimator=estimator, params=params))

    assert manifest.parity <= parity.BOUND


@pytest.mark.parametrize("estimator", frames.ESTIMATORS)
@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_too_few_rows_are_bad_data_or_enough(estimator, rows):
    data = frames.frame("numeric", estimator)
    data = pd.concat([data[data.target <= 0], data[data.target > 0]])[:rows]

    try:
        manifest, _ = frames.train(data, frames.request(["a", "b"], estimator=estimator))
    except errors.BadData as error:
        assert error.detail  # noqa: PT017
    else:
        assert manifest.rows["train"] + manifest.rows["test"] == rows


def test_test_rows_without_a_finite_answer_are_told():
    data = frames.frame("numeric", "svm_regressor", rows=60)
    _, test = train_test_split(data.index, test_size=0.2, random_state=42)
    data.loc[test[:3], "a"] = 1e200  # the kernel takes the third power
    asked = frames.request(["a", "b"], estimator="svm_regressor", params={"kernel": "poly"})

    with pytest.raises(errors.BadData, match="svm_regressor has no finite answer to 3 of 12 test"):
        frames.train(data, asked)


@pytest.mark.parametrize("estimator", frames.ESTIMATORS)
@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("place", ["train", "test"])
def test_numbers_beyond_float32_are_bad_data_or_answered_alike(estimator, value, place):
    data = frames.frame("numeric", estimator, rows=60)
    target = data["target"] if estimator in frames.CLASSIFIERS else None
    train, test = train_test_split(data.index, test_size=0.2, random_state=42, stratify=target)
    data.loc[{"train": train, "test": test}[place][0], "a"] = value
    asked = frames.request(["a", "b"], estimator=estimator, params=FAST.get(estimator, {}))

    try:
        manifest, _ = frames.train(data, asked)
    except errors.BadData as error:
        assert "too large" in error.detail  # noqa: PT017
    else:
        assert manifest.parity <= parity.BOUND
        assert json.loads(manifest.model_dump_json())["metrics"] == manifest.metrics


@pytest.mark.parametrize(
    "asked",
    [
        {"estimator": "linear_svm_classifier"},
        {"estimator": "linear_svm_classifier", "calibrate": "sigmoid"},
        {"estimator": "linear_svm_regressor"},
        {"estimator": "logistic_regression", "params": {"solver": "liblinear"}},
    ],
    ids=str,
)
def test_liblinear_gets_no_number_with_which_it_would_not_end(asked):
    data = frames.frame("numeric", asked["estimator"], rows=60)
    data["a"] *= 1e300
    unscaled = frames.request(["a", "b"], preprocessing={"scaling": "none"}, **asked)

    with pytest.raises(errors.BadData, match=r"takes none above 3\.4e\+38; scale or remove it"):
        frames.train(data, unscaled)


def served(data, asked, rows):
    """Train; return the manifest and the predictions for rows."""
    manifest, file = frames.train(data, asked)
    model = frames.load(manifest, file)
    return manifest, [each["prediction"] for each in model.predict(rows)]


@pytest.mark.parametrize("estimator", ["linear_regression", "ridge"])
@pytest.mark.parametrize("beside", ["nothing", "text", "a missing number"])
def test_seconds_since_1970_are_exact_beside_any_column(estimator, beside):
    epoch = 1_700_000_000
    data = pd.DataFrame({"t": epoch + np.arange(100), "target": np.arange(100.0)})
    data["c"] = {"nothing": 0.5, "text": "red", "a missing number": None}[beside]
    data.loc[::2, "c"] = {"nothing": 0.5, "text": "blue", "a missing number": 1.0}[beside]
    params = {"alpha": 1e-9} if estimator == "ridge" else {}
    asked = frames.request(["t", "c"], estimator=estimator, params=params)

    manifest, (answer,) = served(data, asked, [{"t": epoch + 50, "c": data.loc[0, "c"]}])

    assert manifest.runtime == "onnx"
    assert answer == pytest.approx(50, abs=1e-6)


def test_an_offset_of_the_target_hides_nothing():
    """A target of the form YYYYMMDDHHMM, that float32 knows to 16,384 only."""
    start = 202611280000.0
    data = pd.DataFrame({"a": np.arange(200), "target": start + np.arange(200) % 60})
    asked = frames.request(["a"], estimator="hist_gradient_boosting_regressor")

    manifest, told = served(data, asked, [{"a": a} for a in range(200)])

    _, test = train_test_split(np.arange(200), test_size=0.2, random_state=42)
    error = np.sqrt(np.mean((np.array(told) - data["target"])[test] ** 2))
    assert error == pytest.approx(manifest.metrics["rmse"], rel=1e-6)
    assert manifest.runtime == "onnx"


@pytest.mark.parametrize("estimator", [n for n in frames.REGRESSORS if "forest" not in n])
def test_days_as_numbers_are_learnt(estimator):
    """Dates of the form YYYYMMDD, whose thresholds float32 does not tell apart."""
    days = pd.date_range("2026-01-01", periods=300).strftime("%Y%m%d").astype(int)
    data = pd.DataFrame({"day": days, "target": np.sin(np.arange(300) / 10)})

    manifest, _ = frames.train(data, frames.request(["day"], estimator=estimator))

    assert manifest.parity <= parity.BOUND
    if "hist" in estimator:
        assert manifest.metrics["rmse"] < 0.3


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("estimator", ["knn_regressor", "knn_classifier"])
def test_neighbours_that_tie_are_those_of_scikit_learn(estimator, weights):
    data = pd.DataFrame({"a": np.arange(60) // 6, "b": np.arange(60) % 2})
    data["target"] = (np.arange(60) * 7) % 5
    asked = frames.request(["a", "b"], estimator=estimator, params={"weights": weights})
    rows = data[["a", "b"]].to_dict("records")

    manifest, told = served(data, asked, rows)

    stratify = data["target"] if estimator == "knn_classifier" else None
    train, test = train_test_split(data, test_size=0.2, random_state=42, stratify=stratify)
    plain = build_estimator(asked.resolved_estimator).fit(
        train[["a", "b"]].to_numpy(float), train["target"]
    )
    assert told == plain.predict(data[["a", "b"]].to_numpy(float)).tolist()
    if estimator == "knn_classifier":
        score = plain.score(test[["a", "b"]].to_numpy(float), test["target"])
        assert manifest.metrics["accuracy"] == score
