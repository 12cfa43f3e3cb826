import pytest

from app.protocol.estimators import ESTIMATORS
from app.protocol.wording import quoted
from app.training.booster_params import param_constraints
from app.training.estimators import estimator_class
from app.training.param_rules import UNUSABLE, describe_rule
from tests.support.words import foreign_words


def test_no_rule_offers_what_a_fit_would_refuse():
    forest = estimator_class(ESTIMATORS["random_forest_classifier"])()

    rule = describe_rule(forest, "class_weight")

    assert rule == (
        'must be "balanced", "balanced_subsample", an object with a number for each label or null'
    )


@pytest.mark.parametrize(
    ("name", "param"), [("svm_regressor", "kernel"), ("knn_classifier", "metric")]
)
def test_no_rule_offers_distances_instead_of_features(name, param):
    rule = describe_rule(estimator_class(ESTIMATORS[name])(), param)

    assert not any(quoted(each) in rule for each in UNUSABLE)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_rule_of_every_estimator_is_said_without_a_word_of_python(name):
    estimator = estimator_class(ESTIMATORS[name])()

    packaged = ESTIMATORS[name].package
    offered = param_constraints(estimator) if packaged else estimator.get_params()
    rules = [describe_rule(estimator, parameter) for parameter in offered]

    assert rules
    for rule in rules:
        assert rule.startswith("must be ")
        assert not foreign_words(rule)
