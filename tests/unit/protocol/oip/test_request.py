"""Inference requests whose sizes lie, in JSON and in bytes: each is refused, and says where."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.protocol.oip.message import parse_body
from app.protocol.oip.request import MAX_ELEMENTS
from app.protocol.oip.rows import to_prediction
from app.protocol.types import MAX_ROWS

FAILURES = (errors.Invalid, errors.Malformed, errors.TooLarge)


def tensor(name="a", shape=(2,), datatype="FP64", **more):
    return {"name": name, "shape": list(shape), "datatype": datatype, **more}


def binary(size, **more):
    return tensor(parameters={"binary_data_size": size}, **more)


def body(*inputs, raw=b"", **more):
    header = json.dumps({"inputs": inputs, **more}).encode()
    return header + raw, str(len(header)) if raw or more.get("header") else None


def parsed(*inputs, raw=b"", **more):
    return parse_body(*body(*inputs, raw=raw, **more))


def refused(*inputs, raw=b"", **more):
    with pytest.raises(FAILURES) as raised:
        to_prediction(parsed(*inputs, raw=raw, **more), "m")
    return raised.value.detail


def test_a_request_is_read():
    raw = struct.pack("<2d", 1.5, float("nan")) + struct.pack("<2b", -1, 2)
    got = parsed(
        binary(16, name="a"),
        tensor("b", (2, 1), "BYTES", data=[["x"], [None]]),
        binary(2, name="c", datatype="INT8", shape=(2, 1)),
        raw=raw,
        id="7",
        outputs=[{"name": "p", "parameters": {"binary_data": False}}, {"name": "q"}],
        parameters={"binary_data_output": True, "priority": 1},
    )

    assert (got.id, got.rows, got.outputs) == ("7", 2, ["p", "q"])
    assert [got.is_binary(name) for name in ("p", "q", "r")] == [False, True, True]
    assert [list(each.elements()) for each in got.tensors] == [[1.5, None], ["x", None], [-1, 2]]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([tensor(shape=(), data=[])], r"inputs.a: its shape must be \[rows\] or"),
        ([tensor(shape=(1, 1, 1), data=[1])], r"inputs.a: its shape must be \[rows\] or"),
        ([tensor(shape=(-1,), data=[1])], "inputs.a: its shape must have positive"),
        ([tensor(shape=(1, -1), data=[1])], "inputs.a: its shape must have positive"),
        ([tensor(shape=(2, 0), data=[])], "inputs.a: its shape must have positive"),
        ([tensor(shape=(0,), data=[])], "inputs.a: has no rows"),
        ([tensor(shape=(0, 4), data=[])], "inputs.a: has no rows"),
        ([tensor(shape=(2**63,), data=[1])], "inputs.a: its shape is larger than"),
        ([tensor(shape=(10**300, 2), data=[1])], "inputs.a: its shape is larger than"),
        ([tensor(shape=(2**32, 2**32), data=[1])], "inputs.a: its shape is larger than"),
        ([tensor(shape=(2000, 2000), data=[1])], "inputs.a: with it, the request has more"),
        ([tensor(data=[1])], "inputs.a: has 1 elements, but its shape has 2"),
        ([tensor(data=[1, 2, 3])], "inputs.a: has 3 elements, but its shape has 2"),
        ([tensor(shape=(2, 2), data=[[1, 2, 3], [4]])], "inputs.a: its nested data do not"),
        ([tensor(shape=(2, 2), data=[[1, 2], 3])], "inputs.a: its nested data do not"),
        ([tensor(data=[[1], [[2]]])], "inputs.a: a tensor of FP64 has numbers, and a list"),
        ([tensor()], "inputs.a: has neither data nor"),
        ([tensor(datatype="FP128", data=[1, 2])], 'inputs.a: "FP128" is no datatype'),
        ([tensor(data=[1, 2]), tensor("b", (3,), data=[1, 2, 3])], "inputs.b: has 3 rows, but"),
        ([tensor(data=[1, 2]), tensor(data=[1, 2])], "inputs: given more than once: a"),
        ([tensor(data=[1, 2]), tensor("b", (2, 2), data=[1, 2, 3, 4])], "inputs.b: a matrix"),
        ([tensor(data=["x", "y"])], 'inputs.a: .* and "x" does not fit'),
        ([], "inputs: must not be empty"),
        ([{"name": "a"}], "inputs.0.shape: is missing"),
        ([tensor(name="", data=[1, 2])], "inputs.0.name: must not be empty"),
        ([tensor(shape=[1.5], data=[1])], "inputs.0.shape.0: must be a whole number"),
        ([tensor(shape=[True], data=[1])], "inputs.0.shape.0: must be a whole number"),
        ([tensor(data=1)], "inputs.0.data: must be a list"),
        ([tensor("image_data", (65,), "BYTES", data=["x"] * 65)], "inputs.image_data: has 65"),
        ([tensor("image_data", (2,), "BYTES", data=["x", ""])], "inputs.image_data.1: is empty"),
    ],
)
def test_json_that_does_not_fit_its_shape_is_refused(inputs, said):
    with pytest.raises(FAILURES, match=said):
        to_prediction(parsed(*inputs), "m")


@pytest.mark.parametrize(
    ("inputs", "raw", "said"),
    [
        ([binary(15)], b"\0" * 15, "inputs.a: binary_data_size is 15, but .* need 16"),
        ([binary(17)], b"\0" * 17, "inputs.a: binary_data_size is 17, but .* need 16"),
        ([binary(16)], b"\0" * 15, "inputs.a: binary_data_size is 16, but only 15 bytes"),
        ([binary(16)], b"\0" * 17, "inputs: 1 bytes of binary data belong to no input"),
        ([binary(-16)], b"\0" * 16, "inputs.a: binary_data_size must be a whole number"),
        ([binary("16")], b"\0" * 16, "inputs.a: binary_data_size must be a whole number"),
        ([binary([])], b"\0", "inputs.a: binary_data_size must be a whole number"),
        ([binary(None)], b"\0", "inputs.a: binary_data_size must be a whole number"),
        ([binary(16.0)], b"\0" * 16, "inputs.a: binary_data_size must be a whole number"),
        ([binary(10**300)], b"\0" * 16, "inputs.a: binary_data_size is 10{7}.*only 16 bytes"),
        ([binary(16, data=[1, 2])], b"\0" * 16, "inputs.a: give either data or"),
        ([binary(16, shape=(2**62,))], b"\0" * 16, "inputs.a: its shape is larger than"),
        ([binary(0, shape=(2**32, 2**32))], b"\0", "inputs.a: its shape is larger than"),
        ([binary(16), binary(16, name="b")], b"\0" * 24, "inputs.b: .* is 16, but only 8"),
        ([binary(8, datatype="BYTES")], b"\0" * 7 + b"\1", "inputs.a: element 1 has 16777216"),
        ([binary(4, datatype="BYTES")], b"\0" * 4, "inputs.a: its binary data end before"),
        ([binary(10, datatype="BYTES")], b"\0" * 10, "inputs.a: its binary data have 2 bytes"),
        (
            [binary(5, datatype="BYTES", shape=(1,))],
            b"\1\0\0\0\xff",
            "inputs.a: element 0 is not text",
        ),
        ([tensor(data=[1, 2])], b"\0", "inputs: 1 bytes of binary data belong to no input"),
    ],
)
def test_binary_data_that_do_not_fit_are_refused(inputs, raw, said):
    with pytest.raises(FAILURES, match=said):
        to_prediction(parsed(*inputs, raw=raw), "m")


@pytest.mark.parametrize("length", ["", "x", "-1", "1.0", "99999", "9" * 5000, "١٢", " 5"])
def test_a_length_of_the_json_that_lies_is_refused(length):
    whole, _ = body(binary(16), raw=b"\0" * 16)

    with pytest.raises(errors.Invalid, match="Inference-Header-Content-Length: must be a number"):
        parse_body(whole, length)


@pytest.mark.parametrize("length", [0, 1, 20, "-"])
def test_a_length_inside_of_the_json_is_refused(length):
    whole, known = body(binary(16), raw=b"\0" * 16)

    with pytest.raises(FAILURES):
        parse_body(whole, str(int(known) + 1) if length == "-" else str(length))


def test_more_rows_or_elements_than_a_request_may_have_are_too_many():
    rows = MAX_ROWS + 1
    with pytest.raises(errors.TooLarge, match=f"inputs.a: has {rows} rows"):
        parsed(tensor(shape=(rows,), datatype="BOOL", data=[True] * rows))
    half = MAX_ELEMENTS // 2 + 1
    two = [binary(half, name=name, shape=(1, half), datatype="UINT8") for name in "ab"]
    with pytest.raises(errors.TooLarge, match=r"inputs.b: with it, the request has more"):
        parsed(*two, raw=bytes(2 * half))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"id": 7}, "id: must be a string"),
        ({"outputs": [{"name": "p"}] * 2}, "outputs: given more than once: p"),
        ({"outputs": [{}]}, "outputs.0.name: is missing"),
        ({"outputs": [{"name": "p", "parameters": {"binary_data": 1}}]}, "outputs.p: binary_data"),
        ({"parameters": {"binary_data_output": "yes"}}, "parameters: binary_data_output must be"),
        ({"parameters": []}, "parameters: must be an object"),
    ],
)
def test_what_is_asked_for_must_be_clear(more, said):
    assert said in refused(tensor(data=[1, 2]), **more)


sizes = st.integers(-3, 40) | st.sampled_from([2**31, 2**63, 2**64, 10**30])
names = st.sampled_from(["BOOL", "INT8", "UINT64", "FP16", "FP32", "FP64", "BYTES", "FP7"])


@given(
    st.lists(st.tuples(st.lists(sizes, max_size=3), names, sizes), min_size=1, max_size=3),
    st.binary(max_size=60),
    sizes,
)
def test_whatever_is_claimed_of_bytes_is_read_or_refused(claims, raw, shift):
    inputs = [
        binary(size, name=f"t{n}", shape=shape, datatype=datatype)
        for n, (shape, datatype, size) in enumerate(claims)
    ]
    header = json.dumps({"inputs": inputs}).encode()
    try:
        got = to_prediction(parse_body(header + raw, str(len(header) + shift % 3 - 1)), "m")
    except FAILURES:
        return
    assert len(got.rows or got.images) == got.infer.rows
