"""Rows from CSV: the header, the cells, and what is wrong in which line."""

import json
from typing import Any

import pytest

from app import errors
from app.producer.invocations.csv_rows import Header, read_csv
from app.producer.invocations.model_inputs import ModelInputs

MIXED = ModelInputs("m", {"size": "number", "colour": "text", "new": "boolean"})
NUMBERED = ModelInputs("m", {"0": "number", "1": "number"})
ONE = ModelInputs("m", {"size": "number"})
UNKNOWN = ModelInputs("m", None)
UMLAUT = ModelInputs("m", {"größe": "number", "b": "number"})
ROW = {"size": 1.5, "colour": "red", "new": True}


def rows(body: bytes, model: ModelInputs = MIXED, header: Header | None = None) -> list[Any]:
    return [json.loads(each) for each in read_csv(body, header, model).rows]


@pytest.mark.parametrize(
    "body",
    [
        b"1.5,red,true\n",
        b"1.5,red,true",
        b"1.5,red,true\r\n",
        b"1.5,red,true\r",
        b"1.5,red,true\n\n \r\n",
        b"\xef\xbb\xbf1.5,red,true\n",
        b" 1.5 ,red, True\n",
        b'"1.5","red","TRUE"\n',
        b"size,colour,new\n1.5,red,true\n",
        b"\xef\xbb\xbfnew,size,colour\r\ntrue,1.5,red\r\n",
        b' "size",colour , new\n1.5,red,true\n'.replace(b' "', b'"'),
    ],
)
def test_a_row_with_and_without_a_header(body: bytes) -> None:
    assert rows(body) == [ROW]


@pytest.mark.parametrize(
    ("body", "header", "model", "expected"),
    [
        # A first line that names a column is a header, unless the caller says that it is none.
        (b"colour,colour,true\n", "absent", MIXED, [{**ROW, "size": "colour", "colour": "colour"}]),
        (b"size\n", "absent", ONE, [{"size": "size"}]),
        # Names that are numbers are a header only all together and in order.
        (b"0,1\n5,6\n", None, NUMBERED, [{"0": 5, "1": 6}]),
        (b"1,0\n5,6\n", None, NUMBERED, [{"0": 1, "1": 0}, {"0": 5, "1": 6}]),
        (b"1,0\n5,6\n", "present", NUMBERED, [{"1": 5, "0": 6}]),
        # Names are the same in any form of Unicode.
        ("gro\u0308\u00dfe,b\n1,2\n".encode(), None, UMLAUT, [{"größe": 1, "b": 2}]),
        # The columns of a remote model may not be known.
        (b'x,y,z\n1,"true",\n', "present", UNKNOWN, [{"x": 1, "y": True, "z": None}]),
        (b"x\na b\n", "present", UNKNOWN, [{"x": "a b"}]),
        # An empty line is a missing value of a model with one column, but none at the end.
        (b"1\n\n3\n\n", None, ONE, [{"size": 1}, {"size": None}, {"size": 3}]),
    ],
)
def test_headers(body: bytes, header: Header | None, model: ModelInputs, expected: Any) -> None:
    assert rows(body, model, header) == expected


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("7", 7), ("-0", 0), ("007", 7), ("+3", 3), (".5", 0.5), ("5.", 5), ("1e3", 1000),
        ("12345678901234567890", 12345678901234567890), ("1E+05", 100000),
        ("", None), ("NA", None), ("nan", None), ("null", None), ("None", None),
        # The consumer refuses these, with the line.
        ("inf", "inf"), ("1e999", "1e999"), ("1_000", "1_000"), ("٣", "٣"), ("red", "red"),
        ("0x10", "0x10"), ("1,5", "1,5"), ("true", "true"),
    ],
)  # fmt: skip
def test_a_number(cell: str, value: Any) -> None:
    assert rows(f'"{cell}"\n9\n'.encode(), ONE)[0] == {"size": value}


@pytest.mark.parametrize(
    ("cell", "colour", "new"),
    [
        ("", None, None),
        ("NA", "NA", None),  # in texts, only the empty cell is missing
        ("true", "true", True),
        ("False", "False", False),
        ("1", "1", True),
        ("yes", "yes", True),
        ("2", "2", "2"),
        ('say ""hi""', 'say "hi"', 'say "hi"'),
        ("two\r\nlines", "two\r\nlines", "two\r\nlines"),
        ("a,b", "a,b", "a,b"),
    ],
)
def test_a_text_and_a_boolean(cell: str, colour: Any, new: Any) -> None:
    assert rows(f'1,"{cell}","{cell}"'.encode()) == [{"size": 1, "colour": colour, "new": new}]


