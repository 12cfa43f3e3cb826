"""Splits, folds, weights and features are those of the scikit-learn code that they stand for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    train_test_split,
)
from sklearn.svm import SVC

from app.models.manifest import TrainedManifest
from app.protocol.fit_progress import FITTED, READ
from app.training.fit_process import FitLimits, FitRunner
from tests.support import datasets, frames, plain, served

CLOSE = 1e-9
LIMITS = FitLimits(seconds=120.0, memory=1_000_000_000)
Parts = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Data:
    """Columns of numbers, a target, and columns that are no features."""

    frame: pd.DataFrame
    features: list[str]
    target: str

    @property
    def x(self) -> np.ndarray:
        return self.frame[self.features].to_numpy(float)

    @property
    def y(self) -> np.ndarray:
        return self.frame[self.target].to_numpy()


def wine() -> Data:
    """Three classes; the bottles of eleven makers, and their weights."""
    data = datasets.DATA_SETS["sklearn.wine"]
    frame = data.frame().reset_index(drop=True)
    random = np.random.default_rng(3)
    frame["maker"] = [f"m{n}" for n in random.integers(0, 11, len(frame))]
    frame["weight"] = random.choice([0.0, 0.5, 1.0, 3.0], len(frame))
    return Data(frame, data.features("target"), "target")


def weather() -> Data:
    """The warmest degrees of the day, in an order of chance, with the dates as texts."""
    frame = datasets.seattle_weather().sample(300, random_state=1).reset_index(drop=True)
    frame["day"] = frame.date.str.replace("/", "-")
    frame["month"] = frame.date.str[:7]
    frame["weight"] = 1.0 + frame.wind
    columns = ["precipitation", "temp_min", "wind", "temp_max", "day", "month", "weight"]
    return Data(frame[columns], ["precipitation", "temp_min", "wind"], "temp_max")


def grunfeld() -> Data:
    """Investments of eleven firms over twenty years."""
    frame = datasets.DATA_SETS["statsmodels.grunfeld"].frame().reset_index(drop=True)
    frame = frame.assign(firm=frame.firm.map(str))
    return Data(
        frame[["value", "capital", "firm", "year", "invest"]], ["value", "capital"], "invest"
    )


def order(data: Data, column: str) -> np.ndarray:
    """The rows in the order of a column."""
    return np.asarray(data.frame.sort_values(column, kind="stable").index)


def in_time(data: Data, column: str, folds: int) -> Parts:
    """scikit-learn's folds of a data frame that is sorted by time."""
    rows = order(data, column)
    return [(rows[a], rows[b]) for a, b in TimeSeriesSplit(folds).split(rows)]


def measure(
    model: BaseEstimator, data: Data, train: Any, test: Any, **fit: Any
) -> dict[str, float]:
    """The metrics of a model that learns some rows, on others."""
    fitted = clone(model).fit(data.x[train], data.y[train], **fit)
    predicted = fitted.predict(data.x[test])
    if not hasattr(fitted, "classes_"):
        return plain.number_metrics(data.y[test], predicted)
    shares = fitted.predict_proba(data.x[test]) if hasattr(fitted, "predict_proba") else None
    return plain.class_metrics(data.y[test], predicted, shares, fitted.classes_)


FOREST = (RandomForestClassifier(n_estimators=5, random_state=42), {"n_estimators": 5})
TREES = (RandomForestRegressor(n_estimators=5, random_state=42), {"n_estimators": 5})
BOOSTING = (
    HistGradientBoostingClassifier(max_iter=5, random_state=42),
    {"max_iter": 5},
)
LINEAR = (LinearRegression(), {})
RIDGE = (Ridge(random_state=42), {})
LOGISTIC = (
    LogisticRegression(C=1e-3, random_state=42, max_iter=9000),
    {"C": 1e-3, "max_iter": 9000},
)
SUPPORT = (SVC(random_state=42), {})
NAMES = {spec.class_name: name for name, spec in frames.estimators.ESTIMATORS.items()}


@dataclass(frozen=True)
class Case:
    """What is asked for, and the parts of the rows by plain scikit-learn."""

    data: Callable[[], Data]
    model: tuple[BaseEstimator, dict[str, Any]]
    asked: dict[str, Any]
    parts: Callable[[Data], Parts]
    weights: str | None = None

    def train(self, tmp_path: Path) -> tuple[Data, Any]:
        """Train with our code; return the data and the model."""
        data, (estimator, params) = self.data(), self.model
        path = tmp_path / "data.csv"
        data.frame.to_csv(path, index=False)
        weight = {"sample_weight": self.weights} if self.weights else {}
        asked = frames.request(
            data.features,
            target=data.target,
            estimator=NAMES[type(estimator).__name__],
            params=params,
            **self.asked,
            **weight,
        )
        return data, served.train(path, asked)

    def fit_options(self, data: Data, rows: Any) -> dict[str, Any]:
        """What scikit-learn's `fit` gets beside the rows."""
        if not self.weights:
            return {}
        return {"sample_weight": data.frame[self.weights].to_numpy(float)[rows]}

    def measured(self, data: Data) -> list[dict[str, float]]:
        """The metrics of each part."""
        return [
            measure(self.model[0], data, train, test, **self.fit_options(data, train))
            for train, test in self.parts(data)
        ]


