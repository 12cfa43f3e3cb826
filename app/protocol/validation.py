"""Parse and validate JSON bodies, and describe their first fault in plain English."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app import errors
from app.protocol import strict_json
from app.protocol.hints import describe_body, hint
from app.protocol.sentences import explain, field_name
from app.protocol.types import LISTS_TAG, ROWS_TAG

RequestT = TypeVar("RequestT", bound=BaseModel)


def parse_request(kind: type[RequestT], body: bytes) -> RequestT:
    """Parse and validate a request. Raises `errors.Invalid`, `Malformed` or `TooLarge`."""
    return validate(kind, strict_json.loads_request(body))


def validate(kind: type[RequestT], value: Any) -> RequestT:
    """Validate parsed JSON. Raises `errors.Invalid`, or `TooLarge` for too many rows."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise refusal(kind, value, first, first["loc"]) from None


def refusal(
    kind: type[BaseModel], value: object, first: ErrorDetails, location: tuple[int | str, ...]
) -> errors.FieldError:
    """Return the error about a `value` that is no `kind`.

    `first` is pydantic's first error, and `location` its location inside of `value`.
    """
    name = field_name(location) or "body"
    if first["type"] == "too_long" and location[-1] in (ROWS_TAG, LISTS_TAG):
        return errors.TooLarge(name, explain(first), limit=first["ctx"]["max_length"])
    if said := describe_body(kind, value):
        return errors.Invalid("body", said)
    return errors.Invalid(name, explain(first) + hint(first, location, kind, value))
