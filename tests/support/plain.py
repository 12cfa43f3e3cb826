"""A training by plain scikit-learn, as docs/training.md tells it. None of our code is in it."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn.base import BaseEstimator, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

ESTIMATORS: dict[str, Callable[..., BaseEstimator]] = {
    "random_forest_regressor": RandomForestRegressor,
    "random_forest_classifier": RandomForestClassifier,
    "extra_trees_regressor": ExtraTreesRegressor,
    "extra_trees_classifier": ExtraTreesClassifier,
    "decision_tree_regressor": DecisionTreeRegressor,
    "decision_tree_classifier": DecisionTreeClassifier,
    "gradient_boosting_regressor": GradientBoostingRegressor,
    "gradient_boosting_classifier": GradientBoostingClassifier,
    "hist_gradient_boosting_regressor": HistGradientBoostingRegressor,
    "hist_gradient_boosting_classifier": HistGradientBoostingClassifier,
    "linear_regression": LinearRegression,
    "ridge": Ridge,
    "lasso": Lasso,
    "elastic_net": ElasticNet,
    "sgd_regressor": SGDRegressor,
    "sgd_classifier": SGDClassifier,
    "logistic_regression": LogisticRegression,
    "linear_svm_regressor": LinearSVR,
    "linear_svm_classifier": LinearSVC,
    "svm_regressor": SVR,
    "svm_classifier": SVC,
    "knn_regressor": KNeighborsRegressor,
    "knn_classifier": KNeighborsClassifier,
    "gaussian_nb": GaussianNB,
    "xgboost_regressor": xgboost.XGBRegressor,
    "xgboost_classifier": xgboost.XGBClassifier,
    "lightgbm_regressor": lightgbm.LGBMRegressor,
    "lightgbm_classifier": lightgbm.LGBMClassifier,
    "mlp_regressor": MLPRegressor,
    "mlp_classifier": MLPClassifier,
}
# What docs/training.md says of the preprocessing of each. All others get medians for missing
# numbers, and a column for each text.
SCALED = {
    *(Ridge, Lasso, ElasticNet, SGDRegressor, SGDClassifier, LogisticRegression),
    *(LinearSVR, LinearSVC, SVR, SVC, KNeighborsRegressor, KNeighborsClassifier),
    *(MLPRegressor, MLPClassifier),
}
NATIVE = {HistGradientBoostingRegressor, HistGradientBoostingClassifier}
MOST_CATEGORIES = 255


@dataclass(frozen=True)
class Trained:
    """What scikit-learn gives.

    `test` are the rows [rows, features] that were measured, as the file has them, and `y_test`
    their targets. `predicted` and `probabilities` are the answers for them; the latter are None of
    a regressor, and of a classifier that has none. `spread` is the standard deviation of a
    regressor's target in the training rows, or 1 for a classifier.
    """

    estimator: BaseEstimator
    test: pd.DataFrame
    y_test: np.ndarray
    classes: list[Any]
    predicted: list[Any]
    probabilities: np.ndarray | None
    metrics: dict[str, float]
    spread: float
    rows: dict[str, int]
    warnings: set[str]


def build(name: str, params: dict[str, Any], calibrate: str | None = None) -> BaseEstimator:
    """scikit-learn's estimator with its own defaults, and the seed 42 where it takes one."""
    estimator = ESTIMATORS[name]()
    seed = {"random_state": 42} if "random_state" in estimator.get_params() else {}
    estimator.set_params(**{**seed, **params})
    if calibrate:
        return CalibratedClassifierCV(estimator, method=calibrate, ensemble=False)
    return estimator


def train(
    path: Path,
    features: list[str],
    target: str,
    estimator: BaseEstimator,
    test_size: float = 0.2,
) -> Trained:
    """Read the CSV file, split it, fit on one part, and answer and measure on the other.

    The columns are prepared as is usual for the estimator. Of one that takes categories, the
    parameter that names their columns is set.
    """
    classify = is_classifier(estimator)
    every = _read(path, features, target, classify=classify)
    frame = every.dropna(subset=[target])
    y = _labels(frame[target]) if classify else frame[target].to_numpy(float)
    texts = [name for name in features if not _is_number(frame[name])]
    numbers = [name for name in features if name not in texts]
    x = frame[features].copy()
    x[numbers] = x[numbers].astype(float)
    x[texts] = x[texts].astype(object).fillna("")

    x_train, x_test, y_train, y_test = train_test_split(
        x,
        y,
        test_size=test_size,
        random_state=42,
        stratify=y if classify and _can_be_stratified(y, test_size) else None,
    )
    steps = _columns(estimator, numbers, texts)
    pipeline = Pipeline([("columns", steps), ("estimator", estimator)])
    with warnings.catch_warnings(record=True, action="always") as caught:
        # XGBoost takes the places of labels only.
        places = isinstance(_inner(estimator), xgboost.XGBClassifier)
        learnt, codes = np.unique(y_train, return_inverse=True) if places else (None, y_train)
        pipeline.fit(x_train, codes)
    predicted = pipeline.predict(x_test)
    if places:
        predicted = learnt[predicted]
    probabilities = pipeline.predict_proba(x_test) if hasattr(pipeline, "predict_proba") else None
    classes = (learnt if places else pipeline.classes_).tolist() if classify else []
    return Trained(
        estimator,
        frame.loc[x_test.index, features],
        y_test,
        classes,
        predicted.tolist(),
        probabilities,
        class_metrics(y_test, predicted, probabilities, classes)
        if classify
        else number_metrics(y_test, predicted),
        1.0 if classify else float(np.std(y_train)) or 1.0,
        {"train": len(x_train), "test": len(x_test), "dropped": len(every) - len(frame)},
        {warning.category.__name__ for warning in caught},
    )


