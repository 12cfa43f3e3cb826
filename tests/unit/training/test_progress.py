import io
import itertools
import os
import warnings
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone

from app.protocol.estimator_choice import resolve_estimator
from app.protocol.fit_progress import EXPORTED, FITTED, READ
from app.training import progress
from app.training.estimators import build_estimator
from tests.support import frames

FORESTS = [
    "random_forest_regressor",
    "random_forest_classifier",
    "extra_trees_regressor",
    "extra_trees_classifier",
]
BOOSTERS = ["hist_gradient_boosting_regressor", "hist_gradient_boosting_classifier"]
MONITORED = ["gradient_boosting_regressor", "gradient_boosting_classifier"]
OTHERS = [name for name in frames.ESTIMATORS if name not in FORESTS + BOOSTERS + MONITORED]
TREES = 23

FOREST_PARAMS = [
    {},
    {"random_state": 0},
    {"random_state": None},
    {"n_jobs": 2},
    {"n_jobs": -1, "random_state": None},
    {"bootstrap": False},
    {"max_samples": 0.3, "max_features": 1},
    {"oob_score": True},
    {"oob_score": True, "random_state": None, "n_jobs": 2},
    {"warm_start": True},
    {"warm_start": True, "oob_score": True, "random_state": None},
    {"max_depth": None, "min_samples_leaf": 3, "verbose": 1},
]
CLASSES = [{"class_weight": "balanced"}, {"class_weight": "balanced_subsample"}]
BOOSTER_PARAMS = [
    {},
    {"random_state": None},
    {"warm_start": True},
    {"max_features": 0.5},
    {"verbose": 1},
    {"early_stopping": True, "n_iter_no_change": 2},
    {"early_stopping": True, "n_iter_no_change": 2, "scoring": None, "random_state": None},
    {"early_stopping": True, "n_iter_no_change": 1, "validation_fraction": None},
]


# A forest takes the smallest steps there are, and a booster reports each iteration.
ONE_BY_ONE = progress.ReportIntervals(step_seconds=0.0, step_share=0.0, pause_seconds=0.0)
fit_one_by_one = partial(progress.fit_with_progress, intervals=ONE_BY_ONE)


def clock(times):
    """Return a clock, of which `times` are the seconds between two readings."""
    readings = itertools.accumulate(itertools.chain([0.0], times))
    return lambda: next(readings)


def build(name, params):
    return build_estimator(resolve_estimator(name, params))


def data(classes=None, rows=200):
    random = np.random.default_rng(3)
    x = random.normal(size=(rows, 5))
    x[::9, 3] = np.nan
    y = x[:, 0] * 3 + x[:, 1] + random.normal(size=rows)
    return x, y if classes is None else np.digitize(y, [-1, 2][: classes - 1])


def data_for(name, classes=3):
    return data(classes if name in frames.CLASSIFIERS else None)


def both(name, params, x, y):
    """Fit plainly, and with progress; return also what was reported."""
    plain = build(name, params)
    told, reports = clone(plain), []
    with warnings.catch_warnings(action="ignore"):
        np.random.seed(11)
        plain.fit(x, y)
        after = np.random.random()
        np.random.seed(11)
        fit_one_by_one(told, x, y, reports.append)
        assert np.random.random() == after
    return plain, told, reports


def assert_same(plain, told, x):
    assert repr(told.get_params()) == repr(plain.get_params())
    if "n_jobs" in told.get_params():
        for each in (told, plain):
            each.set_params(n_jobs=1)  # threads add up the trees in any order
    assert np.array_equal(told.predict(x), plain.predict(x))
    if hasattr(plain, "predict_proba"):
        assert np.array_equal(told.predict_proba(x), plain.predict_proba(x))
        assert np.array_equal(told.classes_, plain.classes_)


def forests():
    for name in FORESTS:
        for params in FOREST_PARAMS + (CLASSES if name in frames.CLASSIFIERS else []):
            drawn = params.keys() & {"max_samples", "oob_score"}  # from which extra trees draw none
            yield name, {"bootstrap": True, **params} if drawn else params


