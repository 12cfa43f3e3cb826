import pytest

from app.inference.agreement import predictions_differ


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (100, 101),  # by a hundredth of the larger
        (100.0, 99.01),
        (-100, -101),
        (0, 0.0),
        (1e-300, 1.001e-300),
        (10**400, 10**400),
        ("a", "a"),
        (True, True),
        ([], []),
        ([100, "a"], [101, "a"]),
        ([[1.0]], [[1.0]]),
        ({"a": 1}, {"a": 1}),
        (None, None),
    ],
)
def test_the_same(one, other):
    assert not predictions_differ(one, other, 0.01)
    assert not predictions_differ(other, one, 0.01)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (100, 102),
        (0, 1e-300),
        (1, -1),
        (10**400, 1),
        (10**400, 0.5),
        ("a", "b"),
        ("1", 1),
        (True, 1),
        (False, 0),
        (True, False),
        ([1], [1, 1]),
        ([1, 2], [1, 3]),
        (["a"], "a"),
        ({"a": 1}, {"a": 2}),
        (None, 0),
    ],
)
def test_not_the_same(one, other):
    assert predictions_differ(one, other, 0.01)
    assert predictions_differ(other, one, 0.01)


def test_without_tolerance_numbers_have_to_be_equal():
    assert predictions_differ(1.0, 1.0 + 1e-15, 0.0)
    assert not predictions_differ(1, 1.0, 0.0)
