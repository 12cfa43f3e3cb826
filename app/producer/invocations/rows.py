"""The rows of a request, encoded for messages, and where each of them stands in the request."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app import errors
from app.producer.invocations.model_inputs import ModelInputs
from app.protocol import strict_json
from app.protocol.types import MAX_IMAGES, MAX_ROWS
from app.protocol.wording import listed

PIECE_BYTES = 1_000_000  # of rows in a message, so that a consumer answers others in between
_DEPTH = strict_json.MAX_DEPTH - 2  # the message is an object with a list of rows


@dataclass(frozen=True)
class InputRows:
    """Rows or images, each encoded as JSON. `many` tells whether they came as a list.

    `field` is their name in the request. `lines` are the numbers of their lines, if they came in
    lines.
    """

    rows: list[str]
    field: str
    many: bool = True
    images: bool = False
    lines: Sequence[int] | None = None

    @property
    def size(self) -> int:
        """Return the characters of all rows."""
        return sum(map(len, self.rows))

    def pieces(self) -> Iterator[range]:
        """Yield the places of the rows that go into one message."""
        most = MAX_IMAGES if self.images else MAX_ROWS
        begin = size = 0
        for place, row in enumerate(self.rows):
            if place > begin and (place - begin == most or size + len(row) > PIECE_BYTES):
                yield range(begin, place)
                begin, size = place, 0
            size += len(row)
        yield range(begin, len(self.rows))

    def message(self, places: range) -> bytes:
        """Return the inputs of a message with some of the rows."""
        name = "image_data" if self.images else "input_data"
        some = ",".join(self.rows[places.start : places.stop])
        return f'{{"{name}":{f"[{some}]" if self.many else some}}}'.encode()

    def located(self, error: errors.FieldError, first: int) -> errors.FieldError:
        """Return the error of a message, whose rows begin with row `first`, for the request.

        Its field is `input_data.0.age`, for example: a row counted from 0 and a column.
        """
        name, _, rest = str(error.extra.get("field")).partition(".")
        if name not in ("input_data", "image_data"):
            return error
        number, _, column = rest.partition(".") if self.many else ("", "", rest)
        if number.isdecimal() and (place := first + int(number)) < len(self.rows):
            if self.lines:
                return in_line(error, self.lines[place], column)
            rest = f"{place}.{column}" if column else str(place)
        return error.renamed(f"{self.field}.{rest}" if rest else self.field)


def in_line(error: errors.FieldError, line: int, column: str = "") -> errors.FieldError:
    """Return the same error about a line of the body, and one of its columns."""
    place = {"line": line, "column": column} if column else {"line": line}
    words = ", ".join(f"{name} {value}" for name, value in place.items())
    return error.renamed("body", f"{words}: {error.message}", **place)


def encode_row(value: Any, model: ModelInputs) -> str:
    """Encode a row or an image of parsed JSON: an object, a list in the model's order, or base64.

    SageMaker's `{"features": [...]}` and `{"data": {"features": {"values": [...]}}}` are lists in
    the model's order, too. A single value is a row of a model with one column. Raises
    `errors.Invalid`.
    """
    if model.images:
        return _encode_image(value)
    match value:
        case {"features": [*values], **rest} if not rest:
            return _in_order(values, model)
        case {"data": {"features": {"values": [*values]}}, **rest} if not rest:
            return _in_order(values, model)
        case dict():
            return _encode_object(value)
        case list():
            return _in_order(value, model)
    if model.columns is not None and len(model.columns) == 1:
        return _in_order([value], model)
    raise errors.Invalid(None, "must be an object or a list of values")


def _encode_image(value: Any) -> str:
    if isinstance(value, dict) and len(value) == 1:
        value = value.get("b64", value.get("image_data"))
    if not isinstance(value, str):
        raise errors.Invalid(None, 'must be an image in base64, or {"b64"} with one')
    if not value:
        raise errors.Invalid(None, "must not be empty")
    return strict_json.encode(value)


def wrong_count(count: int, wanted: str, names: list[str]) -> errors.Invalid:
    """Return the error of a row of `count` values; `wanted` begins the clause on `names`."""
    has = "1 value" if count == 1 else f"{count} values"
    return errors.Invalid(None, f"has {has}, but {wanted} {len(names)}: {listed(names)}")


def _in_order(values: list[Any], model: ModelInputs) -> str:
    names = model.in_order()
    if len(values) != len(names):
        raise wrong_count(len(values), f"model {model.model_id} takes", names)
    return _encode_object(dict(zip(names, values, strict=True)))


def _encode_object(row: dict[str, Any]) -> str:
    if strict_json.is_deeper(row, _DEPTH):
        raise errors.Invalid(None, f"is nested deeper than {_DEPTH} levels")
    return strict_json.encode(row)
