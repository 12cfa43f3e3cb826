"""Tell the forms of a request to /invocations apart."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from app import errors
from app.producer.invocations.csv_rows import Header, read_csv
from app.producer.invocations.json_lines import read_json_lines
from app.producer.invocations.json_rows import INPUTS, has_lists, read_rows, unwrap
from app.producer.invocations.model_inputs import ModelInputs
from app.producer.invocations.rows import InputRows
from app.protocol import strict_json
from app.protocol.media_types import is_json_lines
from app.protocol.types import CSV_MEDIA_TYPE, JSON_MEDIA_TYPE, MAX_ROWS


@dataclass(frozen=True)
class InvocationRequest:
    """A request whose form is known.

    `plain` is the body of a prediction as it would go to `/predict`, without the model. It is None
    if the rows have to be read first; `read` returns them, and `beside` holds the keys beside them.
    In JSON, `wrapped` rows get an answer `{"predictions"}`.
    """

    beside: dict[str, Any]
    read: Callable[[ModelInputs], InputRows]
    wrapped: bool = True
    plain: dict[str, Any] | None = None


def parse_invocation(kind: str, header: Header | None, body: bytes) -> InvocationRequest:
    """Return the call in a body of the media type `kind`. Raises `errors.Invalid`."""
    if kind == CSV_MEDIA_TYPE:
        return InvocationRequest({}, partial(read_csv, body, header))
    if is_json_lines(kind):
        return InvocationRequest({}, partial(read_json_lines, body))
    if kind == JSON_MEDIA_TYPE:
        field, rows, beside = unwrap(strict_json.loads_request(body))
    else:
        field, rows, beside = INPUTS, None, {"image_data": base64.b64encode(body).decode()}
    too_many = isinstance(rows, list) and len(rows) > MAX_ROWS
    read = partial(read_rows, field, rows)
    if field != INPUTS:
        return InvocationRequest(beside, read)
    if too_many or has_lists(rows):
        return InvocationRequest(beside, read, wrapped=False)
    plain = {INPUTS: rows, **beside}
    if strict_json.is_deeper(plain, strict_json.MAX_DEPTH):  # a row may be, as a part of a message
        raise errors.Invalid(INPUTS, f"is nested deeper than {strict_json.MAX_DEPTH - 1} levels")
    return InvocationRequest(beside, read, wrapped=False, plain=plain)
