"""Columns of weights, groups and times: what they may hold, and what is said of other cells."""

import numpy as np
import pytest

from app import errors
from tests.support import frames


def read(cells, field="weight", types=None, target=None):
    """What a column `c` with these cells tells of the rows, as this field of the request."""
    targets = target or [f"{n % 7}.5" for n in range(len(cells))]
    lines = [f"{n},{each},{y}" for n, (each, y) in enumerate(zip(cells, targets, strict=True))]
    asked = {
        "weight": {"sample_weight": "c"},
        "group": {"split": {"group": "c"}},
        "time": {"split": {"time": "c"}},
    }[field]
    request = frames.request(["a"], estimator="ridge", types=types, **asked)
    return frames.read("a,c,target\n" + "\n".join(lines) + "\n", request).of_rows


def refusal(cells, field="weight", types=None):
    with pytest.raises(errors.BadData) as caught:
        read(cells, field, types)
    return caught.value.extra["field"], caught.value.detail


@pytest.mark.parametrize(
    ("cells", "types", "weights"),
    [
        (["1", "0", "2.5"], None, [1, 0, 2.5]),
        (["1", "0", "1e3"], {"c": "number"}, [1, 0, 1000]),
    ],
)
def test_weights_are_numbers_from_0_on(cells, types, weights):
    columns = read(cells, types=types)

    assert columns.weights.tolist() == weights
    assert columns.groups is columns.times is None


@pytest.mark.parametrize(
    ("cells", "types", "said"),
    [
        (["1", "", "2"], None, "has no value in 1 of 3 rows; each needs a weight, a number from 0"),
        (["1", "NA", "2"], None, "has no value in 1 of 3 rows"),
        (["1", "-0.5", "-2"], None, "holds -0.5 in one of 2 rows below 0; a weight is not"),
        (["1", "inf", "2"], None, "holds infinity"),
        (["0", "0.0", "0"], None, "holds 0 in each row"),
        (["1", "heavy", "2"], None, 'holds no numbers: 1 cell holds "heavy"'),
        (["1"] * 60 + ["heavy"], None, 'holds no numbers: 1 cell holds "heavy"'),
        (["true", "false", "true"], None, "holds true and false; weights are numbers"),
        (["", "", ""], None, "has no value in 3 of 3 rows"),
        (["1", "2", "3"], {"c": "text"}, "is declared text, and has to be a number"),
        (
            ["1", "-9", "3"],
            {"c": {"type": "number", "missing": ["-9"]}},
            "has no value in 1 of 3 rows",
        ),
    ],
)
def test_other_weights_are_refused_by_the_name_of_their_field(cells, types, said):
    field, detail = refusal(cells, types=types)

    assert field == "sample_weight"
    assert detail.startswith(f"sample_weight: column c {said}")


@pytest.mark.parametrize(
    ("cells", "types", "groups"),
    [
        (["b", "a", "b"], None, [1, 0, 1]),
        (["10", "9", "10.0"], None, [1, 0, 1]),
        (["10", "9", "x"], None, [0, 1, 2]),
        (["10", "9", "10"], {"c": "text"}, [0, 1, 0]),
        (["NA", "a", "NA"], None, [0, 1, 0]),
        (["9007199254740993", "9007199254740992", "1"], None, [2, 1, 0]),
        (["true", "false", "true"], None, [1, 0, 1]),
        (["2025-01-02", "2024-12-31", "2025-01-02"], {"c": "date"}, [1, 0, 1]),
    ],
)
def test_groups_are_equal_values_in_their_order(cells, types, groups):
    assert read(cells, "group", types).groups.tolist() == groups


@pytest.mark.parametrize(("cells", "gaps"), [(["a", "", "b"], 1), (["", "", ""], 3)])
def test_a_row_without_a_group_is_refused(cells, gaps):
    field, detail = refusal(cells, "group")

    assert field == "split.group"
    assert detail == f"split.group: column c has no value in {gaps} of 3 rows; each needs a group"


@pytest.mark.parametrize(
    ("cells", "types", "times"),
    [
        (["3", "1.5", "-2"], None, [3, 1.5, -2]),
        (["2025-01-02", "1970-01-02", "2025-01-01T12:00:00Z"], None, [20090, 1, 20089.5]),
        (["1970-01-02", "1970-01-03", "1970-01-04"], {"c": "date"}, [1, 2, 3]),
        (["3", "1", "2"], {"c": "number"}, [3, 1, 2]),
    ],
)
def test_times_are_numbers_or_dates(cells, types, times):
    assert read(cells, "time", types).times.tolist() == times


@pytest.mark.parametrize(
    ("cells", "types", "said"),
    [
        (["1", "", "2"], None, "has no value in 1 of 3 rows; each needs a number or a date"),
        (["2025-01-02", "unknown", "2025-01-03"], None, "has no value in 1 of 3 rows"),
        (
            ["2025-01-02", "soon", "2025-01-03"],
            None,
            'holds neither numbers only nor dates only: 1 cell holds "soon"; write dates as',
        ),
        (["2025-01-02", "7", "2025-01-03"], None, "holds neither numbers only nor dates only"),
        (["31.12.2025", "1.1.2026", "2.1.2026"], None, "holds neither numbers only nor dates only"),
        (["1", "inf", "2"], None, "holds infinity"),
        (
            ["true", "false", "true"],
            {"c": "boolean"},
            "is declared boolean, and has to be a number or",
        ),
    ],
)
def test_other_times_are_refused_by_the_name_of_their_field(cells, types, said):
    field, detail = refusal(cells, "time", types)

    assert field == "split.time"
    assert detail.startswith(f"split.time: column c {said}")


@pytest.mark.parametrize("field", ["weight", "group", "time"])
def test_a_row_without_a_target_needs_nothing(field):
    columns = read(["1", "", "3"], field, target=["1.5", "", "2.5"])

    (told,) = [
        each for each in (columns.weights, columns.groups, columns.times) if each is not None
    ]
    assert len(told) == 2
    taken = columns.take(np.array([1]))
    (left,) = [each for each in (taken.weights, taken.groups, taken.times) if each is not None]
    assert left.tolist() == [told[1]]


@pytest.mark.parametrize(
    ("cells", "types", "split", "kind", "values"),
    [
        (["2001", "2003", "2002"], None, {"time": "c"}, "number", [2001, 2003, 2002]),
        (
            ["1970-01-02", "1970-01-04", "1970-01-03"],
            {"c": "date"},
            {"time": "c"},
            "date",
            [1, 3, 2],
        ),
        (["x", "y", "x"], None, {"group": "c"}, "text", ["x", "y", "x"]),
    ],
)
def test_a_time_or_a_group_that_is_also_a_feature_is_read_as_both(
    cells, types, split, kind, values
):
    lines = "".join(f"{n},{each},{n}.5\n" for n, each in enumerate(cells))
    asked = frames.request(["a", "c"], estimator="ridge", types=types, split=split)

    data = frames.read("a,c,target\n" + lines, asked)

    assert [each.type for each in data.features] == ["number", kind]
    assert data.frame["c"].tolist() == values
    told = data.of_rows.times if "time" in split else data.of_rows.groups
    assert len(told) == len(cells)
