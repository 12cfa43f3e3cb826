"""Options that are asked for together give what plain scikit-learn gives for all of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedKFold,
    TimeSeriesSplit,
    train_test_split,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from tests.support import datasets, frames, plain, served

CLOSE = 1e-7
NUMBERS, DATE, TEXT = ["Horsepower", "Weight_in_lbs"], "Year", "Origin"
FEATURES = [*NUMBERS, DATE, TEXT]
NUMBER_TARGET, LABEL_TARGET = "Miles_per_Gallon", "Cylinders"
EVERY = [*NUMBERS, DATE]
Parts = list[tuple[Any, Any]]


def cars() -> pd.DataFrame:
    """Cars with missing powers, a date, makers and weights; in an order of chance."""
    frame = datasets.cars().dropna(subset=[NUMBER_TARGET])
    frame = frame[frame.Cylinders.isin([4, 6, 8])].sample(frac=1, random_state=4)
    frame = frame.reset_index(drop=True)
    frame["maker"] = frame.Name.str.split().str[0]
    frame["weight"] = np.random.default_rng(2).choice([0.0, 0.5, 1.0, 4.0], len(frame))
    frame.loc[::9, "Horsepower"] = np.nan
    frame["Cylinders"] = "c" + frame.Cylinders.map(str)
    columns = [*FEATURES, "Name", NUMBER_TARGET, LABEL_TARGET, "maker", "weight"]
    return frame[columns]


def matrix(frame: pd.DataFrame) -> pd.DataFrame:
    """The features as plain scikit-learn gets them, with days and parts of the date."""
    dates = pd.to_datetime(frame[DATE])
    x = frame[[*FEATURES, "Name"]].astype({TEXT: object, "Name": object})
    x[DATE] = (dates - pd.Timestamp("1970-01-01")).dt.days
    x[EVERY] = x[EVERY].astype(float)
    x["Year.year"], x["Year.month"] = dates.dt.year * 1.0, dates.dt.month * 1.0
    return x


def columns(numbers: Any, texts: Any, *more: Any, parts: tuple[str, ...] = ()) -> ColumnTransformer:
    """The step of all columns."""
    blocks = [("number", numbers, [*EVERY, *parts]), ("text", texts, [TEXT]), *more]
    return ColumnTransformer(blocks, sparse_threshold=0)


MEDIAN, MEAN = SimpleImputer(strategy="median"), SimpleImputer(strategy="mean")
ONE_HOT = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
RARE = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=70, sparse_output=False)
ORDINAL = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
NATIVE = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
SCALED = make_pipeline(MEDIAN, StandardScaler())
PARTS = ("Year.year", "Year.month")
RIDGE, LOGISTIC = Ridge(random_state=42), LogisticRegression(random_state=42)
TREES, FEW = {"n_estimators": 5}, {"max_iter": 5}


def shuffled(folds: int) -> Callable[[pd.DataFrame], Parts]:
    return lambda frame: list(KFold(folds, shuffle=True, random_state=42).split(frame))


def stratified(folds: int) -> Callable[[pd.DataFrame], Parts]:
    parts = StratifiedKFold(folds, shuffle=True, random_state=42)
    return lambda frame: list(parts.split(frame, frame[LABEL_TARGET]))


def by_maker(folds: int) -> Callable[[pd.DataFrame], Parts]:
    return lambda frame: list(GroupKFold(folds).split(frame, groups=frame.maker))


def in_time(folds: int) -> Callable[[pd.DataFrame], Parts]:
    def parts(frame: pd.DataFrame) -> Parts:
        rows = np.argsort(pd.to_datetime(frame[DATE]).to_numpy(), kind="stable")
        return [(rows[train], rows[test]) for train, test in TimeSeriesSplit(folds).split(rows)]

    return parts


def once(**options: Any) -> Callable[[pd.DataFrame], Parts]:
    return lambda frame: [tuple(train_test_split(np.arange(len(frame)), **options))]


@dataclass(frozen=True)
class Case:
    """What is asked for, and what it stands for: steps, an estimator, and parts of the rows."""

    estimator: str
    asked: dict[str, Any]
    steps: ColumnTransformer
    plain: BaseEstimator
    parts: Callable[[pd.DataFrame], Parts]
    target: str = NUMBER_TARGET
    features: list[str] = field(default_factory=lambda: FEATURES)

    def fit(self, frame: pd.DataFrame, rows: Any) -> Pipeline:
        """The pipeline of plain scikit-learn that learns some rows."""
        weights = {}
        if "sample_weight" in self.asked:
            weights = {"estimator__sample_weight": frame.weight.to_numpy()[rows]}
        pipeline = Pipeline([("columns", self.steps), ("estimator", self.plain)])
        y = frame[self.target].to_numpy()[rows]
        return clone(pipeline).fit(matrix(frame).iloc[rows], y, **weights)

    def measure(self, frame: pd.DataFrame, train: Any, test: Any) -> dict[str, float]:
        """The metrics of plain scikit-learn."""
        fitted, x = self.fit(frame, train), matrix(frame).iloc[test]
        y, predicted = frame[self.target].to_numpy()[test], fitted.predict(x)
        if self.target == NUMBER_TARGET:
            return plain.number_metrics(y, predicted)
        return plain.class_metrics(y, predicted, fitted.predict_proba(x), fitted.classes_)

    def train(self, folder: Path) -> tuple[pd.DataFrame, Any]:
        """Train by our code; return the rows and the model."""
        frame, path = cars(), folder / "data.csv"
        frame.to_csv(path, index=False)
        named = {"types": {DATE: "date"}, "defaults": "by-estimator", **self.asked}
        asked = frames.request(self.features, target=self.target, estimator=self.estimator, **named)
        return frame, served.train(path, asked)


FOLDS = {
    "scaling": Case("ridge", {"cv": 4}, columns(SCALED, ONE_HOT), RIDGE, shuffled(4)),
    "range, mean and rare texts": Case(
        "ridge",
        {
            "cv": 3,
            "preprocessing": {"scaling": "min-max", "imputation": "mean", "min_frequency": 70},
        },
        columns(make_pipeline(MEAN, MinMaxScaler()), RARE),
        RIDGE,
        shuffled(3),
    ),
    "words": Case(
        "ridge",
        {
            "cv": 3,
            "preprocessing": {"tfidf": ["Name"], "max_terms": 30},
            "target_transform": "log1p",
        },
        columns(SCALED, ONE_HOT, ("words", TfidfVectorizer(max_features=30), "Name")),
        TransformedTargetRegressor(RIDGE, func=np.log1p, inverse_func=np.expm1),
        shuffled(3),
        features=[*FEATURES, "Name"],
    ),
    "weights": Case(
        "ridge",
        {"cv": 3, "sample_weight": "weight", "preprocessing": {"scaling": "robust"}},
        columns(make_pipeline(MEDIAN, RobustScaler()), ONE_HOT),
        RIDGE,
        shuffled(3),
    ),
    "calibration": Case(
        "logistic_regression",
        {"cv": 3, "calibrate": "sigmoid"},
        columns(SCALED, ONE_HOT),
        CalibratedClassifierCV(LOGISTIC, method="sigmoid", ensemble=False),
        stratified(3),
        LABEL_TARGET,
    ),
    "weights and calibration": Case(
        "logistic_regression",
        {"cv": 3, "calibrate": "isotonic", "sample_weight": "weight"},
        columns(SCALED, ONE_HOT),
        CalibratedClassifierCV(LOGISTIC, method="isotonic", ensemble=False),
        stratified(3),
        LABEL_TARGET,
    ),
    "native categories of groups": Case(
        "hist_gradient_boosting_classifier",
        {"cv": 3, "split": {"group": "maker", "stratify": "auto"}, "params": FEW},
        columns("passthrough", NATIVE),
        HistGradientBoostingClassifier(categorical_features=[3], random_state=42, **FEW),
        by_maker(3),
        LABEL_TARGET,
    ),
    "parts of dates of groups": Case(
        "ridge",
        {"cv": 3, "split": {"group": "maker"}, "preprocessing": {"dates": ["year", "month"]}},
        columns(SCALED, ONE_HOT, parts=PARTS),
        RIDGE,
        by_maker(3),
    ),
    "parts of dates in time": Case(
        "random_forest_regressor",
        {
            "cv": 3,
            "split": {"time": DATE},
            "params": TREES,
            "preprocessing": {"dates": ["year", "month"], "categories": "ordinal"},
        },
        columns(MEDIAN, ORDINAL, parts=PARTS),
        RandomForestRegressor(random_state=42, **TREES),
        in_time(3),
    ),
}


@pytest.mark.parametrize("case", FOLDS.values(), ids=FOLDS)
def test_all_steps_are_fitted_in_each_fold(case, tmp_path):
    frame, model = case.train(tmp_path)

    expected = [case.measure(frame, train, test) for train, test in case.parts(frame)]
    for name, scores in model.manifest.cross_validation.items():
        assert scores.folds == pytest.approx([each[name] for each in expected], rel=CLOSE)
    assert list(model.manifest.cross_validation) == list(expected[0])
    assert_answers(case, frame, model, np.arange(len(frame)))


SPLIT = once(test_size=0.2, random_state=42)
REFITTED = {
    "scaling": Case("ridge", {"refit": True}, columns(SCALED, ONE_HOT), RIDGE, SPLIT),
    "scaling and weights": Case(
        "ridge",
        {"refit": True, "sample_weight": "weight", "preprocessing": {"dates": ["year", "month"]}},
        columns(SCALED, ONE_HOT, parts=PARTS),
        RIDGE,
        SPLIT,
    ),
}


@pytest.mark.parametrize("case", REFITTED.values(), ids=REFITTED)
def test_a_refit_fits_the_steps_again(case, tmp_path):
    frame, model = case.train(tmp_path)

    ((train, test),) = case.parts(frame)
    assert model.manifest.metrics == pytest.approx(case.measure(frame, train, test), rel=CLOSE)
    assert_answers(case, frame, model, np.arange(len(frame)))


WEIGHTED = {
    "scaling": ("ridge", columns(SCALED, ONE_HOT), RIDGE, {}),
    "ordinal": (
        "random_forest_regressor",
        columns(MEAN, ORDINAL),
        RandomForestRegressor(random_state=42, **TREES),
        {"params": TREES, "preprocessing": {"imputation": "mean", "categories": "ordinal"}},
    ),
}


@pytest.mark.parametrize(("name", "steps", "model", "more"), WEIGHTED.values(), ids=WEIGHTED)
def test_weights_count_in_the_fit_and_not_in_the_steps(name, steps, model, more, tmp_path):
    case = Case(name, {"sample_weight": "weight", **more}, steps, model, SPLIT)

    frame, trained = case.train(tmp_path)

    ((train, test),) = case.parts(frame)
    assert trained.manifest.metrics == pytest.approx(case.measure(frame, train, test), rel=CLOSE)
    assert_answers(case, frame, trained, train)


def assert_answers(case: Case, frame: pd.DataFrame, model: Any, learnt: Any) -> None:
    """Compare the answers to all rows with those of the pipeline that learnt these."""
    rows = served.rows_of(frame[case.features])
    told = model.predict([model.check(row) for row in rows])
    fitted, x = case.fit(frame, learnt), matrix(frame)
    answered = [each["prediction"] for each in told]
    if case.target == NUMBER_TARGET:
        assert answered == pytest.approx(fitted.predict(x), rel=CLOSE)
    else:
        assert answered == fitted.predict(x).tolist()
        shares = np.array([list(each["pred_proba"].values()) for each in told])
        np.testing.assert_allclose(shares, fitted.predict_proba(x), rtol=0, atol=CLOSE)
