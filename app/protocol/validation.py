"""Parse and validate JSON bodies, and say in plain English what is wrong with them."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app import errors, strict_json
from app.protocol.types import EXPLAINED, ROW_TAG, ROWS_TAG

RequestT = TypeVar("RequestT", bound=BaseModel)

# By pydantic's error types; the braces take values of the error's context.
_MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "this key is not known",
    "string_type": "must be a string",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "has characters that are not allowed here",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
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
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}
_FALLBACK = "is not valid"


def parse_request(kind: type[RequestT], body: bytes) -> RequestT:
    """Parse and validate a request. Raises `errors.Invalid`, `Malformed` or `TooLarge`."""
    return validate(kind, strict_json.loads(body))


def validate(kind: type[RequestT], value: Any) -> RequestT:
    """Validate parsed JSON. Raises `errors.Invalid`, or `TooLarge` for too many rows."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = field_name(first["loc"]) or "body"
        if first["type"] == "too_long" and first["loc"][-1] == ROWS_TAG:
            limit = first["ctx"]["max_length"]
            raise errors.TooLarge(name, explain(first), limit=limit) from None
        raise errors.Invalid(name, explain(first)) from None


def explain(error: ErrorDetails) -> str:
    """Return what one of pydantic's errors means, without words of Python or its libraries."""
    if error["type"] == EXPLAINED:
        return error["msg"]
    if error["type"] == "value_error":
        return error["msg"].removeprefix("Value error, ")
    values = error.get("ctx", {})
    if values.get("min_length") == 1:
        return "must not be empty"
    return _MESSAGES.get(error["type"], _FALLBACK).format_map(values)


def field_name(location: tuple[int | str, ...]) -> str:
    """Return the location of one of pydantic's errors as the path of a field."""
    return ".".join(str(part) for part in location if part not in (ROW_TAG, ROWS_TAG))
