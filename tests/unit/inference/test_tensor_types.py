import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.tensor_types import TENSOR_TYPES

values = (
    st.none()
    | st.booleans()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    | st.integers(-(2**65), 2**65)
    | st.integers(-300, 300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-300, 300).map(float)
    | st.lists(st.integers(), max_size=1)
)


@pytest.mark.parametrize("name", TENSOR_TYPES)
@given(value=values)
def test_a_value_that_fits_becomes_an_element(name, value):
    kind = TENSOR_TYPES[name]
    if not kind.fits(value):
        return

    element = np.array([value], kind.dtype)[0]

    if kind.is_float:
        assert np.isfinite(element)
    else:
        assert element == value
    assert isinstance(value, bool) is (kind.holds == "boolean")
    assert isinstance(value, str) is (kind.holds == "text")


def test_the_largest_float32_is_the_last_that_does_not_round_to_infinity():
    kind = TENSOR_TYPES["tensor(float)"]

    assert np.isfinite(np.float32(kind.largest))
    with np.errstate(over="ignore"):
        assert np.isinf(np.float32(np.nextafter(kind.largest, np.inf)))
    assert kind.fits(3.4028235e38)


@pytest.mark.parametrize(
    ("name", "lowest", "largest"),
    [
        ("tensor(int8)", -128, 127),
        ("tensor(uint8)", 0, 255),
        ("tensor(int32)", -(2**31), 2**31 - 1),
        ("tensor(int64)", -(2**63), 2**63 - 1),
        ("tensor(uint64)", 0, 2**64 - 1),
        ("tensor(float16)", -65504, 65504),
    ],
)
def test_numbers_fit_up_to_the_limits(name, lowest, largest):
    kind = TENSOR_TYPES[name]

    assert kind.fits(lowest)
    assert kind.fits(largest)
    assert not kind.fits(lowest - 1)
    assert not kind.fits(largest + 1)
    assert not kind.fits(10**400)
    assert kind.fits(0.0)
    assert kind.fits(0.5) is kind.is_float


@pytest.mark.parametrize("name", TENSOR_TYPES)
def test_null_fits_no_type(name):
    assert not TENSOR_TYPES[name].fits(None)
