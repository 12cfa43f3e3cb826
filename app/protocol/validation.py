"""Parse and validate JSON bodies."""

from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    ValidationError,
)

from app import errors, strict_json
from app.protocol.types import ROW_TAG, ROWS_TAG

RequestT = TypeVar("RequestT", bound=BaseModel)


def parse_request(kind: type[RequestT], body: bytes) -> RequestT:
    """Parse and check a request. Raises `errors.Invalid`, `Malformed` or `TooLarge`."""
    return validate(kind, strict_json.loads(body))


def validate(kind: type[RequestT], value: Any) -> RequestT:
    """Check what was parsed. Raises `errors.Invalid`, or `TooLarge` for too many rows."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = field_name(first["loc"]) or "body"
        if first["type"] == "too_long" and first["loc"][-1] == ROWS_TAG:
            limit = first["ctx"]["max_length"]
            raise errors.TooLarge(name, f"{first['msg']}", limit=limit) from None
        said = first["msg"].removeprefix("Value error, ")
        raise errors.Invalid(name, f"{said}") from None


def field_name(location: tuple[int | str, ...]) -> str:
    """Return pydantic's location of an error as the path of a field."""
    return ".".join(str(part) for part in location if part not in (ROW_TAG, ROWS_TAG))
