import pytest

from app.protocol.estimators import CLASS_NAMES, DEFAULT_ESTIMATOR, ESTIMATORS, MOST_LABELS


def test_no_two_rows_name_the_same_class():
    assert len(CLASS_NAMES) == len(ESTIMATORS)
    assert DEFAULT_ESTIMATOR in ESTIMATORS


@pytest.mark.parametrize("name", ESTIMATORS)
def test_only_classifiers_have_rules_about_labels(name):
    spec = ESTIMATORS[name]

    assert spec.task == "classification" or (spec.most_labels, spec.rounds) == (MOST_LABELS, None)
    assert not (spec.scaled and spec.native)
