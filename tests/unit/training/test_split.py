import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from app import errors
from app.protocol.training_options import Split
from app.training.row_columns import RowColumns
from app.training.split import split_rows
from app.training.target import Target


def split_by(target, size, **asked):
    """Split without columns of groups or times."""
    return split_rows(target, Split(test_size=size, **asked), RowColumns())


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

    split = split_by(target, size)

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

    split = split_by(target, size)

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

    split = split_by(target, size)

    train, _ = train_test_split(np.arange(sum(counts)), test_size=size, random_state=42)
    assert (split.train == train).all()
    (warning,) = [each for each in split.warnings if each.type == "not_stratified"]
    assert warning.detail.endswith(said)


def test_a_class_that_only_test_rows_have_is_named_and_has_a_place_beyond_the_labels():
    _, test = train_test_split(np.arange(60), test_size=0.2, random_state=42)
    y = np.arange(60) % 2 * 2
    y[test[3]] = 1
    target = Target("y", np.arange(60), y, ["x", "z", "y"])

    split = split_by(target, 0.2)

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
        split_by(classes(50, 1), 0.98)


@pytest.mark.parametrize(("rows", "warned"), [(5, True), (45, True), (46, False), (100, False)])
def test_a_test_part_of_few_rows_is_told(rows, warned):
    assert told(split_by(numbers(rows), 0.2)) == (["few_test_rows"] if warned else [])


@pytest.mark.parametrize(("rows", "said"), [(1, "1 test row only"), (2, "2 test rows only")])
def test_few_test_rows_are_counted(rows, said):
    assert said in split_by(numbers(30), rows).warnings[0].detail


def test_the_rows_are_those_of_a_data_frame_split_by_the_same_words():
    frame = pd.DataFrame({"a": range(40), "y": ["p", "q"] * 20})

    train, _ = train_test_split(frame, test_size=0.25, random_state=42, stratify=frame["y"])

    split = split_by(Target("y", np.arange(40), np.arange(40) % 2, ["p", "q"]), 0.25)
    assert split.train.tolist() == train["a"].tolist()


def test_a_size_of_0_leaves_all_rows_to_learn_from_in_their_order():
    split = split_by(classes(3, 1), 0)

    assert split.train.tolist() == [0, 1, 2, 3]
    assert len(split.test) == len(split.y_test) == 0
    assert split.labels == ["c0", "c1"]
    assert split.warnings == []


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
def test_another_seed_is_that_of_scikit_learn(seed):
    train, test = train_test_split(np.arange(50), test_size=0.2, random_state=seed)

    split = split_by(numbers(50), 0.2, random_state=seed)

    assert split.train.tolist() == train.tolist()
    assert split.test.tolist() == test.tolist()


def test_without_a_seed_each_split_is_another():
    splits = {tuple(split_by(numbers(50), 0.2, random_state=None).test) for _ in range(5)}

    assert len(splits) > 1


def test_a_split_that_is_not_to_be_stratified_is_not_and_nothing_is_told():
    train, _ = train_test_split(np.arange(100), test_size=0.2, random_state=42)

    split = split_by(classes(90, 10), 0.2, stratify=False)

    assert (split.train == train).all()
    assert told(split) == []


def test_a_split_that_has_to_be_stratified_and_cannot_be_is_refused():
    with pytest.raises(errors.BadData, match="c2") as caught:
        split_by(classes(50, 49, 1), 0.2, stratify=True)

    assert caught.value.extra["field"] == "split.stratify"


@pytest.mark.parametrize("size", [0.2, 0.5, 2])
def test_groups_are_never_in_both_parts_and_are_those_of_scikit_learn(size):
    groups = np.arange(60) % 7
    asked = Split(test_size=size, group="who", random_state=3)

    split = split_rows(numbers(60), asked, RowColumns(groups=groups))

    ((train, test),) = GroupShuffleSplit(1, test_size=size, random_state=3).split(
        groups, groups=groups
    )
    assert split.train.tolist() == train.tolist()
    assert split.test.tolist() == test.tolist()
    assert not set(groups[split.train]) & set(groups[split.test])


@pytest.mark.parametrize(
    ("groups", "size", "field", "said"),
    [
        (1, 0.2, "split.group", "column who has one value only"),
        (3, 3, "test_size", "it counts groups, and 3 of 3 leaves none"),
        (3, 0.9, "test_size", "it counts groups, and 0.9 of 3 leaves none"),
    ],
)
def test_too_few_groups_are_refused(groups, size, field, said):
    asked = Split(test_size=size, group="who")

    with pytest.raises(errors.BadData) as caught:
        split_rows(numbers(30), asked, RowColumns(groups=np.arange(30) % groups))

    assert caught.value.extra["field"] == field
    assert said in caught.value.detail


@pytest.mark.parametrize(
    ("times", "size", "test", "ties"),
    [
        ([5, 3, 4, 1, 2], 2, [2, 0], None),
        ([5, 3, 4, 1, 2], 0.4, [2, 0], None),
        ([1, 2, 2, 2, 3], 2, [3, 4], "2 training rows have"),
        ([2, 1, 2, 0, 1], 1, [2], "1 training row has"),
        ([1, 1, 1, 1, 1], 1, [4], "4 training rows have"),
    ],
)
def test_the_last_rows_in_time_test_and_ties_are_told(times, size, test, ties):
    asked = Split(test_size=size, time="day")

    split = split_rows(numbers(5), asked, RowColumns(times=np.array(times, float)))

    assert split.test.tolist() == test
    assert split.train.tolist() == [p for p in np.argsort(times, kind="stable") if p not in test]
    found = [each for each in split.warnings if each.type == "time_ties"]
    if ties is None:
        assert not found
    else:
        assert found[0].detail.startswith(f"{ties} the same value of column day")
        assert found[0].field == "day"


def test_the_model_that_learns_all_rows_afterwards_answers_each_class():
    y = np.array([0] * 10 + [1] * 10 + [2])
    target = Target("y", np.arange(21), y, ["x", "y", "z"])
    asked, columns = Split(test_size=5, time="t"), RowColumns(times=np.arange(21.0))

    (once,) = [
        each.detail for each in split_rows(target, asked, columns).warnings if "not_l" in each.type
    ]
    (again,) = [
        each.detail
        for each in split_rows(target, asked, columns, refits=True).warnings
        if "not_l" in each.type
    ]

    assert "the model never answers them" in once
    assert "never answers" not in again
    assert "count as wrong: z" in again