def _columns(estimator: BaseEstimator, numbers: list[str], texts: list[str]) -> ColumnTransformer:
    """The step before an estimator, which it tells where its categories are."""
    inner = _inner(estimator)
    number: Any = SimpleImputer(strategy="median", keep_empty_features=True)
    text: Any = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    if type(inner) in SCALED:
        number = make_pipeline(number, StandardScaler())
    elif type(inner).__name__.startswith(("XGB", "LGBM")):  # which learn from missing numbers
        number = "passthrough"
    elif type(inner) in NATIVE:
        number = "passthrough"
        text = make_pipeline(
            SimpleImputer(
                missing_values="", strategy="constant", fill_value=np.nan, keep_empty_features=True
            ),
            OrdinalEncoder(
                handle_unknown="use_encoded_value",
                unknown_value=np.nan,
                max_categories=MOST_CATEGORIES,
            ),
        )
        inner.set_params(
            categorical_features=list(range(len(numbers), len(numbers) + len(texts))) or None
        )
    return ColumnTransformer([("number", number, numbers), ("text", text, texts)])


def _inner(estimator: BaseEstimator) -> BaseEstimator:
    """The estimator that is calibrated, or itself."""
    return estimator.estimator if isinstance(estimator, CalibratedClassifierCV) else estimator


def _read(path: Path, features: list[str], target: str, *, classify: bool) -> pd.DataFrame:
    """The columns. In texts and classes NA, None and the like are texts, and only "" is missing."""
    frame = pd.read_csv(path)[[*features, target]]
    exact = pd.read_csv(path, keep_default_na=False, na_values=[""])
    for name in features:
        if not _is_number(frame[name]):
            frame[name] = exact[name]
    if classify:
        frame[target] = exact[target]
    return frame


def _is_number(column: "pd.Series[Any]") -> bool:
    """Tell whether a column holds numbers or booleans only, and perhaps missing values."""
    known = column.dropna().infer_objects()
    return pd.api.types.is_numeric_dtype(known) or pd.api.types.is_bool_dtype(known)


def _labels(column: "pd.Series[Any]") -> Any:
    """The labels [rows]: true and false, whole numbers or texts."""
    known = column.infer_objects()
    if pd.api.types.is_bool_dtype(known):
        return known.to_numpy(bool)
    return known.to_numpy("int64" if pd.api.types.is_numeric_dtype(known) else object)


def _can_be_stratified(y: Any, test_size: float) -> bool:
    """Tell whether each class has two rows, and each part a row for each class."""
    _, counts = np.unique(y, return_counts=True)
    test = int(np.ceil(len(y) * test_size)) if test_size < 1 else int(test_size)
    return bool(counts.min() >= 2 and min(test, len(y) - test) >= len(counts))


def number_metrics(y: Any, predicted: Any) -> dict[str, float]:
    """The metrics of a regressor."""
    return {
        "rmse": root_mean_squared_error(y, predicted),
        "mae": mean_absolute_error(y, predicted),
        "r2": r2_score(y, predicted),
    }


def class_metrics(y: Any, predicted: Any, probabilities: Any, classes: Any) -> dict[str, float]:
    """The metrics of a classifier. A class that the training rows lack has the probability 0."""
    metrics = {
        "accuracy": accuracy_score(y, predicted),
        "f1": f1_score(y, predicted, average="macro"),
    }
    if probabilities is not None:
        every = sorted({*classes, *y})
        full = pd.DataFrame(probabilities, columns=classes).reindex(columns=every, fill_value=0.0)
        metrics["log_loss"] = log_loss(y, full.to_numpy(), labels=every)
    return metrics
