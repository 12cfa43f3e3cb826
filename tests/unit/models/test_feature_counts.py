import json
import random

import pytest

from app.models.feature_counts import (
    MAX_FEATURES,
    MAX_VALUES,
    POINTS,
    ComparedRow,
    FeatureCounts,
    Outcome,
    Rows,
    added,
    count_rows,
)

SAME, OTHER = Outcome(disagreed=False, difference=0.0), Outcome(disagreed=True, difference=2.0)


def rows(*pairs):
    return [ComparedRow({"a": value}, outcome) for value, outcome in pairs]


def total(counts):
    parts = (*(each for _, each in counts.points), *counts.texts.values())
    return sum(parts, counts.other + counts.missing)


def test_numbers_texts_and_what_is_missing_are_counted_apart():
    found = count_rows(
        rows((1.5, SAME), (1.5, OTHER), (2, OTHER), ("x", OTHER), (True, SAME), (None, OTHER))
    )["a"]

    assert found.points == [(1.5, Rows(2, 1, 2, 2.0)), (2.0, Rows(1, 1, 1, 2.0))]
    assert found.texts == {"x": Rows(1, 1, 1, 2.0), "true": Rows(1, 0, 1, 0.0)}
    assert (found.other, found.missing) == (Rows(), Rows(1, 1, 1, 2.0))


@pytest.mark.parametrize("value", [1e200, -(10**400), ()])
def test_what_is_neither_counts_as_other(value):
    (found,) = count_rows(rows((value, Outcome(disagreed=True)))).values()

    assert found == FeatureCounts(other=Rows(1, 1))


def test_numbers_are_few_points_that_keep_every_row():
    chance = random.Random(1)
    sums = {}
    for _ in range(20):
        part = rows(*((chance.gauss(0, 1), SAME) for _ in range(200)))
        sums = added(sums, count_rows(part))

    points = sums["a"].points
    assert len(points) <= 2 * POINTS
    assert [value for value, _ in points] == sorted(value for value, _ in points)
    assert total(sums["a"]).rows == 20 * 200
    # No point but that of one value has more than its part of the rows.
    assert max(each.rows for _, each in points) <= 20 * 200 / POINTS


def test_a_few_numbers_are_exact_however_many_rows_they_have():
    numbers = list(range(2 * POINTS))
    sums = {}
    for _ in range(3):
        sums = added(sums, count_rows(rows(*((each, SAME) for each in numbers * 2))))

    assert [(value, each.rows) for value, each in sums["a"].points] == [(n, 6) for n in numbers]


def test_the_sum_of_parts_is_the_same_in_any_order():
    parts = [count_rows(rows((n % 5, SAME), ("x" * (n % 3), OTHER))) for n in range(30)]
    forth, back = {}, {}
    for each in parts:
        forth = added(forth, each)
    for each in reversed(parts):
        back = added(each, back)

    assert forth == back


def test_texts_beyond_the_most_frequent_are_counted_together():
    often = [(f"often {n}", SAME) for n in range(MAX_VALUES) for _ in range(2)]
    found = count_rows(rows(*often, *((f"once {n}", OTHER) for n in range(7))))["a"]

    assert len(found.texts) == MAX_VALUES
    assert found.other == Rows(7, 7, 7, 14.0)


def test_there_are_only_so_many_features():
    row = {f"f{n:02}": 1.0 for n in range(MAX_FEATURES + 5)}
    found = count_rows([ComparedRow(row, SAME)])
    more = added(found, count_rows([ComparedRow({"new": 1.0, "f00": 1.0}, SAME)]))

    assert list(found) == list(more) == list(row)[:MAX_FEATURES]
    assert more["f00"].points == [(1.0, Rows(2, 0, 2, 0.0))]


def test_json_keeps_all():
    found = count_rows(
        rows((1.5, SAME), ("é", OTHER), (None, OTHER), ((), Outcome(disagreed=True)))
    )["a"]

    assert FeatureCounts.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_nothing_has_no_rate():
    assert (Rows().rate, Rows().difference_mean) == (None, None)
    assert (Rows(4, 1, 2, 3.0).rate, Rows(4, 1, 2, 3.0).difference_mean) == (0.25, 1.5)
