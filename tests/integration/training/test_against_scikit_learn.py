"""What a training tells and what its model answers are what plain scikit-learn gives.

`tests/support/plain.py` is the other side. It shares no code with the product.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from app.inference.onnx_runtime import OnnxRuntime
from app.inference.sklearn_runtime import SklearnRuntime
from app.inference.trained_model import TrainedModel
from app.protocol.label_keys import label_keys
from app.protocol.training_request import TrainRequest
from app.training.fit_process import FitLimits, FitRunner
from tests.support import datasets, frames, plain, served

LIMITS = FitLimits(seconds=60.0, memory=1_000_000_000)
FEW, SHORT = {"n_estimators": 10}, {"max_iter": 10}
ABOUT_PARAMS = {"ConvergenceWarning", "FutureWarning"}
BY_LABEL = "each label has a weight of its own"

# Other parameters than the defaults.
OTHERS: dict[str, list[dict[str, Any]]] = {
    "random_forest_regressor": [
        {**FEW, "criterion": "absolute_error", "max_depth": 4},
        {**FEW, "criterion": "poisson", "max_features": "sqrt"},
        {**FEW, "min_samples_leaf": 3, "bootstrap": False, "max_leaf_nodes": 9},
    ],
    "random_forest_classifier": [
        {**FEW, "criterion": "entropy", "max_depth": 4},
        {**FEW, "class_weight": BY_LABEL},
        {**FEW, "class_weight": "balanced_subsample", "min_samples_leaf": 3},
        {**FEW, "calibrate": "isotonic"},
    ],
    "extra_trees_regressor": [
        {**FEW, "bootstrap": True, "max_depth": 4},
        {**FEW, "criterion": "absolute_error", "max_features": "sqrt"},
    ],
    "extra_trees_classifier": [
        {**FEW, "class_weight": BY_LABEL},
        {**FEW, "criterion": "log_loss", "max_depth": 4, "calibrate": "sigmoid"},
    ],
    "decision_tree_regressor": [
        {"max_depth": 3, "criterion": "poisson"},
        {"splitter": "random", "min_samples_leaf": 3},
        {"ccp_alpha": 0.5},
    ],
    "decision_tree_classifier": [
        {"max_leaf_nodes": 6, "criterion": "entropy"},
        {"class_weight": BY_LABEL, "max_depth": 3},
        {"max_depth": 4, "calibrate": "isotonic"},
    ],
    "gradient_boosting_regressor": [
        {**FEW, "loss": "absolute_error", "learning_rate": 0.3},
        {**FEW, "loss": "huber", "alpha": 0.8, "subsample": 0.7},
        {**FEW, "loss": "quantile", "init": "zero"},
        {"n_estimators": 200, "n_iter_no_change": 2},
    ],
    "gradient_boosting_classifier": [
        {**FEW, "max_depth": 2, "learning_rate": 0.5},
        {**FEW, "init": "zero", "subsample": 0.5},
        {**FEW, "calibrate": "sigmoid"},
    ],
    "hist_gradient_boosting_regressor": [
        {**SHORT, "loss": "poisson"},
        {**SHORT, "loss": "gamma"},
        {**SHORT, "loss": "absolute_error", "max_depth": 3},
        {**SHORT, "loss": "quantile", "quantile": 0.8},
        {**SHORT, "l2_regularization": 1.0, "max_leaf_nodes": 7, "learning_rate": 0.3},
    ],
    "hist_gradient_boosting_classifier": [
        {**SHORT, "max_depth": 3, "min_samples_leaf": 5},
        {**SHORT, "class_weight": BY_LABEL},
        {**SHORT, "early_stopping": True},
    ],
    "linear_regression": [{"fit_intercept": False}, {"positive": True}],
    "ridge": [
        {"alpha": 0.1, "solver": "svd"},
        {"alpha": 10.0, "fit_intercept": False},
        {"alpha": 1e-3, "solver": "cholesky"},
    ],
    "lasso": [{"alpha": 0.1}, {"positive": True, "selection": "random"}],
    "elastic_net": [{"alpha": 0.1, "l1_ratio": 0.2}, {"fit_intercept": False}],
    "sgd_regressor": [
        {"loss": "huber", "learning_rate": "adaptive", "eta0": 0.001},
        {"penalty": "l1", "average": True, "learning_rate": "optimal"},
    ],
    "sgd_classifier": [
        {"loss": "log_loss", "class_weight": BY_LABEL},
        {"loss": "modified_huber", "penalty": "elasticnet"},
        {"loss": "perceptron", "average": True, "max_iter": 5},
        {"calibrate": "sigmoid"},
    ],
    "logistic_regression": [
        {"C": 0.1, "max_iter": 1000},
        {"penalty": "l1", "solver": "saga", "max_iter": 20},
        {"class_weight": BY_LABEL, "fit_intercept": False},
        {"solver": "newton-cholesky", "class_weight": "balanced"},
        {"calibrate": "sigmoid"},
    ],
    "linear_svm_regressor": [
        {"C": 0.1, "loss": "squared_epsilon_insensitive"},
        {"fit_intercept": False, "epsilon": 0.5, "max_iter": 200},
    ],
    "linear_svm_classifier": [
        {"class_weight": BY_LABEL, "max_iter": 200},
        {"multi_class": "crammer_singer", "C": 0.1, "max_iter": 200},
        {"penalty": "l1", "dual": False},
        {"calibrate": "isotonic", "max_iter": 200},
    ],
    "svm_regressor": [
        {"kernel": "linear", "max_iter": 300},
        {"kernel": "poly", "degree": 2, "max_iter": 300},
        {"C": 10.0, "epsilon": 0.5, "gamma": "auto"},
        {"kernel": "sigmoid"},
    ],
    "svm_classifier": [
        {"probability": True},
        {"kernel": "linear", "max_iter": 300},
        {"class_weight": BY_LABEL, "C": 10.0},
        {"decision_function_shape": "ovo"},
        {"calibrate": "sigmoid"},
        {"calibrate": "isotonic", "class_weight": "balanced"},
    ],
    "knn_regressor": [
        {"weights": "distance"},
        {"p": 1},
        {"p": 3, "n_neighbors": 3},
        {"metric": "cosine"},
    ],
    "knn_classifier": [
        {"weights": "distance"},
        {"p": 1, "n_neighbors": 4},
        {"metric": "chebyshev", "weights": "distance"},
        {"n_neighbors": 1},
    ],
    "gaussian_nb": [{"var_smoothing": 1e-3}, {"calibrate": "isotonic"}],
    "xgboost_regressor": [
        {**FEW, "max_depth": 3, "objective": "reg:absoluteerror"},
        {**FEW, "grow_policy": "lossguide", "max_leaves": 5, "num_parallel_tree": 2},
        {**FEW, "booster": "dart", "subsample": 0.5},
    ],
    "xgboost_classifier": [
        {**FEW, "tree_method": "exact", "max_depth": 2},
        {**FEW, "calibrate": "sigmoid"},
    ],
    "lightgbm_regressor": [
        {**FEW, "min_child_samples": 2, "objective": "poisson"},
        {**FEW, "boosting_type": "dart", "num_leaves": 5},
        {**FEW, "boosting_type": "rf", "subsample": 0.5, "subsample_freq": 1},
    ],
    "lightgbm_classifier": [
        {**FEW, "class_weight": "balanced", "min_child_samples": 5},
        {**FEW, "calibrate": "isotonic"},
    ],
    "mlp_regressor": [
        {**SHORT, "activation": "tanh", "hidden_layer_sizes": [20, 5]},
        {**SHORT, "solver": "lbfgs", "activation": "logistic"},
        {**SHORT, "activation": "identity", "early_stopping": True},
    ],
    "mlp_classifier": [
        {**SHORT, "activation": "tanh", "hidden_layer_sizes": [20, 5]},
        {**SHORT, "solver": "lbfgs", "activation": "logistic"},
        {**SHORT, "calibrate": "sigmoid"},
    ],
}
# One or two of each preprocessing and runtime.
ON_EVERY_DATA_SET = {
    *("random_forest_regressor", "random_forest_classifier"),
    *("hist_gradient_boosting_regressor", "hist_gradient_boosting_classifier"),
    *("linear_regression", "ridge", "logistic_regression"),
    *("svm_regressor", "svm_classifier", "knn_regressor", "knn_classifier"),
}
OTHERS_ON_NUMBERS = ["sklearn.diabetes", "statsmodels.macrodata", "vega_datasets.cars"]
OTHERS_ON_LABELS = ["sklearn.wine", "vega_datasets.barley", "vega_datasets.cars"]


class Case(NamedTuple):
    """A data set, an estimator and its options."""

    data: str
    estimator: str
    options: dict[str, Any]

    @property
    def target(self) -> str | None:
        data = datasets.DATA_SETS[self.data]
        return data.number if self.estimator in frames.REGRESSORS else data.label


def cases() -> Iterator[Case]:
    """Yield each estimator with its defaults and with other parameters.

    The defaults meet three data sets, those of one estimator for each preprocessing all of them.
    Of other parameters, one after the other meets each of the three, the first ones all.
    """
    for estimator, others in OTHERS.items():
        some = OTHERS_ON_NUMBERS if estimator in frames.REGRESSORS else OTHERS_ON_LABELS
        every = datasets.DATA_SETS if estimator in ON_EVERY_DATA_SET else some
        yield from (Case(data, estimator, {}) for data in every)
        yield from (Case(data, estimator, others[0]) for data in some)
        for place, options in enumerate(others[1:]):
            yield Case(some[place % len(some)], estimator, options)


def name_of(case: Case) -> str:
    options = ",".join(f"{name}={value}" for name, value in case.options.items())
    return f"{case.estimator}({options.replace(BY_LABEL, 'by-label')})-{case.data}"


CASES = [case for case in cases() if case.target]


def ask(case: Case, path: Path) -> tuple[TrainRequest, plain.Trained]:
    """Write the data set to `path`; return the request of a training, and scikit-learn's result."""
    path.write_bytes(datasets.csv(case.data))
    assert case.target
    features = datasets.DATA_SETS[case.data].features(case.target)
    calibrate = case.options.get("calibrate")
    theirs = {name: value for name, value in case.options.items() if name != "calibrate"}
    ours = dict(theirs)
    if theirs.get("class_weight") == BY_LABEL:
        labels = datasets.labels(case.data)
        weights = [1.0 + place for place in range(len(labels))]
        # Histogram boosting wants the places of the labels, others the labels.
        keys = range(len(labels)) if case.estimator.startswith("hist") else labels
        theirs["class_weight"] = dict(zip(keys, weights, strict=True))
        ours["class_weight"] = dict(zip(label_keys(labels), weights, strict=True))
    asked = TrainRequest(
        dataset_id="data",
        features=features,
        target=case.target,
        estimator=case.estimator,
        params=ours,
        calibrate=calibrate,
    )
    estimator = plain.build(case.estimator, theirs, calibrate)
    return asked, plain.train(path, features, case.target, estimator)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_metrics_and_all_answers_are_those_of_scikit_learn(case, tmp_path):
    asked, expected = ask(case, tmp_path / "data.csv")

    model = served.train(tmp_path / "data.csv", asked)

    in_float32 = case.estimator.startswith("xgboost")
    served.assert_same(model, expected, metrics=1e-6 if in_float32 else served.EXACT)
    told = {warning.type for warning in model.manifest.warnings}
    assert expected.warnings & ABOUT_PARAMS <= told
    every = plain.build(case.estimator, asked.params).get_params(deep=False)
    assert model.manifest.params == json.loads(json.dumps(every).replace("NaN", "null"))


