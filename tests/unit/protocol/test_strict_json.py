import json

import pytest

from app import errors
from app.protocol.strict_json import (
    CHUNK,
    MAX_CONTAINERS,
    MAX_KEYS,
    MAX_VALUES,
    dumps,
    loads,
    loads_request,
)
from tests.support.packing import gzip_compress


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not valid JSON: line 1, column 2: the text ends before the JSON is complete"),
        (
            '"ä"'.encode("latin-1"),
            "line 1 has the byte E4, which is not UTF-8 there; the text seem",
        ),
        ('{"a":\n"ä"}'.encode("latin-1"), "line 2 has the byte E4"),
        ('"ä"'.encode()[:2], "line 1 ends within a character; the text was cut off"),
        ('{"a": 1}'.encode("utf-16"), "its text is UTF-16; save it as UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "its text is UTF-16"),
        (
            gzip_compress(b"{}"),
            "it is compressed by gzip; name that as its content encoding, or",
        ),
        (b"PAR1\x15\x04\x15", "it is a Parquet file; send JSON"),
        (b"<!DOCTYPE html>\n<title>", "it is an HTML page; send JSON"),
        (b"a\xef\xbb\xbf", 'line 1, column 1: found "a" where a value has to stand'),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b"[" * 65 + b"1" + b"]" * 65, "nested deeper than 64 levels"),
        (b"[" * 100_000, "nested deeper than 64 levels"),
        (b"1" * 5000, "a number has too many digits"),
        (b"1" + b"0" * 400 + b".5", "is too large for a number"),
        (b"NaN", "NaN is not a JSON number"),
        (b'{"a\\"b": 1, "a\\"b": 1}', 'the key "a\\"b" stands twice in one object'),
        (b'{"%b":1,"%b":2}' % (b"k" * 10**6, b"k" * 10**6), "stands twice in one object"),
    ],
)
def test_a_body_that_is_not_strict_is_refused_in_plain_words(body, says):
    with pytest.raises(errors.Malformed) as caught:
        loads(body)

    assert says in caught.value.detail
    assert caught.value.detail.startswith("body: not valid JSON: ")
    assert caught.value.extra == {"field": "body"}
    assert len(caught.value.detail) < 200
    for word in ("codec", "recursion", "sys.", "Exceeds", "Error"):
        assert word not in caught.value.detail


@pytest.mark.parametrize("text", ["1", '{"a": "ä"}', '"\ufeff"', " []"])
def test_a_byte_order_mark_may_come_first(text):
    assert loads(text.encode("utf-8-sig")) == loads(text.encode()) == json.loads(text)


def test_an_object_may_be_nested_64_levels_deep():
    assert loads(b"[" * 64 + b"1" + b"]" * 64)


@pytest.mark.parametrize("length", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_a_list_of_any_length_is_written_whole(length):
    fields = {"a": list(range(length)), "ä": [{"b": None}] * length, "c": "text"}

    assert json.loads(dumps(fields)) == fields


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("nan")] * 200])
def test_no_number_that_json_lacks_is_written(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps({"a": value})


@pytest.mark.parametrize(
    ("value", "most", "says"),
    [
        (b"[]", MAX_CONTAINERS, "more than 200000 lists and objects; send it in parts"),
        (b'{"a":{}}', MAX_CONTAINERS // 2, "more than 200000 lists and objects"),
        (b"1", MAX_VALUES, "more than 500000 values; send it in parts"),
        (b'""', MAX_VALUES, "more than 500000 values"),
    ],
)
def test_a_request_has_only_so_many_values(value, most, says):
    loads_request(b"[" + b",".join([value] * (most - 1)) + b"]")

    with pytest.raises(errors.TooLarge, match=says):
        loads_request(b"[" + b",".join([value] * (most + 2)) + b"]")


def test_a_request_may_have_fewer_values():
    assert loads_request(b"[1,2]", 5) == [1, 2]
    with pytest.raises(errors.TooLarge, match="more than 3 values"):
        loads_request(b"[1,2,3,4]", 3)


def test_an_object_has_only_so_many_keys():
    pairs = [f'"{number}":0' for number in range(MAX_KEYS + 1)]

    assert len(loads(f"{{{','.join(pairs[1:])}}}".encode())) == MAX_KEYS
    with pytest.raises(errors.Malformed, match="an object has more than 50000 keys"):
        loads(f"{{{','.join(pairs)}}}".encode())