def boosters():
    for name in BOOSTERS:
        strings = ["loss", "neg_log_loss" if name in frames.CLASSIFIERS else "r2"]
        stopping = {"early_stopping": True, "n_iter_no_change": 3}
        for params in BOOSTER_PARAMS + [{**stopping, "scoring": string} for string in strings]:
            yield name, params


@pytest.mark.parametrize(("name", "params"), list(forests()))
def test_a_forest_grown_in_steps_is_the_forest(name, params):
    x, y = data_for(name)

    plain, told, reports = both(name, {"n_estimators": TREES, **params}, x, y)

    assert len(reports) > TREES / (os.cpu_count() or 1)
    assert_same(plain, told, x)
    assert [tree.random_state for tree in told] == [tree.random_state for tree in plain]
    for one, other in zip(told, plain, strict=True):
        assert np.array_equal(one.tree_.threshold, other.tree_.threshold)
        assert np.array_equal(one.tree_.value, other.tree_.value)
    assert vars(told).keys() == vars(plain).keys()
    if params.get("oob_score"):
        assert told.oob_score_ == plain.oob_score_


@pytest.mark.parametrize("name", MONITORED)
@pytest.mark.parametrize("params", [{}, {"subsample": 0.5}, {"n_iter_no_change": 2}], ids=str)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_booster_that_is_monitored_is_the_booster(name, params, classes):
    x, y = data_for(name, classes)
    x = np.nan_to_num(x)

    plain, told, reports = both(name, {"n_estimators": TREES, **params}, x, y)

    ended = [done / TREES for done in range(1, told.n_estimators_ + 1) if done < TREES]
    assert reports == [*ended, 1.0]
    assert_same(plain, told, x)


@pytest.mark.parametrize(("name", "params"), list(boosters()))
@pytest.mark.parametrize("classes", [2, 3])
def test_a_booster_that_is_listened_to_is_the_booster(name, params, classes):
    x, y = data_for(name, classes)

    plain, told, reports = both(name, {"max_iter": TREES, **params}, x, y)

    assert told.n_iter_ == plain.n_iter_
    assert reports[:-1] == [done / TREES for done in range(1, told.n_iter_)]
    assert_same(plain, told, x)
    assert np.array_equal(told.train_score_, plain.train_score_)
    assert np.array_equal(told.validation_score_, plain.validation_score_)


def test_early_stopping_is_tested_on_boosters_that_stop_early():
    for name in BOOSTERS:
        stopped = [
            both(name, {"max_iter": 200, **params}, *data_for(name))[1].n_iter_ < 200
            for params in BOOSTER_PARAMS
            if params.get("early_stopping")
        ]
        assert any(stopped)


def test_a_booster_of_many_rows_stops_early_of_itself():
    x, y = data(rows=10_001)

    plain, told, reports = both("hist_gradient_boosting_regressor", {}, x, y)

    assert told.do_early_stopping_
    assert len(reports) == told.n_iter_
    assert_same(plain, told, x)


@pytest.mark.parametrize("name", OTHERS)
def test_of_the_others_nothing_is_known(name):
    x, y = data_for(name, 2)

    plain, told, reports = both(name, {}, np.nan_to_num(x), y)

    assert reports == []
    assert_same(plain, told, np.nan_to_num(x))


@pytest.mark.parametrize("name", FORESTS + BOOSTERS)
def test_a_fit_reports_the_shares_of_the_job(name):
    frame = frames.frame("everything", name)
    asked = frames.request(frames.features(frame), estimator=name)
    reports = []

    frames.train(frame, asked, on_progress=reports.append, fit=fit_one_by_one)

    assert READ < reports[0] < FITTED
    assert reports[-2:] == [FITTED, EXPORTED]
    assert reports == sorted(set(reports))
    assert len(reports) > 10


