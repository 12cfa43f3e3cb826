"""Translate pydantic's errors, by their type, into the words of JSON.

A user never sees pydantic's own text. The types that the schemas can produce have a sentence each;
a test reads them from the schemas.
"""

from pydantic_core import ErrorDetails

from app.protocol.types import (
    EXPLAINED,
    EXPLAINED_OF_SECRET,
    LIST_TAG,
    LISTS_TAG,
    OBJECT_TAG,
    ROW_TAG,
    ROWS_TAG,
)
from app.protocol.wording import cut

# By pydantic's error types; the braces take values of the error's context.
_SENTENCES = {
    "missing": "is missing",
    "extra_forbidden": "this key is not known",
    "string_type": "must be a string",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_unicode": "must be Unicode text",
    "string_pattern_mismatch": "has characters that are not allowed here",
    "int_type": "must be a whole number, written in digits only",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large",
    "int_from_float": "must be a whole number, written in digits only",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "multiple_of": "must be a multiple of {multiple_of:.15g}",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "greater_than": "must be greater than {gt:.15g}",
    "greater_than_equal": "must be at least {ge:.15g}",
    "less_than": "must be less than {lt:.15g}",
    "less_than_equal": "must be at most {le:.15g}",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "invalid_key": "the keys must be strings",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "none_required": "must be null",
    "recursion_loop": "is nested too deep",
    "recursion_depth_exceeded": "is nested too deep",
    "invalid-json-value": "must be a JSON value",
}
_OF_KEY = "[key]"  # which pydantic adds where the key itself is wrong
_TAGS = (ROW_TAG, ROWS_TAG, LISTS_TAG, OBJECT_TAG, LIST_TAG)
_FALLBACK = "is not valid"


def explain(error: ErrorDetails) -> str:
    """Return the meaning of one of pydantic's errors, without words of Python or its libraries."""
    if error["type"] in (EXPLAINED, EXPLAINED_OF_SECRET):
        return error["msg"]
    if error["type"] == "value_error":
        return error["msg"].removeprefix("Value error, ")
    values = error.get("ctx", {})
    if values.get("min_length") == 1:
        return "must not be empty"
    if "expected" in values:  # pydantic quotes as Python does
        values = {**values, "expected": values["expected"].replace("'", '"')}
    return _SENTENCES.get(error["type"], _FALLBACK).format_map(values)


def field_name(location: tuple[int | str, ...]) -> str:
    """Return the location of one of pydantic's errors as the path of a field."""
    if len(location) > 1 and location[-1] == _OF_KEY:
        location = location[:-1]
    parts = (cut(str(part)) or '""' for part in location if part not in _TAGS)
    return ".".join(parts)
