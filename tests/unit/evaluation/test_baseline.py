import numpy as np

from app.evaluation.baseline import baseline_answers


def test_a_regressors_baseline_answers_the_mean():
    answers = baseline_answers(np.array([1.0, 2.0, 6.0]), 2, None)

    assert answers.predicted.tolist() == [3.0, 3.0]
    assert answers.probabilities is None


def test_a_classifiers_baseline_answers_the_most_frequent_class():
    answers = baseline_answers(np.array([2, 2, 0, 2]), 2, 4)

    assert answers.predicted.tolist() == [2, 2]
    assert answers.probabilities.tolist() == [[0.25, 0, 0.75, 0]] * 2
