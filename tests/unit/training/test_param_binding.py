import numpy as np
import pytest
from sklearn.svm import SVC

from app import errors
from app.protocol.estimator_choice import resolve_estimator
from app.training.estimators import build_estimator, effective_params
from app.training.param_binding import bind_params

WEIGHTED = {
    "logistic_regression": {"max_iter": 10_000},
    "svm_classifier": {},
    "random_forest_classifier": {"n_estimators": 10},
    "hist_gradient_boosting_classifier": {"max_iter": 5},
}
LABELS = ["maybe", "no", "yes"]


def data():
    random = np.random.default_rng(3)
    x = random.normal(size=(300, 4))
    return x, np.digitize(x[:, 0] + random.normal(size=300), [-0.5, 1])


def bound(name, params, labels=LABELS, unlearnt=(), numbers=("a", "b"), calibrate=None):
    estimator = build_estimator(resolve_estimator(name, params, calibrate))
    bind_params(estimator, labels, unlearnt, numbers, 4)
    return estimator


@pytest.mark.parametrize(("name", "params"), WEIGHTED.items())
@pytest.mark.parametrize("weights", [{"no": 1, "yes": 20, "maybe": 0.5}, {"yes": 20}])
def test_weights_by_label_are_those_of_the_codes(name, params, weights):
    x, y = data()
    plain = build_estimator(resolve_estimator(name, params))
    codes = {LABELS.index(label): weight for label, weight in weights.items()}
    plain.set_params(class_weight=codes).fit(x, y)

    ours = bound(name, {**params, "class_weight": weights}).fit(x, y)

    assert np.array_equal(ours.predict(x), plain.predict(x))
    unweighted = build_estimator(resolve_estimator(name, params)).fit(x, y)
    assert (ours.predict(x) == 2).sum() > (unweighted.predict(x) == 2).sum()


@pytest.mark.parametrize("calibrate", ["sigmoid", "isotonic"])
def test_a_calibrated_classifier_is_weighted_inside(calibrate):
    ours = bound("svm_classifier", {"class_weight": {"yes": 3}}, calibrate=calibrate)

    assert isinstance(ours.estimator, SVC)
    assert ours.estimator.class_weight == {2: 3}


@pytest.mark.parametrize(
    ("labels", "weights", "codes"),
    [
        ([False, True], {"true": 2}, {1: 2}),
        ([1, 5], {"5": 2, "1": 3}, {0: 3, 1: 2}),
        (["false", True], {"true": 2, "false": 1}, {1: 2, 0: 1}),
    ],
)
def test_a_label_has_the_key_that_it_has_in_the_answers(labels, weights, codes):
    assert bound("svm_classifier", {"class_weight": weights}, labels).class_weight == codes


def test_the_weight_of_a_class_that_only_test_rows_have_changes_nothing():
    ours = bound("svm_classifier", {"class_weight": {"rare": 9, "yes": 2}}, unlearnt=["rare"])

    assert ours.class_weight == {2: 2}


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"Yes": 2}, '"Yes" is no label; did you mean "yes"? there are maybe, no, yes'),
        ({"2": 2}, '"2" is no label; there are maybe, no, yes'),
        ({"yes": 0, "no": 0}, "two labels or more need a weight above 0"),
    ],
)
def test_weights_of_no_label_are_refused_with_the_labels(weights, said):
    with pytest.raises(errors.BadData) as caught:
        bound("svm_classifier", {"class_weight": weights})

    assert caught.value.detail == f"params.class_weight: {said}"
    assert caught.value.extra["field"] == "params.class_weight"


@pytest.mark.parametrize("written", ["1E5", "100000.0"])
def test_another_form_of_a_label_that_is_a_number_is_told_the_label(written):
    with pytest.raises(errors.BadData, match='did you mean "100000"'):
        bound("svm_classifier", {"class_weight": {written: 2}}, [2, 3, 100_000])


@pytest.mark.parametrize("weights", ["balanced", None])
def test_other_weights_stay_what_they_are(weights):
    assert bound("svm_classifier", {"class_weight": weights}).class_weight == weights


@pytest.mark.parametrize("name", ["hist_gradient_boosting_regressor", "random_forest_regressor"])
def test_a_monotonic_column_is_found_by_its_name(name):
    ours = bound(name, {"monotonic_cst": {"b": -1}}, None)

    assert ours.monotonic_cst.tolist() == [0, -1, 0, 0]


@pytest.mark.parametrize(
    ("named", "places"), [(["b"], [1]), ([1], [1]), ([False, True], [False, True]), ([], [])]
)
def test_a_categorical_column_is_found_by_its_name(named, places):
    ours = bound("hist_gradient_boosting_regressor", {"categorical_features": named}, None)

    assert ours.categorical_features == places


@pytest.mark.parametrize("params", [{"monotonic_cst": {"z": 1}}, {"categorical_features": ["z"]}])
def test_a_column_that_is_none_of_numbers_is_refused(params):
    with pytest.raises(errors.BadData, match='"z" is no column of numbers; there are a, b'):
        bound("hist_gradient_boosting_regressor", params, None)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("svm_classifier", {"class_weight": {"yes": 3}}),
        ("hist_gradient_boosting_regressor", {"monotonic_cst": {"b": -1}}),
        ("hist_gradient_boosting_regressor", {"categorical_features": ["b"]}),
    ],
)
def test_labels_and_columns_are_shown_by_name(name, params):
    assert effective_params(resolve_estimator(name, params)).items() >= params.items()
