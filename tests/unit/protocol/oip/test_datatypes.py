import struct

import numpy as np
import pytest

from app import errors
from app.protocol.oip.datatypes import (
    BYTES,
    DATATYPES,
    from_json,
    pack,
    refuse_datatype,
    texts,
    unpack,
    unpack_bytes,
)

WHOLE = [name for name in DATATYPES if "INT" in name]
FLOATS = {"FP16": np.float16, "FP32": np.float32, "FP64": np.float64}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_are_those_of_numpy(name):
    limits = np.iinfo(name.lower())
    values = [int(limits.min), 0, 1, int(limits.max)]
    datatype = DATATYPES[name]

    assert pack(datatype, values) == np.array(values, name.lower()).tobytes()
    assert list(unpack(datatype, pack(datatype, values), 4)) == values
    assert list(from_json(datatype, values, "a")) == values
    for value in (values[0] - 1, values[-1] + 1, 10**400):
        with pytest.raises(errors.Invalid, match=f"inputs.a: a tensor of {name} has whole numbers"):
            from_json(datatype, [1, value], "a")


@pytest.mark.parametrize("name", FLOATS)
def test_numbers_are_rounded_as_numpy_does(name):
    values = [0.1, -2.5, 1 / 3, 1e-9, 3]
    rounded = np.array(values, FLOATS[name])
    datatype = DATATYPES[name]

    assert list(from_json(datatype, values, "a")) == rounded.astype(float).tolist()
    assert pack(datatype, values) == rounded.tobytes()
    assert all(type(each) is float for each in from_json(datatype, values, "a"))


@pytest.mark.parametrize(
    ("name", "value"), [("FP16", 1e6), ("FP32", 1e39), ("FP64", 10**400), ("FP32", -(10**400))]
)
def test_a_number_that_does_not_fit_is_named(name, value):
    with pytest.raises(errors.Invalid, match=f"inputs.a: a tensor of {name} has numbers, and"):
        from_json(DATATYPES[name], [0.5, None, value], "a")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FP64", "1", '"1" does not fit'),
        ("FP64", True, "true does not fit"),
        ("INT8", 1.0, "1.0 does not fit"),
        ("INT8", False, "false does not fit"),
        ("BOOL", 1, "1 does not fit"),
        ("BYTES", 1, "1 does not fit"),
        ("BYTES", {"b64": ""}, "an object does not fit"),
        ("BOOL", [True], "a list does not fit"),
    ],
)
def test_another_type_is_refused(name, value, said):
    with pytest.raises(errors.Invalid, match=f"inputs.a: a tensor of {name} has .* {said}"):
        from_json(DATATYPES[name], [None, value], "a")


@pytest.mark.parametrize("name", DATATYPES)
def test_null_is_a_missing_value_of_each_type(name):
    value = {"BOOL": True, "BYTES": "x"}.get(name, 1)

    assert list(from_json(DATATYPES[name], [None, value, None], "a")) == [None, value, None]


@pytest.mark.parametrize("name", ["", "fp64", "FLOAT", "BF16", "x" * 1000])
def test_a_datatype_that_is_not_known_is_told_the_others(name):
    with pytest.raises(errors.Invalid, match=r"inputs.a: .* use one of BOOL, UINT8, .*BYTES"):
        refuse_datatype(name, "a")


def test_texts_are_what_was_packed():
    values = ["", "a", "grün", "日本"]

    data = pack(BYTES, values)

    assert data[:9] == b"\0\0\0\0\1\0\0\0a"
    assert texts(unpack_bytes(data, 4, "a"), "a") == values


@pytest.mark.parametrize(
    ("data", "count", "said"),
    [
        (b"", 1, "end before element 0 of 1"),
        (b"\1\0\0", 1, "end before element 0 of 1"),
        (b"\1\0\0\0", 1, "element 0 has 1 bytes by its length, .* only 0 more"),
        (b"\0\0\0\0" + struct.pack("<I", 2**32 - 1) + b"x", 2, "element 1 has 4294967295 bytes"),
        (b"\0\0\0\0", 2, "end before element 1 of 2"),
        (b"\0\0\0\0x", 1, "1 bytes too many"),
    ],
)
def test_lengths_that_lie_are_refused(data, count, said):
    with pytest.raises(errors.Invalid, match=f"inputs.a: .*{said}"):
        unpack_bytes(data, count, "a")


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(errors.Invalid, match="element 1 is not text in UTF"):
        texts([b"a", b"\xff"], "a")