@pytest.mark.parametrize("name", OTHERS)
def test_a_fit_whose_progress_is_not_known_reports_none(name):
    frame = frames.frame("everything", name)
    asked = frames.request(frames.features(frame), estimator=name)
    reports = []

    frames.train(frame, asked, on_progress=reports.append)

    assert reports == []


@pytest.mark.parametrize(
    ("share", "seconds", "trees"),
    [
        (0.0, [1, 1, 1, 1], [1, 9, 81, 109]),
        (0.0, [0.25, 9, 64, 16, 0.1, 1], [1, 36, 36, 5, 2, 120]),
        (0.5, [1, 40, 400, 0.001, 1], [1, 9, 4, 2, 184]),
    ],
    ids=["quick", "slow", "a share of the time so far"],
)
def test_a_step_is_as_large_as_the_time_it_may_take(share, seconds, trees):
    forest = build("random_forest_regressor", {"n_estimators": 200})
    reports = []
    intervals = progress.ReportIntervals(step_seconds=9.0, step_share=share)

    progress.fit_with_progress(
        forest, *data(), reports.append, intervals=intervals, clock=clock(seconds)
    )

    assert [round(200 * (b - a)) for a, b in itertools.pairwise([0.0, *reports])] == trees


def test_a_small_forest_takes_two_steps():
    x, y = data()
    fits, reports = [], []
    forest = build("random_forest_regressor", {})

    class Counted(type(forest)):
        def fit(self, *args):
            fits.append(self.n_estimators)
            return super().fit(*args)

    Counted.__name__ = type(forest).__name__  # by which the table knows it
    forest.__class__ = Counted
    progress.fit_with_progress(forest, x, y, reports.append, clock=clock([0.001] * 10))

    assert fits == [1, 100]
    assert reports == [0.01, 1.0]


@pytest.mark.parametrize("n_estimators", [10**30, 10**400])
def test_a_forest_without_end_grows_until_it_is_stopped(n_estimators):
    x, y = data()
    forest = build("random_forest_regressor", {"n_estimators": n_estimators})

    def report(share):
        if getattr(forest, "estimators_", ()) and len(forest) > 100:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        fit_one_by_one(forest, x, y, report)

    assert 100 < len(forest.estimators_) < 200
    assert forest.n_estimators == n_estimators


@pytest.mark.parametrize("max_iter", [10**30, 10**400])
def test_a_booster_without_end_goes_on_until_it_is_stopped(max_iter):
    x, y = data()
    booster = build("hist_gradient_boosting_regressor", {"max_iter": max_iter})
    reports = []

    def report(share):
        reports.append(share)
        if len(reports) > 10:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        fit_one_by_one(booster, x, y, report)

    assert booster.get_params()["verbose"] == 0


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("random_forest_regressor", {"bootstrap": False, "oob_score": True}, "bootstrap=True"),
        ("random_forest_regressor", {"bootstrap": False, "max_samples": 5}, "max_sample"),
        ("random_forest_regressor", {"criterion": "poisson"}, "negative"),
        ("random_forest_regressor", {"n_jobs": 0}, "n_jobs == 0"),
    ],
)
def test_what_a_forest_refuses_it_refuses_at_once(name, params, message):
    x, y = data()
    reports = []
    forest = build(name, {"n_estimators": 10**30, **params})

    with pytest.raises(ValueError, match=message):
        progress.fit_with_progress(forest, x, y, reports.append)

    assert reports == []


def test_what_a_booster_prints_is_not_printed(capsys):
    x, y = data()

    progress.fit_with_progress(build(BOOSTERS[0], {"max_iter": 3, "verbose": 1}), x, y, print)

    assert capsys.readouterr().out == "1.0\n"


def test_a_booster_is_not_asked_more_often_than_ten_times_a_second():
    reports = []

    told = progress.IterationParser(reports.append, clock=clock([0.04] * 10))
    for iteration in range(1, 9):
        print(f"[{iteration}/8] ", end="", file=told)
        print("1 tree, 31 leaves, max depth = 8, in 0.001s", file=told)

    assert reports == [3 / 8, 6 / 8]
    assert isinstance(told, io.TextIOBase)