def halves(**options: Any) -> Callable[[Data], Parts]:
    """One split by `train_test_split`."""

    def parts(data: Data) -> Parts:
        stratify = data.y if options.get("stratify") else None
        rows = np.arange(len(data.y))
        return [tuple(train_test_split(rows, **{**options, "stratify": stratify}))]

    return parts


HELD_OUT = {
    "a share": Case(
        wine, FOREST, {"test_size": 0.3}, halves(test_size=0.3, random_state=42, stratify=True)
    ),
    "rows": Case(
        wine,
        BOOSTING,
        {"split": {"test_size": 40}},
        halves(test_size=40, random_state=42, stratify=True),
    ),
    "another seed": Case(
        wine,
        LOGISTIC,
        {"split": {"random_state": 7}},
        halves(test_size=0.2, random_state=7, stratify=True),
    ),
    "not stratified": Case(
        wine,
        SUPPORT,
        {"split": {"stratify": False}},
        halves(test_size=0.2, random_state=42),
    ),
    "stratified": Case(
        wine,
        FOREST,
        {"split": {"stratify": True, "test_size": 0.25}},
        halves(test_size=0.25, random_state=42, stratify=True),
    ),
    "groups": Case(
        wine,
        FOREST,
        {"split": {"group": "maker", "test_size": 0.3}},
        lambda data: list(
            GroupShuffleSplit(1, test_size=0.3, random_state=42).split(
                data.x, groups=data.frame.maker
            )
        ),
    ),
    "three groups": Case(
        grunfeld,
        LINEAR,
        {"split": {"group": "firm", "test_size": 3, "random_state": 1}},
        lambda data: list(
            GroupShuffleSplit(1, test_size=3, random_state=1).split(data.x, groups=data.frame.firm)
        ),
    ),
    "dates": Case(
        weather,
        TREES,
        {"split": {"time": "day", "test_size": 0.25}},
        lambda data: [train_test_split(order(data, "day"), test_size=0.25, shuffle=False)],
    ),
    "years": Case(
        grunfeld,
        RIDGE,
        {"split": {"time": "year"}, "test_size": 30},
        lambda data: [train_test_split(order(data, "year"), test_size=30, shuffle=False)],
    ),
    "weights of a forest": Case(
        wine,
        FOREST,
        {},
        halves(test_size=0.2, random_state=42, stratify=True),
        weights="weight",
    ),
    "weights of boosting": Case(
        wine,
        BOOSTING,
        {},
        halves(test_size=0.2, random_state=42, stratify=True),
        weights="weight",
    ),
    "weights of a linear model": Case(
        weather, LINEAR, {}, halves(test_size=0.2, random_state=42), weights="weight"
    ),
    "weights of support vectors": Case(
        wine,
        SUPPORT,
        {"split": {"random_state": 2}},
        halves(test_size=0.2, random_state=2, stratify=True),
        weights="weight",
    ),
}
FOLDS = {
    "folds": Case(
        weather,
        TREES,
        {"cv": 5},
        lambda data: list(KFold(5, shuffle=True, random_state=42).split(data.x)),
    ),
    "stratified": Case(
        wine,
        FOREST,
        {"cv": {"folds": 4}, "split": {"random_state": 9}},
        lambda data: list(StratifiedKFold(4, shuffle=True, random_state=9).split(data.x, data.y)),
    ),
    "not stratified": Case(
        wine,
        SUPPORT,
        {"cv": 3, "split": {"stratify": False}},
        lambda data: list(KFold(3, shuffle=True, random_state=42).split(data.x)),
    ),
    "repeats": Case(
        weather,
        LINEAR,
        {"cv": {"folds": 3, "repeats": 2}},
        lambda data: list(RepeatedKFold(n_splits=3, n_repeats=2, random_state=42).split(data.x)),
    ),
    "stratified repeats": Case(
        wine,
        LOGISTIC,
        {"cv": {"folds": 3, "repeats": 2}},
        lambda data: list(
            RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=42).split(data.x, data.y)
        ),
    ),
    "groups": Case(
        wine,
        FOREST,
        {"cv": 4, "split": {"group": "maker"}},
        lambda data: list(GroupKFold(4).split(data.x, groups=data.frame.maker)),
    ),
    "repeats of groups": Case(
        grunfeld,
        LINEAR,
        {"cv": {"folds": 3, "repeats": 2}, "split": {"group": "firm", "random_state": 5}},
        lambda data: [
            part
            for seed in (5, 6)
            for part in GroupKFold(3, shuffle=True, random_state=seed).split(
                data.x, groups=data.frame.firm
            )
        ],
    ),
    "stratified groups": Case(
        wine,
        FOREST,
        {"cv": 3, "split": {"group": "maker", "stratify": True}},
        lambda data: list(
            StratifiedGroupKFold(3, shuffle=True, random_state=42).split(
                data.x, data.y, data.frame.maker
            )
        ),
    ),
    "time": Case(
        weather,
        TREES,
        {"cv": 4, "split": {"time": "day"}},
        lambda data: in_time(data, "day", 4),
    ),
    "years": Case(
        grunfeld,
        LINEAR,
        {"cv": 3, "split": {"time": "year"}},
        lambda data: in_time(data, "year", 3),
    ),
    "weights": Case(
        wine,
        FOREST,
        {"cv": 3},
        lambda data: list(StratifiedKFold(3, shuffle=True, random_state=42).split(data.x, data.y)),
        weights="weight",
    ),
}