@pytest.fixture(scope="module")
def runner():
    made = FitRunner()
    made.warm()
    return made


ALL_THE_WAY = [
    (Case("vega_datasets.cars", "random_forest_regressor", {}), OnnxRuntime),
    (Case("sklearn.digits", "hist_gradient_boosting_classifier", SHORT), OnnxRuntime),
    (Case("vega_datasets.barley", "logistic_regression", {"C": 0.1}), OnnxRuntime),
    (Case("sklearn.wine", "knn_classifier", {"weights": "distance"}), SklearnRuntime),
    (Case("vega_datasets.barley", "svm_classifier", {"calibrate": "sigmoid"}), SklearnRuntime),
    (Case("vega_datasets.cars", "xgboost_regressor", FEW), OnnxRuntime),
    (
        Case("vega_datasets.cars", "xgboost_regressor", {**FEW, "booster": "gblinear"}),
        SklearnRuntime,
    ),
    (Case("vega_datasets.cars", "lightgbm_regressor", FEW), OnnxRuntime),
    (Case("sklearn.wine", "lightgbm_classifier", {**FEW, "calibrate": "sigmoid"}), SklearnRuntime),
]


@pytest.mark.filterwarnings("ignore:.*`booster=.*` is deprecated:UserWarning")  # XGBoost 3.4
@pytest.mark.parametrize(("case", "runtime"), ALL_THE_WAY)
def test_a_fit_in_a_child_process_is_loaded_and_answers_as_scikit_learn(
    case, runtime, runner, tmp_path
):
    asked, expected = ask(case, tmp_path / "given.csv")

    def fetch(path: Path) -> None:
        path.write_bytes((tmp_path / "given.csv").read_bytes())

    manifest, file = runner.fit(asked, "m", tmp_path, LIMITS, fetch, lambda: None, lambda _: None)

    loaded = runtime(file)
    assert loaded.manifest == manifest
    served.assert_same(TrainedModel(manifest, loaded), expected)


def test_declared_columns_are_numbers_and_categories_of_scikit_learn(tmp_path):
    given = datasets.seattle_weather().head(150)[["date", "wind", "temp_min", "temp_max"]]
    given["date"] = given.date.str.replace("/", "-")
    days = pd.to_datetime(given.date) - pd.Timestamp("1970-01-01")
    meant = given.assign(
        date=days.dt.days,
        wind="w" + given.wind.map("{:g}".format),
        temp_min=given.temp_min.replace(5.0, None),
    )
    for name, frame in (("given", given), ("meant", meant)):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    features = ["temp_min", "wind", "date"]
    asked = TrainRequest(
        dataset_id="data",
        features=features,
        target="temp_max",
        estimator="RandomForestRegressor",
        test_size=40,
        types={
            "date": "date",
            "wind": "category",
            "temp_min": {"type": "number", "missing": ["5.0"]},
        },
    )

    model = served.train(tmp_path / "given.csv", asked)

    expected = plain.train(
        tmp_path / "meant.csv",
        features,
        "temp_max",
        plain.build("random_forest_regressor", {}),
        test_size=40,
    )
    expected = replace(expected, test=given.loc[expected.test.index, features])
    served.assert_same(model, expected)
