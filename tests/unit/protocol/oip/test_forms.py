"""Requests whose form is known are read as those whose form is new: the same values and errors."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.protocol import strict_json
from app.protocol.oip.forms import MAX_BYTES, MAX_FORMS, check_infer, parse_infer
from app.protocol.oip.request import read_infer
from app.protocol.oip.rows import to_prediction

FAILURES = (errors.Invalid, errors.Malformed, errors.TooLarge)
OUTPUTS = [{"name": "prediction"}]


def tensor(name="a", data='"data":[1.5, null]', shape="[2]", more="", datatype="FP64"):
    return f'{{"name":"{name}","shape":{shape},"datatype":"{datatype}"{more},{data}}}'


def body(*tensors, more=""):
    return f'{{"inputs":[{",".join(tensors)}]{more}}}'.encode()


def outcome(parse, header, raw=b""):
    """What a function returns or raises: all but the tensors, their elements, and the rows."""
    try:
        found = parse(header, raw)
        elements = {each.name: list(each.elements()) for each in found.tensors}
        rest = found._replace(tensors=[], columns={})
        return rest, elements or found.columns, to_prediction(found, "m").input_data
    except FAILURES as error:
        return type(error), error.detail


def whole(header, raw=b""):
    return read_infer(strict_json.loads_request(header), raw)


def is_known(first, second, raw=b""):
    """Whether the second request is read by the form of the first; both ask for outputs."""
    return parse_infer(first, raw).outputs is parse_infer(second, raw).outputs


def asked(**more):
    one = {"name": "a", "shape": [1], "datatype": "FP64", "data": [1]}
    return json.dumps({"inputs": [one | more], "outputs": OUTPUTS}).encode()


def test_other_elements_have_the_same_form():
    first = asked()
    assert is_known(first, asked(data=[-2.5e3]))
    assert is_known(first, asked(data=[None]))
    assert is_known(first, first.replace(b"[1]}", b'[ "x]" ]}'))
    assert not is_known(first, asked(data=[[2]]))
    assert not is_known(first, asked(name="b"))
    assert not is_known(first, asked(datatype="FP32"))
    assert not is_known(asked(data=["\\"]), asked(data=["\\"]))


def test_another_id_has_the_same_form():
    first = asked()[:-1] + b', "id": "1"}'
    for own in (b"2", b"", b"a-long one: {[,]}"):
        second = first.replace(b'"id": "1"', b'"id": "%s"' % own)
        assert is_known(first, second)
        assert parse_infer(second, b"").id == own.decode()
    assert not is_known(first, asked())
    assert parse_infer(asked(), b"").id is None


@pytest.mark.parametrize(
    "more",
    [
        ',"id":"other"',
        ',"id":""',
        ',"id":null',
        ',"id":7',
        ',"id":"\\u0031"',
        ',"id":"\\""',
        ',"id":"é"',
        ',"id":"\x01"',
        ',"id":"1","id":"2"',
        ',"\\u0069d":"2"',
        ',"id":"1","\\u0069d":"2"',
        ',"parameters":{"id":"2"}',
        ',"id":"1","parameters":{"id":"2"}',
        ',"parameters":{"id":"2"},"id":"1"',
        ',"id" : "1"',
        "",
    ],
)
def test_an_id_is_read_wherever_it_stands(more):
    parse_infer(body(tensor(), more=',"id":"1"'), b"")
    header = body(tensor(), more=more)
    expected = outcome(whole, header)

    assert outcome(parse_infer, header) == expected
    assert outcome(parse_infer, header) == expected  # whether or not its form is known now


def test_bytes_of_the_same_size_have_the_same_form():
    header = asked(data=None, parameters={"binary_data_size": 8})
    header = header.replace(b', "data": null', b"")
    assert is_known(header, header, struct.pack("<d", 1.5))
    got = parse_infer(header, struct.pack("<d", 2.5))
    assert list(got.tensors[0].elements()) == [2.5]
    assert outcome(parse_infer, header, b"\0" * 9) == outcome(whole, header, b"\0" * 9)
    assert outcome(parse_infer, header) == outcome(whole, header)


def test_bytes_and_lists_stay_in_their_order():
    size = ',"parameters":{"binary_data_size":16}'
    binary = [f'{{"name":"{name}","shape":[2],"datatype":"FP64"{size}}}' for name in "bd"]
    for first in (1.5, 2.5):
        raw = struct.pack("<4d", first, 2, 3, 4)
        lists = [
            tensor("a", f'"data":[{first},0]'),
            tensor("c", '"data":["x","y"]', datatype="BYTES"),
        ]
        header = body(lists[0], binary[0], lists[1], binary[1])
        found = parse_infer(header, raw)
        elements = [list(each.elements()) for each in found.tensors]
        assert elements == [[first, 0], [first, 2], ["x", "y"], [3, 4]]


@pytest.mark.parametrize(
    ("datatype", "data", "are_ready"),
    [
        ("FP64", "[1.5,null]", True),
        ("FP64", "[1.5,2]", False),
        ("BYTES", '["x",""]', True),
        ("BOOL", "[true,false]", True),
        ("FP32", "[0.1,0.2]", False),
        ("INT64", "[1,2]", False),
    ],
)
def test_features_of_a_known_form_are_columns_where_their_elements_need_no_check(
    datatype, data, are_ready
):
    parts = [tensor(name, f'"data":{data}', datatype=datatype) for name in "ab"]
    parse_infer(body(*parts), b"")
    assert bool(parse_infer(body(*parts), b"").columns) is are_ready
    assert outcome(parse_infer, body(*parts)) == outcome(whole, body(*parts))


@pytest.mark.parametrize(
    "bodies",
    [
        body(tensor("input-0", shape="[1,2]")),
        body(tensor("input-0", '"data":[1.5]', shape="[1]")),
        body(tensor("a", '"data":[1.5]', shape="[1,1]")),
        body(tensor(), tensor("b", '"data":["x","y"]', datatype="BYTES")),
        body(tensor("a", shape="[1,2]"), tensor("b", '"data":[1.5]', shape="[1,1]")),
        body(tensor("image_data", '"data":["x","y"]', datatype="BYTES")),
    ],
)
def test_other_tensors_of_a_known_form_are_no_columns(bodies):
    """Neither a matrix, nor images, nor tensors of several datatypes."""
    expected = outcome(whole, bodies)
    for _ in range(2):
        assert outcome(parse_infer, bodies) == expected
        assert not parse_infer(bodies, b"").columns


@pytest.mark.parametrize("header", [body(tensor()), body(tensor(data='"data":[1]')), b"{"])
def test_a_check_tells_the_rows_or_the_error_of_reading(header):
    def rows(parse):
        try:
            return parse(header, b"")
        except FAILURES as error:
            return type(error), error.detail

    expected = rows(lambda *request: whole(*request).rows)
    assert [rows(check_infer) for _ in range(2)] == [expected] * 2


@pytest.mark.parametrize(
    "data",
    [
        '"data":[1]',
        '"data":[1,2,3]',
        '"data":[]',
        '"data":[1,]',
        '"data":[1 2]',
        '"data":[NaN, 1]',
        '"data":[1e999, 1]',
        '"data":[01, 1]',
        '"data":["x", 1]',
        '"data":["\x01", 1]',
        '"data":[1:2, 1]',
        '"data":["a":2, 1]',
        '"data":[true, 1]',
        '"data":[[1], [2]]',
        '"data":["\\ud800", 1]',
        '"data":{"a":1}',
        '"data":null',
        '"data":[1,2],"data":[3,4]',
        '"data":"data"',
        '"d\\u0061ta":[1,2]',
        '"d\\u0061ta":[1,2],"x":{"data":[3,4]}',
        '"data":[[1],[2]],"x":{"data":[3,4]}',
        '"data" : [ 1 , 2 ]',
    ],
)
def test_elements_that_are_wrong_get_the_same_error(data):
    parse_infer(body(tensor(), tensor("b")), b"")
    header = body(tensor(data=data), tensor("b"))
    expected = outcome(whole, header)

    assert outcome(parse_infer, header) == expected
    assert outcome(parse_infer, header) == expected  # whether or not its form is known now


def test_only_the_elements_of_tensors_may_differ():
    """Other keys called `data` belong to the form, and so does what looks like one."""
    for data, other in (("[1,2]", "[3,4]"), ("[[1],[2]]", "[3,4]"), ('["x","y"]', "[5,6]")):
        for changed in ("[7,8]", "[[7],[8]]"):
            for more in (f',"parameters":{{"data":{other}}}', f',"data":{other}'):
                parse_infer(body(tensor(data=f'"data":{data}'), more=more), b"")
                header = body(tensor(data=f'"data":{changed}'), more=more)
                assert outcome(parse_infer, header) == outcome(whole, header)
                header = body(tensor(data=f'"data":{data}'), more=more.replace(other, changed))
                assert outcome(parse_infer, header) == outcome(whole, header)
    for name in ("data", '\\"data\\":[1,2]', "x"):
        header = body(tensor(name), tensor("b"))
        assert outcome(parse_infer, header) == outcome(whole, header)


def test_forms_are_forgotten_and_a_long_request_has_none():
    first = asked()
    assert is_known(first, first)
    known = parse_infer(first, b"").outputs
    for number in range(MAX_FORMS + 1):
        parse_infer(asked(name=f"n{number}"), b"")
    assert parse_infer(first, b"").outputs is not known
    long = asked(shape=[MAX_BYTES // 2], data=[0] * (MAX_BYTES // 2))
    assert len(long) > MAX_BYTES
    assert not is_known(long, long)


scalars = st.sampled_from(
    [
        "1",
        "2.5",
        "-0.0",
        "1e3",
        "null",
        "true",
        '"x"',
        '""',
        '"]"',
        '"data"',
        '"\\"data\\":["',
        "[1]",
        "{}",
        "",
    ]
)
lists = st.lists(scalars, max_size=3).map(lambda each: f"[{','.join(each)}]")
tails = st.sampled_from(["", ',"data":[1]', ',"x":"data"', ',"x":{"data":[2]}', ',"x":"\\""'])


@given(st.lists(st.tuples(lists, lists, tails), min_size=1, max_size=3), tails)
def test_any_two_requests_of_a_form_are_read_as_if_they_were_new(tensors, tail):
    for place in (0, 1, 0):
        header = body(
            *(
                tensor(f"t{n}", f'"data":{each[place]}{each[2]}', shape="[1]")
                for n, each in enumerate(tensors)
            ),
            more=tail,
        )
        assert outcome(parse_infer, header) == outcome(whole, header)