@pytest.mark.parametrize("case", HELD_OUT.values(), ids=HELD_OUT)
def test_the_rows_that_are_held_out_are_those_of_scikit_learn(case, tmp_path):
    data, model = case.train(tmp_path)

    (expected,) = case.measured(data)
    ((train, test),) = case.parts(data)
    told = model.manifest
    assert told.metrics == pytest.approx(expected, rel=CLOSE, abs=CLOSE)
    assert told.rows == {"train": len(train), "test": len(test), "dropped": 0}
    assert told.cross_validation is told.test_metrics is None
    assert_answers(case, data, model, train)


@pytest.mark.parametrize("case", FOLDS.values(), ids=FOLDS)
def test_folds_are_measured_as_scikit_learn_does_and_all_rows_are_learnt(case, tmp_path):
    data, model = case.train(tmp_path)

    expected = case.measured(data)
    told = model.manifest
    assert told.rows == {"train": len(data.y), "test": 0, "dropped": 0}
    assert told.cross_validation
    assert list(told.cross_validation) == list(expected[0])
    for name, scores in told.cross_validation.items():
        values = [each[name] for each in expected]
        assert scores.folds == pytest.approx(values, rel=CLOSE, abs=CLOSE)
        assert scores.mean == pytest.approx(np.mean(values), rel=CLOSE, abs=CLOSE)
        assert scores.std == pytest.approx(np.std(values), rel=CLOSE, abs=CLOSE)
        assert told.metrics[name] == scores.mean
    assert told.test_metrics is None
    assert told.parity < 1e-9
    assert_answers(case, data, model, np.arange(len(data.y)))


def assert_answers(case: Case, data: Data, model: Any, train: np.ndarray) -> None:
    """Compare all answers with those of the plain estimator that learns these rows."""
    expected = clone(case.model[0]).fit(
        data.x[train], data.y[train], **case.fit_options(data, train)
    )
    rows = served.rows_of(data.frame[data.features])
    told = [each["prediction"] for each in model.predict(rows)]
    predicted = expected.predict(data.x)
    if hasattr(expected, "classes_"):
        assert told == predicted.tolist()
    else:
        assert told == pytest.approx(predicted, rel=CLOSE, abs=CLOSE)


REFITTED = {
    "a split": (wine, FOREST, {"refit": True}, None),
    "folds beside test rows": (wine, FOREST, {"cv": 3, "test_size": 0.25}, 3),
    "a split in time": (weather, TREES, {"refit": True, "split": {"time": "day"}}, None),
}


@pytest.mark.parametrize(("load", "model", "asked", "folds"), REFITTED.values(), ids=REFITTED)
def test_a_model_is_measured_on_test_rows_and_learns_from_them_afterwards(
    load, model, asked, folds, tmp_path
):
    data = load()
    rows, size = np.arange(len(data.y)), asked.get("test_size", 0.2)
    if "split" in asked:
        train, test = train_test_split(order(data, "day"), test_size=size, shuffle=False)
    else:
        train, test = train_test_split(rows, test_size=size, random_state=42, stratify=data.y)
    case = Case(load, model, asked, lambda _: [(train, test)])

    _, trained = case.train(tmp_path)

    (expected,) = case.measured(data)
    told = trained.manifest
    assert told.rows == {"train": len(rows), "test": len(test), "dropped": 0}
    if folds:
        parts = StratifiedKFold(folds, shuffle=True, random_state=42)
        places = parts.split(data.x[train], data.y[train])
        each = [measure(model[0], data, train[a], train[b]) for a, b in places]
        assert told.metrics["accuracy"] == pytest.approx(np.mean([m["accuracy"] for m in each]))
        assert told.test_metrics == pytest.approx(expected, rel=CLOSE, abs=CLOSE)
    else:
        assert told.metrics == pytest.approx(expected, rel=CLOSE, abs=CLOSE)
        assert told.test_metrics is None
    assert_answers(case, data, trained, rows)