@pytest.mark.parametrize(
    ("body", "header", "model", "said"),
    [
        (b"", None, MIXED, "body: empty; expected CSV"),
        (b"\r\n\n", None, MIXED, "body: empty; expected CSV"),
        (b"size,colour,new\n", None, MIXED, "body: no row below the header"),
        (b"1,gr\xfc\xdf\n", None, MIXED, "body: not CSV: line 1 has the byte FC"),
        ("1,red".encode("utf-16"), None, MIXED, "body: not CSV: its text is UTF-16"),
        (b"\x1f\x8b\x08", None, MIXED, "body: not CSV: it is compressed by gzip"),
        (b"1,red\n", None, MIXED,
         "body: line 1: has 2 values, but model m takes 3: size, colour, new"),
        (b"1,red,true\n\n2,red,true\n", None, MIXED,
         "body: line 2: is empty; expected a row in each line"),
        (b"1;red;true\n", None, MIXED, "body: line 1: the fields are separated by semicolons; sep"),
        (b"size\tcolour\tnew\n1\tred\ttrue\n", "present", MIXED,
         "body: line 1: the fields are separated by tabs; separate them by commas"),
        (b"sep=,\n1,red,true\n", None, MIXED,
         "body: line 1: the first line, sep=,, is for Excel only; remove it"),
        (b"Gr\xc3\xb6\xc3\x9fe,c\n1,2\n", None, UMLAUT,
         'body: line 1: no number, and no column of the model; did you mean "größe"?; it takes '
         "größe, b"),
        (b'1,"r\ne\nd",true\n2\n', None, MIXED,
         "body: line 4: has 1 value, but model m takes 3: size, colour, new"),
        (b"size,colour,new\n1,2,3,4\n", None, MIXED,
         "body: line 2: has 4 values, but the header names 3: size, colour, new"),
        (b"size,color,new\n1,2,3\n", None, MIXED,
         'body: line 1, column color: the model has no column "color"; did you mean "colour"?; '
         "model m takes size, colour, new"),
        (b"size,colour,new,price\n1,2,3,4\n", None, MIXED,
         'body: line 1, column price: the model has no column "price" (send extra=ignore in '
         "X-Amzn-SageMaker-Custom-Attributes to have it ignored); model m takes size, colour, new"),
        (b"size;colour;new\n1,5;red;true\n", None, MIXED,
         "body: line 1: the fields are separated by semicolons; separate them by commas"),
        (b"size;colour;new\n1,5;red;true\n", "present", MIXED,
         "body: line 1: the fields are separated by semicolons; separate them by commas"),
        (b"size\tcolour\n1\tred\n", "present", UNKNOWN,
         "body: line 1: the fields are separated by tabs; separate them by commas"),
        (b'"size";"colour"\n1;"red"\n', None, MIXED,
         "body: line 1: the fields are separated by semicolons; separate them by commas"),
        (b"1\tred\ttrue\n", None, MIXED,
         "body: line 1: the fields are separated by tabs; separate them by commas"),
        (b"1,5;red;true\n", None, MIXED,
         "body: line 1: the fields are separated by semicolons; separate them by commas"),
        (b"1,a|b\n", None, ONE, "body: line 1: has 2 values, but model m takes 1: size"),
        (b"1,red,true2,red,true3,red,true", None, MIXED,
         "body: line 1: has 7 values, but model m takes 3: size, colour, new; "
         "curl's -d removes line breaks, use -T or --data-binary"),
        (b"size,colour,new1,red,true2,,false", None, MIXED,
         "body: no row below the header; curl's -d removes line breaks, use -T or --data-binary"),
        (b'size,colour,new1,"red",2,"blue",', None, MIXED,
         "body: no row below the header; curl's -d removes line breaks, use -T or --data-binary"),
        (b'1,"red"2,"blue"', None, MIXED,
         "body: line 1: a quoted field goes on after its end; write a quote inside of it twice; "
         "curl's -d removes line breaks, use -T or --data-binary"),
        (b"size,new\n1,true\n", None, MIXED,
         "body: line 1: the header lacks colour; model m takes size, colour, new"),
        (b",size,colour,new\n0,1,red,true\n", None, MIXED,
         "body: line 1: column 1 has no name; leave out the index of a data frame"),
        (b"size,size,colour\n1,2,3\n", None, MIXED, "body: line 1: names a column twice: size"),
        (b'1,red,true\n1,"red,true\n', None, MIXED,
         "body: line 2: a quoted field is never closed"),
        (b'1,"red"x,true\n', None, MIXED,
         "body: line 1: a quoted field goes on after its end; write a quote inside of it twice"),
        (b"1,red,%b\n" % (b"x" * 200_000), None, MIXED,
         "body: line 1: a field is longer than 131072 characters"),
        (b"1,2\n", None, UNKNOWN, "body: the order of the columns of model m is not known"),
        (b"1,2\n", None, ModelInputs("m", {}, images=True),
         "body: model m takes images, not rows"),
    ],
)  # fmt: skip
def test_a_csv_that_cannot_be_read(
    body: bytes, header: Header | None, model: ModelInputs, said: str
) -> None:
    with pytest.raises(errors.Invalid) as caught:
        read_csv(body, header, model)
    assert caught.value.detail.startswith(said)
    assert caught.value.extra["field"] == "body"


@pytest.mark.parametrize(
    ("body", "model"),
    [(b"1,red", MIXED), (b"1,red,true,4\n", MIXED), (b"size,colour,new\n", MIXED)],
)
def test_curl_is_not_named_where_it_removed_nothing(body: bytes, model: ModelInputs) -> None:
    with pytest.raises(errors.Invalid) as caught:
        read_csv(body, None, model)
    assert "curl" not in caught.value.detail


def test_a_name_of_the_model_may_hold_a_separator() -> None:
    assert rows(b"a;b\n1\n", ModelInputs("m", {"a;b": "number"})) == [{"a;b": 1}]


def test_the_line_of_a_row_is_the_first_of_its_lines() -> None:
    body = b'size,colour,new\r\n1,"a\r\nb",true\r\n2,c,true\r\n'
    assert read_csv(body, None, MIXED).lines == [2, 4]


@pytest.mark.parametrize(
    ("cell", "zip_", "day"),
    [
        ("", None, None),
        ("NA", "NA", None),
        ("01", "01", "01"),
        ("1.0", "1.0", "1.0"),  # the model makes one category of it and of 1
        ("2025-01-31", "2025-01-31", "2025-01-31"),
    ],
)
def test_a_category_and_a_date(cell: str, zip_: Any, day: Any) -> None:
    model = ModelInputs("m", {"zip": "category", "day": "date"})

    assert rows(f"{cell},{cell}".encode(), model) == [{"zip": zip_, "day": day}]
