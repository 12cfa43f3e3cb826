import numpy as np

from app.evaluation.feature_columns import feature_columns
from tests.support import frames

FEATURES = [
    {"name": "a", "type": "number"},
    {"name": "t", "type": "text"},
    {"name": "d", "type": "date"},
    {"name": "u", "type": "category"},
    {"name": "e", "type": "date"},
    {"name": "b", "type": "boolean"},
]
PARTS = {"dates": ["month", "day"]}


def places(**changes):
    found = feature_columns(frames.manifest(features=FEATURES, **changes))
    return {each.feature.name: (each.tensor, each.columns) for each in found}


def test_numbers_and_texts_have_places_of_their_own():
    assert places() == {
        "a": ("number", [0]),
        "t": ("text", [0]),
        "d": ("number", [1]),
        "u": ("text", [1]),
        "e": ("number", [2]),
        "b": ("number", [3]),
    }


def test_a_date_has_the_places_of_its_parts():
    found = places(preprocessing=PARTS)

    assert found["d"] == ("number", [1, 4, 5])
    assert found["e"] == ("number", [2, 6, 7])
    assert found["b"] == ("number", [3])


def test_a_date_is_replaced_and_shuffled_with_its_parts():
    columns = feature_columns(frames.manifest(features=FEATURES, preprocessing=PARTS))
    date = columns[2]
    number = np.arange(24.0).reshape(3, 8)
    inputs = {"number": number, "text": np.full((3, 2), "x", object)}

    filled = date.filled(inputs, 40.0)["number"]  # the 10th of February 1970
    shuffled = date.shuffled(inputs, np.array([2, 0, 1]))["number"]

    assert filled[:, [1, 4, 5]].tolist() == [[40, 2, 10]] * 3
    assert shuffled[:, [1, 4, 5]].tolist() == number[[2, 0, 1]][:, [1, 4, 5]].tolist()
    others = [0, 2, 3, 6, 7]
    assert np.array_equal(filled[:, others], number[:, others])
    assert np.array_equal(shuffled[:, others], number[:, others])
    assert number[0].tolist() == list(range(8))
