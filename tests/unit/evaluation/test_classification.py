import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, roc_auc_score

from app.evaluation.classification import (
    MAX_CLASSES,
    MAX_CURVES,
    areas,
    evaluate_classification,
)
from app.inference.runtime import Answers


def answers_of(y, classes, seed=0):
    """Answers that are right more often than not."""
    random = np.random.default_rng(seed)
    scores = random.random((len(y), classes))
    scores[np.arange(len(y)), np.minimum(y, classes - 1)] += 0.5
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    return Answers(probabilities.argmax(axis=1), probabilities)


def test_of_many_classes_those_with_the_most_rows_are_shown():
    random = np.random.default_rng(1)
    y = np.sort(random.integers(0, 200, 3000))
    answers = answers_of(y, 200)

    found = evaluate_classification(y, answers, list(range(200)))

    counts = np.bincount(y)
    assert found.classes == 200
    assert len(found.labels) == len(found.per_class) == MAX_CLASSES
    assert min(counts[found.labels]) >= np.sort(counts)[-MAX_CLASSES]
    assert found.labels == sorted(found.labels)
    assert found.confusion == confusion_matrix(y, answers.predicted, labels=found.labels).tolist()
    curves = [each for each in found.per_class if each.roc]
    assert len(curves) == MAX_CURVES
    assert all(len(each.roc.thresholds) <= 2000 // MAX_CURVES for each in curves)
    assert len(found.model_dump_json()) < 400_000
    assert areas(found, list(range(200))) == {}


def test_curves_of_many_rows_are_thinned_out_and_areas_are_those_of_all():
    y = np.random.default_rng(2).integers(0, 2, 20_000)
    answers = answers_of(y, 2)

    found = evaluate_classification(y, answers, ["a", "b"]).per_class[1]

    assert found.label == "b"
    assert len(found.roc.thresholds) == len(found.precision_recall.recall) == 500
    assert found.roc.thresholds[0] is None
    assert (found.roc.true_positive_rate[-1], found.roc.false_positive_rate[-1]) == (1, 1)
    assert found.precision_recall.recall[-1] == 0
    assert found.roc_auc == roc_auc_score(y, answers.probabilities[:, 1])
    assert sum(found.calibration.rows) == 20_000


def test_rows_of_one_class_have_no_areas_and_no_curves():
    y = np.ones(5, int)
    answers = answers_of(y, 2)

    found = evaluate_classification(y, answers, ["a", "b"])

    (one,) = [each for each in found.per_class if each.label == "b"]
    assert (one.support, one.roc_auc, one.roc, one.best_thresholds) == (5, None, None, None)
    assert one.brier >= 0
    assert one.calibration.observed == [1.0] * len(one.calibration.rows)
    assert areas(found, ["a", "b"]) == {}


def test_a_class_that_was_not_learnt_has_a_row_of_the_matrix_and_no_curves():
    y = np.array([0, 0, 1, 1, 2])
    found = evaluate_classification(y, answers_of(y, 2), ["a", "b", "new"])

    new = found.per_class[2]
    assert (new.label, new.recall, new.precision, new.support, new.roc_auc) == (
        "new",
        0,
        0,
        1,
        None,
    )
    assert [sum(row) for row in found.confusion] == [2, 2, 1]
    assert areas(found, ["a", "b"]).keys() == {"roc_auc", "average_precision"}


def test_a_class_that_is_never_answered_has_the_precision_zero():
    found = evaluate_classification(
        np.array([0, 1]), Answers(np.array([0, 0]), None), [False, True]
    )

    assert [each.precision for each in found.per_class] == [0.5, 0.0]
    assert found.labels == [False, True]
    assert found.per_class[0].calibration is None


@pytest.mark.parametrize("labels", [["a", "b", "c"], [1, 2, 3]])
def test_the_area_of_many_classes_is_the_mean_over_them(labels):
    y = np.random.default_rng(3).integers(0, 3, 90)
    answers = answers_of(y, 3)

    found = areas(evaluate_classification(y, answers, labels), labels)

    expected = roc_auc_score(y, answers.probabilities, multi_class="ovr", average="macro")
    assert found["roc_auc"] == pytest.approx(expected, rel=1e-12)
