import numpy as np
import pytest

from app.evaluation.sampling import evenly_spaced, sample_places


@pytest.mark.parametrize(
    ("count", "most", "size"), [(0, 5, 0), (5, 5, 5), (6, 5, 5), (9000, 2000, 2000)]
)
def test_a_sample_is_bounded_ascends_and_is_the_same_each_time(count, most, size):
    places = sample_places(count, most)

    assert len(places) == len(np.unique(places)) == size
    assert (np.diff(places) > 0).all()
    assert np.array_equal(places, sample_places(count, most))


def test_a_sample_is_that_of_the_documented_seed():
    expected = np.sort(np.random.RandomState(42).permutation(100)[:10])

    assert sample_places(100, 10).tolist() == expected.tolist()


@pytest.mark.parametrize(("count", "most", "size"), [(1, 5, 1), (5, 5, 5), (1001, 101, 101)])
def test_points_are_thinned_out_evenly_with_both_ends(count, most, size):
    places = evenly_spaced(count, most)

    assert (places[0], places[-1], len(places)) == (0, count - 1, size)
