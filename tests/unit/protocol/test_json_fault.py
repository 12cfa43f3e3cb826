"""A text that is not JSON is answered with what stands there and what has to."""

import pytest

from app import errors
from app.protocol.strict_json import loads


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("{'a': 1}", "line 1, column 2: a string or a name stands between double quotation marks"),
        ("{\u201ca\u201d: 1}", "line 1, column 2: a string or a name stands between double"),
        ('{"a": None}', 'line 1, column 7: found "None"; JSON writes null'),
        ('{"a": undefined}', 'line 1, column 7: found "undefined"; JSON writes null'),
        ('{"a": nan}', 'line 1, column 7: found "nan"; JSON writes null'),
        ('{"a": [True]}', 'line 1, column 8: found "True"; JSON writes true'),
        ('{"a": FALSE}', 'line 1, column 7: found "FALSE"; JSON writes false'),
        ('{"a": 1,\n}', "is one too many"),
        ("[1, 2, ]", "is one too many"),
        ("{a: 1}", 'line 1, column 2: found "a" where a name between double quotation marks'),
        ('{"a" 1}', 'line 1, column 6: found "1" where a colon has to stand'),
        ('{"a": 1\n "b": 2}', 'line 2, column 2: found "\\"" where a comma or the end of the list'),
        ('{"a": x}', 'line 1, column 7: found "x" where a value has to stand'),
        ('{"a": "x\ny"}', "line break or another control character in a string has to be escaped"),
        ('{"a": "C:\\dir"}', "a string has a backslash that escapes nothing"),
        ('{"a": "\\u12"}', "a string has a backslash that escapes nothing"),
        ('{"a": "x', "line 1, column 7: the string that begins here has no closing quotation mark"),
        ('{"a": 1', "line 1, column 8: the text ends before the JSON is complete"),
        ('{"a":', "line 1, column 6: the text ends before the JSON is complete"),
        ('{"a": 1}\n{"a": 2}', 'line 2, column 1: the JSON ends before "{"; send one value'),
        ("// why\n{}", "line 1, column 1: JSON has no comments"),
        ('{"a": 1 # why\n}', "line 1, column 9: JSON has no comments"),
        ('{"a": .5}', "line 1, column 7: a number begins with a digit or a minus sign"),
        ('{"a": +5}', "line 1, column 7: a number begins with a digit or a minus sign"),
        ('{"zip": 01234}', "line 1, column 10: a number does not begin with zero"),
        ("[10 5]", 'line 1, column 5: found "5" where a comma or the end of the list'),
        ("%PDF", 'line 1, column 1: found "%" where a value has to stand'),
        ("x" * 10**6, 'line 1, column 1: found "xxxxxxxxxxxxxxxxxxxx" where a value'),
    ],
)
def test_what_is_wrong_with_a_text_is_said_in_plain_words(body: str, said: str) -> None:
    with pytest.raises(errors.Malformed) as caught:
        loads(body.encode())

    assert said in caught.value.detail
    assert caught.value.detail.startswith("body: not valid JSON: ")
    assert "Expecting" not in caught.value.detail
    assert len(caught.value.detail) < 200
