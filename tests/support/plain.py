"""A training by plain scikit-learn, as docs/training.md tells it. None of our code is in it."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC, SVR

ESTIMATORS: dict[str, Callable[..., BaseEstimator]] = {
    "random_forest_regressor": RandomForestRegressor,
    "random_forest_classifier": RandomForestClassifier,
    "hist_gradient_boosting_regressor": HistGradientBoostingRegressor,
    "hist_gradient_boosting_classifier": HistGradientBoostingClassifier,
    "linear_regression": LinearRegression,
    "ridge": Ridge,
    "logistic_regression": LogisticRegression,
    "svm_regressor": SVR,
    "svm_classifier": SVC,
    "knn_regressor": KNeighborsRegressor,
    "knn_classifier": KNeighborsClassifier,
}


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
    """Read the CSV file, split it, fit on one part, and answer and measure on the other."""
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
    steps = ColumnTransformer(
        [
            ("number", SimpleImputer(strategy="median", keep_empty_features=True), numbers),
            ("text", OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
        ]
    )
    pipeline = Pipeline([("columns", steps), ("estimator", estimator)])
    with warnings.catch_warnings(record=True, action="always") as caught:
        pipeline.fit(x_train, y_train)
    predicted = pipeline.predict(x_test)
    probabilities = pipeline.predict_proba(x_test) if hasattr(pipeline, "predict_proba") else None
    classes = pipeline.classes_.tolist() if classify else []
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
