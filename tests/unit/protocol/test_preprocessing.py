import pytest
from pydantic import ValidationError

from app.protocol.estimators import ESTIMATORS
from app.protocol.preprocessing import ResolvedPreprocessing, resolve_preprocessing
from app.protocol.training_options import Preprocessing
from app.protocol.training_request import TrainRequest

HIST = "hist_gradient_boosting_regressor"


def asked(**changes):
    named = {"dataset_id": "d", "features": ["a", "b"], "target": "y", "estimator": "ridge"}
    return TrainRequest(**{**named, **changes})


@pytest.mark.parametrize("defaults", ["scikit-learn", "older"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_requests_of_older_versions_have_the_same_defaults_for_each_estimator(name, defaults):
    found = resolve_preprocessing(None, ESTIMATORS[name], defaults)

    assert found == ResolvedPreprocessing(scaling="none", imputation="median", categories="one-hot")


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("ridge", {}, {"scaling": "standard"}),
        ("ridge", {"scaling": "none"}, {}),
        (HIST, {}, {"imputation": "none", "categories": "native"}),
        (HIST, {"imputation": "mean"}, {"imputation": "mean", "categories": "native"}),
        (HIST, {"min_frequency": 3}, {"imputation": "none", "min_frequency": 3}),
        ("lightgbm_classifier", {}, {"imputation": "none"}),
        ("xgboost_regressor", {"imputation": "median"}, {}),
        ("random_forest_regressor", {}, {}),
        (
            "linear_regression",
            {"imputation": "constant"},
            {"imputation": "constant", "fill_value": 0.0},
        ),
        ("linear_regression", {"tfidf": ["a"]}, {"tfidf": ["a"], "max_terms": 1000}),
    ],
)
def test_what_is_left_out_follows_the_estimator(name, options, expected):
    found = resolve_preprocessing(Preprocessing(**options), ESTIMATORS[name])

    assert found == ResolvedPreprocessing(**expected)


def test_the_defaults_of_a_message_are_those_of_its_version():
    assert asked().resolved_preprocessing.scaling == "standard"
    assert asked(defaults="scikit-learn").resolved_preprocessing.scaling == "none"


@pytest.mark.parametrize(
    ("options", "field", "said"),
    [
        ({"categories": "native"}, "categories", "ridge takes no categories as they are"),
        ({"dates": ["month", "month"]}, "dates", "given more than once: month"),
        ({"tfidf": ["a", "a"]}, "tfidf", "given more than once: a"),
        ({"tfidf": ["b"]}, "tfidf", '"b" is declared a number'),
        ({"tfidf": ["c"]}, "tfidf", '"c" is not a feature'),
    ],
)
def test_options_that_contradict_are_told(options, field, said):
    with pytest.raises(ValidationError) as raised:
        asked(preprocessing=options, types={"b": "number"})

    (error,) = raised.value.errors()
    assert error["loc"] == ("preprocessing", field)
    assert said in error["msg"]
