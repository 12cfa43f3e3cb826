import numpy as np
import pytest

from app.models.manifest import FitWarning
from app.tables.column_warnings import leading_zero_warnings, limit_warnings
from tests.support import frames

ROWS = 200
RANDOM = np.random.default_rng(3)
NOISE = [f"{value:.6f}" for value in RANDOM.normal(size=ROWS)]
FEW = [str(n % 7) for n in range(ROWS)]


def told(target, estimator="ridge", preprocessing=None, **columns):
    """The warnings about a data set with these columns, as pairs of type and column."""
    header = ",".join([*columns, "target"])
    rows = "\n".join(map(",".join, zip(*columns.values(), target, strict=True)))
    asked = frames.request(list(columns), estimator=estimator, preprocessing=preprocessing)
    data = frames.read(f"{header}\n{rows}\n", asked)
    return [(warning.type, warning.field) for warning in data.warnings]


@pytest.mark.parametrize(
    ("cells", "warning"),
    [
        (NOISE, None),
        (FEW, None),
        (["5"] * ROWS, "constant_column"),
        (["x"] * ROWS, "constant_column"),
        (["True"] * ROWS, "constant_column"),
        (["5"] * (ROWS - 1) + [""], None),  # that it is missing may tell something
        (["5"] * (ROWS - 1) + ["6"], None),
        ([str(n + 1000) for n in range(ROWS)], "identifier_like"),
        ([f"x{n}" for n in range(ROWS)], "identifier_like"),
        ([str(n + 1000) for n in [0, *range(ROWS - 1)]], None),
        ([str(n + 0.5) for n in range(ROWS)], None),
        ([f"x{n}" for n in [0, *range(ROWS - 1)]], "many_categories"),
        ([f"x{n // 2}" for n in range(ROWS)], None),
    ],
)
def test_a_column_alone_may_be_odd(cells, warning):
    assert told(NOISE[::-1], a=cells) == ([] if warning is None else [(warning, "a")])


def test_few_rows_make_no_identifier():
    data = frames.read(
        "a,target\n" + "".join(f"{n},{NOISE[n]}\n" for n in range(50)), frames.request(["a"])
    )

    assert data.warnings == []


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (NOISE, NOISE, True),
        (FEW, [f"{each}.0" for each in FEW], True),
        (["x", "y"] * 100, ["x", "y"] * 100, True),
        (NOISE, [*NOISE[:-1], "0"], False),
        (["x", "y"] * 100, ["y", "x"] * 100, False),
        ([*NOISE[:-1], ""], [*NOISE[:-1], ""], True),
        ([*NOISE[:-1], ""], [*NOISE[:-1], "-1"], False),
    ],
)
def test_two_columns_may_be_the_same(first, second, same):
    found = told(NOISE[::-1], a=first, b=second)

    assert found == ([("duplicate_column", "b")] if same else [])


@pytest.mark.parametrize(
    ("feature", "target", "determined"),
    [
        (NOISE, NOISE, True),
        (NOISE, [f"{float(each) * -3 + 1e6:.6f}" for each in NOISE], True),
        (NOISE, [str(float(each) ** 3) for each in NOISE], False),
        ([f"{each}e300" for each in NOISE], [str(float(each) ** 3) for each in NOISE], False),
        ([f"{each}e300" for each in NOISE], NOISE, True),
        (NOISE, [f"{float(each) + n % 2:.6f}" for n, each in enumerate(NOISE)], False),
        ([*NOISE[:-1], ""], NOISE, True),
        ([*NOISE[:99], *[""] * (ROWS - 99)], NOISE, False),  # too few to tell
        ([str(float(each) * 1e-300) for each in NOISE], NOISE, True),
        (["x", "y"] * 100, ["1", "2"] * 100, False),  # a regressor has to learn that
    ],
)
def test_a_feature_may_determine_numbers(feature, target, determined):
    assert told(target, a=feature) == ([("equals_target", "a")] if determined else [])


@pytest.mark.parametrize(
    ("feature", "determined"),
    [
        (["x", "y"] * 100, True),
        (["3", "4"] * 100, True),
        (["True", "False"] * 100, True),
        (["3", "4"] * 99 + ["4", "3"], False),
        (["3", "4", "5", "4"] * 50, False),
    ],
)
def test_a_feature_may_determine_classes(feature, determined):
    found = told(["p", "q"] * 100, "knn_classifier", a=feature)

    assert found == ([("equals_target", "a")] if determined else [])


@pytest.mark.parametrize(
    ("target", "warning"),
    [
        (["p", "q"] * 100, None),
        ([str(n) for n in range(ROWS)], "many_classes"),
        ([str(n // 4) for n in range(ROWS)], "many_classes"),
        (["p"] * 196 + ["q"] * 4, "rare_classes"),
        (["p"] * 195 + ["q"] * 5, None),
    ],
)
def test_classes_may_be_odd(target, warning):
    found = told(target, "knn_classifier", a=NOISE)

    assert found == ([] if warning is None else [(warning, "target")])


def test_rows_without_a_target_are_told():
    assert told([*NOISE[1:], ""], a=NOISE) == [("rows_dropped", "target")]


def test_leading_zeros_are_told_with_a_cell():
    (found,) = leading_zero_warnings({"zip": "01234"})

    assert (found.type, found.field) == ("leading_zeros", "zip")
    assert 'so that "01234" lost its leading zeros' in found.detail


def test_many_warnings_of_one_type_become_six():
    many = [FitWarning(type="x", detail=f"column {n}", field=f"c{n}") for n in range(5000)]
    one = FitWarning(type="y", detail="once", field="c1")

    found = limit_warnings([*many, one])

    assert found[:5] == many[:5]
    assert found[5].type == "x"
    assert found[5].detail.startswith("the same is true of 4,995 more: c5, c6, ")
    assert found[6:] == [one]
    assert len(found[5].detail) < 1200


def test_few_warnings_stay_as_they_are():
    five = [FitWarning(type="x", detail=f"column {n}") for n in range(5)]

    assert limit_warnings(five) == five


@pytest.mark.parametrize(
    ("columns", "preprocessing", "unused"),
    [
        ({"a": FEW}, {"categories": "ordinal"}, ["categories"]),
        ({"a": FEW}, {"min_frequency": 3}, ["min_frequency"]),
        ({"a": FEW}, {"scaling": "robust", "imputation": "mean"}, []),
        ({"a": ["x", "y"] * 100}, {"scaling": "robust"}, ["scaling"]),
        ({"a": ["x", "y"] * 100}, {"scaling": "none", "imputation": "none"}, []),
        ({"a": ["x", "y"] * 100}, {"imputation": "mean"}, ["imputation"]),
        ({"a": ["x", "y"] * 100}, {"categories": "one-hot", "min_frequency": 3}, []),
        ({"a": ["xx", "yy"] * 100}, {"tfidf": ["a"], "categories": "ordinal"}, ["categories"]),
    ],
)
def test_an_option_for_columns_that_there_are_not_is_told(columns, preprocessing, unused):
    found = told(NOISE, preprocessing=preprocessing, **columns)

    expected = [("no_effect", f"preprocessing.{option}") for option in unused]
    assert [each for each in found if each[0] == "no_effect"] == expected


@pytest.mark.parametrize(
    ("target", "warning"),
    [(["3"] * ROWS, ["constant_target"]), (["3"] * (ROWS - 1) + ["3.5"], [])],
)
def test_a_target_that_is_the_same_in_each_row_is_told(target, warning):
    assert told(target, a=NOISE) == [(each, "target") for each in warning]
