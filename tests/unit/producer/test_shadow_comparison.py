import pytest

from app import errors
from app.models.shadow_counts import Counts
from app.producer.shadow_comparison import compare, counted
from app.protocol.replies import Failed, Predicted


def compared(base, shadow, *, many=True):
    replies = [Predicted("m", prediction=each).encode() for each in (base, shadow)]
    return counted(compare(*replies, many=many))


def test_labels_that_differ_disagree():
    assert compared(["a", "b", True, None], ["a", "c", 1, None]) == Counts(1, 4, 2)


@pytest.mark.parametrize(
    ("base", "shadow", "disagreed"),
    [
        (1.0, 1.0 + 5e-10, 0),
        (1.0, 1.0 + 2e-9, 1),
        (-1e9, -1e9 - 0.5, 0),
        (0, 0.0, 0),
        (0, 1e-300, 1),
    ],
)
def test_numbers_disagree_from_a_billionth_of_their_size(base, shadow, disagreed):
    difference = abs(base - shadow)

    assert compared(base, shadow, many=False) == Counts(1, 1, disagreed, 1, difference, difference)


def test_differences_of_numbers_are_absolute():
    counts = compared([1.0, 2.0, 3.0], [1.0, 4.0, 2.5])

    assert counts == Counts(1, 3, 2, 3, 2.5, 2.0)
    assert counts.difference_mean == 2.5 / 3


def test_a_row_with_several_numbers_is_one_row_with_the_largest_difference():
    assert compared([1.0, 2.0], [1.5, 3.0], many=False) == Counts(1, 1, 1, 1, 1.0, 1.0)
    assert compared([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 6.0]]) == Counts(
        1, 2, 1, 2, 2.0, 2.0
    )


@pytest.mark.parametrize("other", [[1.0], "1.0", 1e200, 10**400, None, True])
def test_what_is_no_number_of_a_common_size_is_only_another_answer(other):
    assert compared(1.0, other, many=False) == Counts(1, 1, 1)


def test_empty_answers_agree():
    assert compared([], [], many=False) == Counts(1, 1)


def test_other_numbers_of_rows_are_no_answer():
    for shadow in ([1.0], 1.0):
        with pytest.raises(errors.WarrenError, match="another number of rows"):
            compared([1.0, 2.0], shadow)


def test_an_error_is_no_answer():
    failed = Failed.of(errors.Invalid("a", "is missing"), "m").encode()
    with pytest.raises(errors.Invalid):
        compare(Predicted("m", prediction=1.0).encode(), failed, many=False)


def test_counts_add_up_but_for_the_largest():
    assert Counts(1, 2, 1, 2, 3.0, 2.5, 1, 2) + Counts(1, 1, 0, 1, 0.5, 0.5) == Counts(
        *(2, 3, 1, 3, 3.5, 2.5, 1, 2)
    )
    assert Counts().difference_mean is None