def test_folds_beside_test_rows_without_a_refit_leave_the_model_of_the_training_rows(tmp_path):
    case = Case(
        wine,
        FOREST,
        {"cv": 3, "test_size": 0.25, "refit": False},
        halves(test_size=0.25, random_state=42, stratify=True),
    )

    data, model = case.train(tmp_path)

    ((train, test),) = case.parts(data)
    assert model.manifest.rows == {"train": len(train), "test": len(test), "dropped": 0}
    assert model.manifest.test_metrics == pytest.approx(case.measured(data)[0], rel=CLOSE)
    assert model.manifest.cross_validation
    assert_answers(case, data, model, train)


def test_without_test_rows_all_rows_are_learnt_and_nothing_is_measured(tmp_path):
    case = Case(wine, FOREST, {"test_size": 0}, lambda _: [])

    data, model = case.train(tmp_path)

    told = model.manifest
    assert told.metrics == {}
    assert told.cross_validation is told.test_metrics is None
    assert told.rows == {"train": len(data.y), "test": 0, "dropped": 0}
    assert told.parity == 0
    assert not {"few_test_rows", "not_stratified"} & {each.type for each in told.warnings}
    assert_answers(case, data, model, np.arange(len(data.y)))


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        (None, ["precipitation", "temp_min", "wind"]),
        ({"exclude": []}, ["precipitation", "temp_min", "wind"]),
        ({"exclude": ["wind", "temp_max", "day"]}, ["precipitation", "temp_min"]),
        (["wind", "temp_min"], ["wind", "temp_min"]),
    ],
)
def test_features_are_named_or_all_columns_but_those_with_another_purpose(
    features, expected, tmp_path
):
    data = weather()
    path = tmp_path / "data.csv"
    data.frame.drop(columns="month").to_csv(path, index=False)
    asked = frames.request(
        features,
        target="temp_max",
        estimator="linear_regression",
        sample_weight="weight",
        split={"time": "day"},
    )

    model = served.train(path, asked)

    assert [each.name for each in model.manifest.features] == expected
    row = dict.fromkeys(expected, 1.5)
    (answer,) = model.predict([row])  # without weight and time
    train, _ = train_test_split(order(data, "day"), test_size=0.2, shuffle=False)
    plainly = LinearRegression().fit(
        data.frame[expected].to_numpy()[train],
        data.y[train],
        sample_weight=data.frame.weight.to_numpy()[train],
    )
    assert answer["prediction"] == pytest.approx(plainly.predict([[1.5] * len(expected)])[0])


class Killed(Exception):
    """Raised to end a fit in the middle."""


def test_a_training_that_is_killed_between_its_folds_ends_alike_when_it_runs_again(tmp_path):
    data = weather()
    data.frame.to_csv(tmp_path / "given.csv", index=False)
    asked = frames.request(
        data.features,
        target=data.target,
        estimator="random_forest_regressor",
        params={"n_estimators": 20},
        cv={"folds": 3, "repeats": 2},
        sample_weight="weight",
    )
    undisturbed = served.train(tmp_path / "given.csv", asked).manifest
    runner, shares = FitRunner(), []

    def fit(folder: Path, on_beat: Callable[[float | None], None]) -> TrainedManifest:
        folder.mkdir()

        def fetch(path: Path) -> None:
            path.write_bytes((tmp_path / "given.csv").read_bytes())

        return runner.fit(asked, "m", folder, LIMITS, fetch, lambda: None, on_beat)[0]

    def kill_after_the_second_fold(share: float | None) -> None:
        shares.append(share or 0)
        if shares[-1] > READ + (FITTED - READ) * 2 / 7:
            raise Killed

    with pytest.raises(Killed):
        fit(tmp_path / "first", kill_after_the_second_fold)

    again = fit(tmp_path / "second", lambda _: None)
    assert max(shares) < FITTED
    assert again.cross_validation == undisturbed.cross_validation
    assert again.metrics == undisturbed.metrics
    assert again.parity == undisturbed.parity
