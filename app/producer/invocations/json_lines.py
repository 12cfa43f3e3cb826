"""Read rows from JSON lines: an object, or a list in the model's order, in each line."""

import codecs

from app import errors, strict_json
from app.producer.invocations.model_inputs import ModelInputs
from app.producer.invocations.rows import InputRows, encode_row, in_line


def read_json_lines(body: bytes, model: ModelInputs) -> InputRows:
    """Return a row for each line; only lines at the end may be empty.

    Raises `errors.Invalid` or `errors.Malformed`, which name the line.
    """
    lines = body.removeprefix(codecs.BOM_UTF8).rstrip().split(b"\n")
    if lines == [b""]:
        raise errors.Invalid("body", "empty; expected JSON lines")
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            if not line.strip():
                raise errors.Malformed(None, "is empty; expected a JSON text in each line")
            rows.append(encode_row(strict_json.loads(line), model))
        except errors.Invalid as error:
            raise in_line(error, number) from None
    return InputRows(rows, "body", images=model.images, lines=range(1, len(rows) + 1))
