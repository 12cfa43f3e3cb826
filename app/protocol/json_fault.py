"""Describe in plain words the first fault of a text that is not JSON (RFC 8259)."""

import json
import re

from app.protocol.wording import quoted

# By the beginning of the json module's own message.
_SENTENCES = {
    "Unterminated string": "the string that begins here has no closing quotation mark",
    "Invalid control character": "a line break or another control character in a string has to be "
    "escaped",
    "Invalid \\": "a string has a backslash that escapes nothing; write a backslash as two",
    "Illegal trailing comma": "the comma here is one too many",
}
_WANTED = {
    "Expecting property name": 'a name between double quotation marks (")',
    "Expecting ':'": "a colon",
    "Expecting ','": "a comma or the end of the list or object",
}
# By the text that stands where a value, a name or a delimiter has to.
_MISTAKES = {
    re.compile(r"\Z"): "the text ends before the JSON is complete",
    re.compile(r"//|/\*|#"): "JSON has no comments",
    re.compile("['`\u2018-\u201f]"): "a string or a name stands between double quotation marks "
    '("), which are straight',
    re.compile(r"[+.]"): "a number begins with a digit or a minus sign",
}
_LITERALS = {
    **dict.fromkeys(("none", "nil", "undefined", "null", "nan", "na"), "null"),
    "true": "true",
    "false": "false",
}
_WORD = re.compile(r"\w{1,20}")
_BLANK = " \t\n\r"


def describe_fault(error: json.JSONDecodeError) -> str:
    """Return the place of the fault, the text found there, and the text that JSON wants."""
    if not error.doc.strip():
        return "it is empty"
    return f"line {error.lineno}, column {error.colno}: {_cause(error.msg, error.doc, error.pos)}"


def _cause(message: str, text: str, at: int) -> str:
    """Explain `message`, the json module's, about the `text` at the position `at`."""
    for beginning, sentence in _SENTENCES.items():
        if message.startswith(beginning):
            return sentence
    before, rest = text[:at].rstrip(_BLANK), text[at:].lstrip(_BLANK)
    word = _WORD.match(rest)
    found = word[0] if word else rest[:1]
    if message.startswith("Extra data"):
        return f"the JSON ends before {quoted(found)}; send one value"
    if text[at - 1 : at] == "0" and found.isdigit():
        return "a number does not begin with zero; write digits that are no number as a string"
    if before.endswith(",") and found in ("}", "]"):
        return f"the comma before {quoted(found)} is one too many"
    for mistake, sentence in _MISTAKES.items():
        if mistake.match(rest):
            return sentence
    if message.startswith("Expecting value") and found.lower() in _LITERALS:
        return f"found {quoted(found)}; JSON writes {_LITERALS[found.lower()]}"
    wanted = next((_WANTED[each] for each in _WANTED if message.startswith(each)), "a value")
    return f"found {quoted(found)} where {wanted} has to stand"
