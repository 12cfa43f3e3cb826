import pytest

from app.models.feature_counts import MAX_FEATURES, MAX_TEXT, Outcome
from app.producer.shadow_rows import MAX_ROWS, compared_rows

SAME, OTHER = Outcome(disagreed=False), Outcome(disagreed=True)


def test_each_row_has_its_outcome():
    rows = [{"a": 1}, {"a": 2}]

    assert compared_rows(rows, [SAME, OTHER]) == [({"a": 1}, SAME), ({"a": 2}, OTHER)]
    assert compared_rows({"a": None}, [OTHER]) == [({"a": None}, OTHER)]


@pytest.mark.parametrize("inputs", ["base64", ["base64", "base64"], [[1, 2], [3, 4]], None])
def test_what_has_no_names_has_no_rows(inputs):
    assert compared_rows(inputs, [SAME, SAME]) == []


def test_of_many_rows_some_from_all_over_are_taken():
    rows = [{"a": n} for n in range(2 * MAX_ROWS + 1)]
    found = compared_rows(rows, [OTHER if row["a"] == 3 else SAME for row in rows])

    assert len(found) <= MAX_ROWS
    assert [each.values["a"] for each in found[:3]] == [0, 3, 6]
    assert [each.outcome for each in found[:3]] == [SAME, OTHER, SAME]


def test_values_are_cut_and_of_too_many_features_the_first_by_name_stay():
    wide = {f"f{n:02}": 1 for n in reversed(range(MAX_FEATURES + 3))}
    ((values, _),) = compared_rows(wide, [SAME])
    assert sorted(values) == [f"f{n:02}" for n in range(MAX_FEATURES)]

    odd = {"a": "x" * 999, "b": "\ud800", "c": [1], "n" * (MAX_TEXT + 1): 1}
    assert compared_rows(odd, [SAME]) == [({"a": "x" * MAX_TEXT, "b": "?", "c": ()}, SAME)]


def test_fields_of_the_caller_that_no_model_reads_are_not_counted():
    row = {**{f"a{n:02}": n for n in range(MAX_FEATURES)}, "x": 1.5, "e\u0301": 2}

    assert compared_rows(row, [SAME], {"x", "\u00e9"}) == [({"x": 1.5, "e\u0301": 2}, SAME)]
