import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from app import errors
from app.training.model_bounds import check_labels, check_layers, check_trees, timed_load

GB = 1_000_000_000


@pytest.mark.parametrize("count", [10**6 + 1, 10**9, 10**30])
def test_more_trees_than_memory_holds_are_refused_with_the_most_that_it_holds(count):
    with pytest.raises(errors.Invalid, match="1,000,000 of the smallest trees") as refused:
        check_trees(RandomForestRegressor(count), GB)

    assert refused.value.extra["field"] == "params.n_estimators"


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestRegressor(10**6),
        CalibratedClassifierCV(RandomForestClassifier(100)),
        HistGradientBoostingRegressor(max_iter=10**9),  # which may stop early
    ],
    ids=str,
)
def test_what_may_fit_into_memory_is_tried(estimator):
    check_trees(estimator, GB)


@pytest.mark.parametrize(
    ("estimator", "most", "remedy"),
    [
        (KNeighborsClassifier(), 10_000, "merge rare labels, or predict a number"),
        (LogisticRegression(), 10_000, "merge rare labels"),
        (RandomForestClassifier(), 2_000, "merge rare labels"),
        (SVC(), 1_000, "merge rare labels"),
        (LinearSVC(), 10_000, "merge rare labels"),
        (DecisionTreeClassifier(), 2_000, "merge rare labels"),
        (GradientBoostingClassifier(n_estimators=1_000), 100, "lower n_estimators"),
        (CalibratedClassifierCV(KNeighborsClassifier()), 1_000, "leave calibrate out"),
        (HistGradientBoostingClassifier(), 1_000, "lower max_iter"),
        (HistGradientBoostingClassifier(max_iter=10), 10_000, "lower max_iter"),
        (HistGradientBoostingClassifier(max_iter=10**9), 2, "lower max_iter"),
    ],
    ids=str,
)
def test_labels_are_as_many_as_the_model_can_serve(estimator, most, remedy):
    check_labels(estimator, "classifier", "colour", most)

    with pytest.raises(errors.BadData) as refused:
        check_labels(estimator, "classifier", "colour", most + 1)

    for said in (f"colour has {most + 1:,} different labels", f"at most {most:,}", remedy):
        assert said in refused.value.detail
    assert refused.value.extra == {"field": "target", "labels": most + 1, "allowed": most}


@pytest.mark.parametrize(
    "sizes", [[20_000, 20_000], [10**5] * 3, [10**30, 1], 10**9, (1, 125_000_000)], ids=str
)
def test_layers_whose_weights_do_not_fit_into_memory_are_refused(sizes):
    for estimator in (
        MLPRegressor(hidden_layer_sizes=sizes),
        CalibratedClassifierCV(MLPClassifier(hidden_layer_sizes=sizes)),
    ):
        with pytest.raises(
            errors.Invalid, match="1,000 MB that this fit may take, which hold 125,"
        ) as no:
            check_layers(estimator, GB)

        assert no.value.extra["field"] == "params.hidden_layer_sizes"


@pytest.mark.parametrize("sizes", [100, [], (10_000, 10_000), [62_000_000]], ids=str)
def test_layers_that_may_fit_into_memory_are_tried(sizes):
    check_layers(MLPRegressor(hidden_layer_sizes=sizes), GB)


@pytest.mark.parametrize(("taken", "accepted"), [(2.0, True), (2.5, False)])
def test_a_model_has_to_be_loaded_in_time(taken, accepted):
    clock = iter([100.0, 100.0 + taken]).__next__
    said = None

    try:
        with timed_load(2.0, clock):
            pass
    except errors.FitFailed as error:
        said = error.detail

    assert (said is None) is accepted
    assert accepted or "takes 2.5 s to be loaded, and may take 2 s" in said
