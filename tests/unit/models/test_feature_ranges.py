import random

import pytest

from app.models.feature_counts import ComparedRow, Outcome, Rows, added, count_rows
from app.models.feature_ranges import MAX_SHOWN, by_feature, quartiles

SAME, OTHER = Outcome(disagreed=False, difference=0.0), Outcome(disagreed=True, difference=5.0)


def counted(rows):
    return count_rows([ComparedRow(values, outcome) for values, outcome in rows])


def test_models_that_differ_above_the_median_of_a_feature_show_it():
    chance = random.Random(3)
    sums = {}
    for _ in range(10):  # of several producers
        rows = [{"noise": chance.random(), "a": chance.gauss(50, 9)} for _ in range(400)]
        sums = added(sums, counted((row, OTHER if row["a"] > 50 else SAME) for row in rows))

    first, second = by_feature(sums)

    assert (first.feature, second.feature) == ("a", "noise")
    below, _, _, above = first.ranges
    assert (below.counts.rate, above.counts.rate) == (0.0, 1.0)
    assert first.ranges[1].counts.rate < 0.1
    assert first.ranges[2].counts.rate > 0.9
    assert first.ranges[1].high == pytest.approx(50, abs=1)
    for each in first.ranges:
        assert each.counts.rows == pytest.approx(1000, rel=0.1)
    for each in second.ranges:
        assert each.counts.rate == pytest.approx(0.5, abs=0.1)
    assert first.unevenness == pytest.approx(0.5, abs=0.05)
    assert second.unevenness < 0.1


def test_ranges_follow_each_other_and_are_open_at_both_ends():
    found = quartiles([(float(n), Rows(1)) for n in range(8)])

    assert [(each.low, each.high, each.counts.rows) for each in found] == [
        *((None, 1.5, 2), (1.5, 3.5, 2), (3.5, 5.5, 2), (5.5, None, 2)),
    ]


def test_a_frequent_number_has_a_range_of_its_own():
    found = quartiles([(0.0, Rows(60)), (1.0, Rows(40))])

    assert [(each.low, each.high, each.counts.rows) for each in found] == [
        *((None, 0.5, 60), (0.5, None, 40)),
    ]
    (all_of_them,) = quartiles([(3.0, Rows(9))])
    assert (all_of_them.low, all_of_them.high) == (None, None)
    assert quartiles([]) == []


def test_the_most_frequent_texts_are_shown_and_none_of_one_row():
    rows = [({"a": f"v{n:02}"}, OTHER) for n in range(MAX_SHOWN + 2) for _ in range(n + 1)]
    (found,) = by_feature(counted([*rows, ({"a": None}, SAME)]))

    assert [each.value for each in found.texts] == [f"v{n:02}" for n in range(11, 1, -1)]
    assert (found.other.rows, found.missing.rows) == (3, 1)
    (few,) = by_feature(counted([({"a": "anna"}, SAME), ({"a": "x"}, SAME), ({"a": "x"}, OTHER)]))
    assert [(each.value, each.counts.rate) for each in few.texts] == [("x", 0.5)]
    assert few.other.rows == 1


def test_where_nothing_disagrees_no_feature_tells_anything():
    (found,) = by_feature(counted([({"a": 1.0}, SAME), ({"a": 2.0}, SAME)]))

    assert found.unevenness == 0.0


def test_labels_that_differ_at_one_value_are_uneven():
    rows = [({"a": each}, Outcome(each == "red")) for each in ("red", "blue") for _ in range(5)]
    (found,) = by_feature(counted(rows))

    assert found.unevenness == 0.5
    assert {each.value: each.counts.rate for each in found.texts} == {"blue": 0.0, "red": 1.0}
