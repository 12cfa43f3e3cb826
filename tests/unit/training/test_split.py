import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from app.training.split import split_rows
from app.training.target import Target


def classes(*counts):
    """A target with so many rows of each class."""
    y = np.repeat(np.arange(len(counts)), counts)
    return Target("y", np.arange(len(y)), y, [f"c{code}" for code in range(len(counts))])


def numbers(rows):
    """A target of numbers."""
    return Target("y", np.arange(rows), np.arange(rows) * 1.5)


def told(split):
    """The types of the warnings."""
    return [warning.type for warning in split.warnings]


@pytest.mark.parametrize("size", [0.2, 0.25, 0.001, 1, 30, 99])
def test_numbers_are_split_as_scikit_learn_does(size):
    target = numbers(100)

    split = split_rows(target, size)

    train, test = train_test_split(np.arange(100), test_size=size, random_state=42)
    assert (split.train == train).all()
    assert (split.test == test).all()
    assert (split.y_test == target.y[test]).all()
    assert split.labels is None


@pytest.mark.parametrize(
    ("counts", "size"), [((50, 50), 0.2), ((90, 8, 2), 0.2), ((2, 2), 2), ((5, 5, 5), 0.2)]
)
def test_classes_are_stratified_if_each_has_two_rows_and_room_in_both_parts(counts, size):
    target = classes(*counts)

    split = split_rows(target, size)

    rows = np.arange(sum(counts))
    train, test = train_test_split(rows, test_size=size, random_state=42, stratify=target.y)
    assert (split.train == train).all()
    assert (split.test == test).all()
    assert split.labels == target.labels
    assert (split.y_train == target.y[train]).all()
    assert "not_stratified" not in told(split)


@pytest.mark.parametrize(
    ("counts", "size", "said"),
    [
        ((50, 49, 1), 0.2, "have a single row: c2"),
        ((50, 10, 1, 1), 0.2, "have a single row: c2, c3"),
        ((5, 5, 5), 2, "are more than the rows of a part"),
        ((5, 5, 5), 13, "are more than the rows of a part"),
    ],
)
def test_other_classes_are_split_as_they_come_and_that_is_told(counts, size, said):
    target = classes(*counts)

    split = split_rows(target, size)

    train, _ = train_test_split(np.arange(sum(counts)), test_size=size, random_state=42)
    assert (split.train == train).all()
    (warning,) = [each for each in split.warnings if each.type == "not_stratified"]
    assert warning.detail.endswith(said)


def test_a_class_that_only_test_rows_have_is_named_and_has_a_place_beyond_the_labels():
    _, test = train_test_split(np.arange(60), test_size=0.2, random_state=42)
    y = np.arange(60) % 2 * 2
    y[test[3]] = 1
    target = Target("y", np.arange(60), y, ["x", "z", "y"])

    split = split_rows(target, 0.2)

    assert split.labels == ["x", "y"]
    assert split.unlearnt == ["z"]
    assert set(split.y_train) == {0, 1}
    assert split.y_test[3] == 2
    names = [*split.labels, *split.unlearnt]
    assert [names[code] for code in split.y_test] == [target.labels[code] for code in y[test]]
    assert told(split) == ["not_stratified", "class_not_learnt"]
    assert split.warnings[-1].detail.endswith("count as wrong: z")


def test_one_class_that_is_left_cannot_be_learnt():
    with pytest.raises(ValueError, match="only one class is left"):
        split_rows(classes(50, 1), 0.98)


@pytest.mark.parametrize(("rows", "warned"), [(5, True), (45, True), (46, False), (100, False)])
def test_a_test_part_of_few_rows_is_told(rows, warned):
    assert told(split_rows(numbers(rows), 0.2)) == (["few_test_rows"] if warned else [])


@pytest.mark.parametrize(("rows", "said"), [(1, "1 test row only"), (2, "2 test rows only")])
def test_few_test_rows_are_counted(rows, said):
    assert said in split_rows(numbers(30), rows).warnings[0].detail


def test_the_rows_are_those_of_a_data_frame_split_by_the_same_words():
    frame = pd.DataFrame({"a": range(40), "y": ["p", "q"] * 20})

    train, _ = train_test_split(frame, test_size=0.25, random_state=42, stratify=frame["y"])

    split = split_rows(Target("y", np.arange(40), np.arange(40) % 2, ["p", "q"]), 0.25)
    assert split.train.tolist() == train["a"].tolist()
