"""Folds, and what is told of them; those of each option are compared in tests/integration."""

import numpy as np
import pytest

from app import errors
from app.models.manifest import FoldScores
from app.protocol.training_options import CrossValidation, Split
from app.training.cross_validation import fold_rows, fold_scores
from app.training.row_columns import RowColumns
from app.training.target import Target


def classes(*counts):
    """A target with so many rows of each class, mixed."""
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    return Target("y", np.arange(len(y)), y, [f"c{code}" for code in range(len(counts))])


def numbers(rows):
    """A target of numbers."""
    return Target("y", np.arange(rows), np.arange(rows) * 1.5)


def folds_of(target, cv, columns=None, rows=None, **asked):
    """The folds of all rows, or of some, and the types of the warnings."""
    folds, found = fold_rows(
        target,
        Split(test_size=0, **asked),
        CrossValidation(**cv),
        columns or RowColumns(),
        np.arange(len(target.y)) if rows is None else np.array(rows),
    )
    return folds, {each.type: each for each in found}


def test_each_row_tests_one_fold_of_each_repeat():
    folds, found = folds_of(numbers(23), {"folds": 4, "repeats": 3})

    assert len(folds) == 12
    for repeat in range(3):
        tests = np.concatenate([fold.test for fold in folds[4 * repeat :][:4]])
        assert sorted(tests) == list(range(23))
    assert not found


def test_folds_are_of_the_rows_that_learn_only():
    rows = [9, 3, 5, 1, 7, 11]

    folds, _ = folds_of(numbers(12), {"folds": 3}, rows=rows)

    assert sorted(np.concatenate([fold.test for fold in folds])) == sorted(rows)
    assert all(set(fold.train) | set(fold.test) == set(rows) for fold in folds)


def test_later_rows_test_those_before_and_ties_are_told():
    times = np.array([3.0, 1.0, 2.0, 2.0, 5.0, 4.0])

    folds, found = folds_of(numbers(6), {"folds": 2}, RowColumns(times=times), time="day")

    assert [fold.test.tolist() for fold in folds] == [[3, 0], [5, 4]]
    assert [fold.train.tolist() for fold in folds] == [[1, 2], [1, 2, 3, 0]]
    assert found["time_ties"].detail.startswith("1 training row has the same value of column day")


@pytest.mark.parametrize("stratify", [None, True])
def test_groups_are_never_on_both_sides(stratify):
    groups = np.arange(40) % 6
    asked = {"stratify": True} if stratify else {}

    folds, _ = folds_of(
        classes(20, 20), {"folds": 3}, RowColumns(groups=groups), group="who", **asked
    )

    assert all(not set(groups[fold.train]) & set(groups[fold.test]) for fold in folds)


def test_classes_rarer_than_folds_are_not_stratified_and_that_is_told():
    _, found = folds_of(classes(30, 3), {"folds": 5})

    assert found["not_stratified"].detail.endswith("fewer rows than there are folds: c1 (3)")
    assert found["not_stratified"].field == "y"


def test_a_class_that_some_folds_lack_is_told_once():
    folds, found = folds_of(classes(15, 15, 1), {"folds": 3})

    (lacking,) = [fold for fold in folds if fold.unlearnt]
    assert lacking.unlearnt == ["c2"]
    assert found["class_not_learnt"].detail == (
        "in 1 of 3 folds no training row has these classes of column y, and their test rows count "
        "as wrong: c2"
    )


@pytest.mark.parametrize(
    ("target", "cv", "columns", "asked", "field", "said"),
    [
        (numbers(3), {"folds": 5}, {}, {}, "cv.folds", "5 folds need 5 rows, and there are 3"),
        (
            numbers(5),
            {"folds": 5},
            {"times": np.arange(5.0)},
            {"time": "day"},
            "cv.folds",
            "5 folds need 6 rows, and there are 5",
        ),
        (
            numbers(30),
            {"folds": 5},
            {"groups": np.arange(30) % 3},
            {"group": "who"},
            "cv.folds",
            "5 folds need as many groups, and column who has 3",
        ),
        (classes(30, 3), {"folds": 5}, {}, {"stratify": True}, "split.stratify", "c1 (3)"),
        (
            Target("y", np.arange(6), np.array([0, 0, 0, 1, 1, 1]), ["a", "b"]),
            {"folds": 2},
            {"times": np.arange(6.0)},
            {"time": "day"},
            "cv",
            "fold 1 has a single class of column y to learn from",
        ),
    ],
)
def test_rows_groups_and_classes_too_few_are_refused(target, cv, columns, asked, field, said):
    with pytest.raises(errors.BadData) as caught:
        folds_of(target, cv, RowColumns(**columns), **asked)

    assert caught.value.extra["field"] == field
    assert said in caught.value.detail


@pytest.mark.parametrize(
    ("measured", "scores"),
    [
        ([], {}),
        ([{"a": 1.0}, {"a": 3.0}], {"a": (2.0, 1.0, [1.0, 3.0])}),
        (
            [{"a": 1.0, "r": 0.5}, {"a": 2.0}, {"a": 6.0, "r": 0.7}],
            {"a": (3.0, np.std([1, 2, 6]), [1, 2, 6]), "r": (0.6, 0.1, [0.5, None, 0.7])},
        ),
        ([{"a": 1.0}, {"a": 1.0, "b": 2.0}], {"a": (1, 0, [1, 1]), "b": (2, 0, [None, 2])}),
    ],
)
def test_scores_have_the_mean_the_deviation_and_each_fold(measured, scores):
    found = fold_scores(measured)

    assert list(found) == list(scores)
    for name, (mean, std, folds) in scores.items():
        assert found[name].mean == pytest.approx(mean)
        assert found[name].std == pytest.approx(std)
        assert found[name] == FoldScores(mean=found[name].mean, std=found[name].std, folds=folds)
