"""Read rows from JSON lines: an object, or a list in the model's order, in each line."""

import codecs

from app import errors
from app.producer.invocations.model_inputs import ModelInputs
from app.producer.invocations.rows import InputRows, encode_row, in_line
from app.protocol import strict_json


def read_json_lines(body: bytes, model: ModelInputs) -> InputRows:
    """Return a row for each line; only lines at the end may be empty.

    Raises `errors.Invalid` or `errors.Malformed`, which name the line.
    """
    lines = body.removeprefix(codecs.BOM_UTF8).rstrip().split(b"\n")
    if lines == [b""]:
        raise errors.Invalid("body", "empty; expected JSON lines")
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            reason = "is empty; expected a JSON text in each line"
            raise in_line(errors.Malformed(None, reason), number)
        try:
            rows.append(encode_row(strict_json.loads(line), model))
        except errors.Malformed as error:
            raise _counted(error, line, number) from None
        except errors.Invalid as error:
            raise in_line(error, number) from None
    return InputRows(rows, "body", images=model.images, lines=range(1, len(rows) + 1))


def _counted(error: errors.FieldError, line: bytes, number: int) -> errors.FieldError:
    """Return the error of a line that is not JSON, with the number of the line in the body."""
    try:
        strict_json.loads(b"\n" * (number - 1) + line)
    except errors.Malformed as same:  # counts the lines, if it names the place
        if f"line {number}" in same.message:
            same.extra["line"] = number
            return same
    return in_line(error, number)
