"""Read the rows of a CSV (RFC 4180), with or without a header.

Without a header the columns stand in the model's order, as in SageMaker's own containers. A cell
has the same meaning as in a data set of a training.
"""

import csv
import io
import json
import re
from collections.abc import Callable
from math import isfinite
from typing import Literal

from app import errors
from app.producer.invocations.model_inputs import ColumnType, ModelInputs
from app.producer.invocations.rows import InputRows, in_line, wrong_count
from app.producer.schemas.invocations import ATTRIBUTES
from app.producer.uploads.csv_header import CURL_JOINED, has_line_break, separator_problem
from app.protocol import content_sniffing
from app.protocol.cells import declared_boolean, means_missing
from app.protocol.wording import cut, did_you_mean, listed, nfc, quoted, repeated

Header = Literal["present", "absent"]

_Record = tuple[int, list[str]]  # the number of its first line, and its cells

_HOW_IGNORED = f" (send extra=ignore in {ATTRIBUTES} to have it ignored)"
# A number that is JSON as it stands, and finite.
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,199})(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")


# By a part of what the csv module says.
_FAULTS = {
    "unexpected end": "a quoted field is never closed",
    "expected after": "a quoted field goes on after its end; write a quote inside of it twice",
    "field limit": f"a field is longer than {csv.field_size_limit()} characters",
}


def read_csv(body: bytes, header: Header | None, model: ModelInputs) -> InputRows:
    """Return the rows of a CSV. Raises `errors.Invalid`, which names the line.

    If `header` is None, the first line is a header when it names a column of the model.
    """
    if model.images:
        raise model.takes_images()
    remedy = "" if has_line_break(body) else f"; {CURL_JOINED}"
    records = _records(body, remedy)
    if not records:
        raise errors.Invalid("body", "empty; expected CSV")
    first_line, first = records[0]
    if problem := _first_line_problem(first, header, model):
        raise in_line(errors.Invalid(None, problem), first_line)
    if header is None and _names_columns(first, model):
        header = "present"
    if header == "present":
        if len(records) == 1:
            raise errors.Invalid("body", f"no row below the header{remedy}")
        names = _header(first, first_line, model)
        del records[0]
    else:
        names = model.in_order()
    columns = model.columns or {}
    keys = [f"{json.dumps(name, ensure_ascii=False)}:" for name in names]
    cells = [_CELLS[columns.get(name, "any")] for name in names]
    rows = []
    for line, record in records:
        if record == [""] and len(names) > 1:
            raise in_line(errors.Invalid(None, "is empty; expected a row in each line"), line)
        if len(record) != len(names):
            wanted = "the header names" if header == "present" else f"model {model.model_id} takes"
            raise in_line(_misfit(record, wanted, names, remedy), line)
        pairs = zip(keys, cells, record, strict=True)
        rows.append("{" + ",".join([key + encode(cell) for key, encode, cell in pairs]) + "}")
    return InputRows(rows, "body", lines=[line for line, _ in records])


def _records(body: bytes, remedy: str) -> list[_Record]:
    """Parse a CSV; an empty line is a record with one empty cell, but none at the end.

    Raises `errors.Invalid`, with the `remedy` if it is not CSV.
    """
    if reason := content_sniffing.describe(body, "CSV"):
        raise errors.Invalid("body", f"not CSV: {reason}")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = content_sniffing.describe_undecodable(error)
        raise errors.Invalid("body", f"not CSV: {reason}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records, line = [], 1
    try:
        for cells in reader:
            records.append((line, cells or [""]))
            line = reader.line_num + 1
    except csv.Error as error:
        begin = text.partition("\n")[0]
        separated = None if "," in begin else separator_problem(begin)
        fault = next((said for part, said in _FAULTS.items() if part in str(error)), "no CSV")
        raise in_line(errors.Invalid(None, separated or fault + remedy), line) from None
    while records and not "".join(records[-1][1]).strip() and len(records[-1][1]) == 1:
        records.pop()
    return records


def _first_line_problem(cells: list[str], header: Header | None, model: ModelInputs) -> str | None:
    """Return why a first line is neither a row nor a header of a model with several columns."""
    columns = model.columns or {}
    if len(columns) < 2:
        return None
    if len(cells) != len(columns):
        return _separator_problem(cells, len(columns))
    numbers = set(columns.values()) == {"number"}
    if header or not numbers or _names_columns(cells, model):
        return None
    if all(_number(cell).startswith('"') for cell in cells):
        hint = did_you_mean(cells[0], columns)
        return f"no number, and no column of the model{hint}; it takes {listed(columns)}"
    return None


def _names_columns(cells: list[str], model: ModelInputs) -> bool:
    """Tell whether a first line is a header. Numbers may name columns, too, but all in order."""
    names = [nfc(name) for name in model.in_order()]
    stripped = [nfc(cell.strip()) for cell in cells]
    known = set(names)
    return stripped == names or any(
        cell in known and not _JSON_NUMBER.fullmatch(cell) for cell in stripped
    )


def _header(cells: list[str], line: int, model: ModelInputs) -> list[str]:
    """Return the names of the columns. Raises `errors.Invalid` if they are not the model's."""
    known = {nfc(name): name for name in model.columns or ()}
    names = [known.get(nfc(cell.strip()), cell.strip()) for cell in cells]
    unsplit = len(names) == 1 and names[0] not in known.values()
    if unsplit and (problem := separator_problem(names[0])):
        raise in_line(errors.Invalid(None, problem), line)
    if "" in names:
        place = names.index("") + 1
        reason = f"column {place} has no name; leave out the index of a data frame"
        raise in_line(errors.Invalid(None, reason), line)
    if twice := repeated(names):
        raise in_line(errors.Invalid(None, f"names a column twice: {listed(twice)}"), line)
    if model.columns is None:
        return names
    given = set(names)
    missing = [name for name in model.columns if name not in given]
    takes = f"model {model.model_id} takes {listed(model.columns)}"
    for name in names:
        if name not in model.columns and model.extra != "ignore":
            hint = did_you_mean(name, missing) or _HOW_IGNORED
            reason = f"the model has no column {quoted(name)}{hint}; {takes}"
            raise in_line(errors.Invalid(None, reason), line, cut(name))
    if missing:
        reason = f"the header lacks {listed(missing)}; {takes}"
        raise in_line(errors.Invalid(None, reason), line)
    return names


def _misfit(record: list[str], wanted: str, names: list[str], remedy: str) -> errors.Invalid:
    """Return the error of a record with a wrong number of cells; some have another separator."""
    if problem := _separator_problem(record, len(names)):
        return errors.Invalid(None, problem)
    error = wrong_count(len(record), wanted, names)
    return errors.Invalid(None, error.detail + remedy) if len(record) > len(names) else error


def _separator_problem(cells: list[str], count: int) -> str | None:
    """Return the error text about the separator of a line that should have `count` cells."""
    text = ",".join(cells)
    by_semicolons = text.count(";") == count - 1 > 0  # the commas of such a line are in decimals
    return separator_problem(text, () if by_semicolons else cells)


def _number(cell: str) -> str:
    cell = cell.strip()
    if _JSON_NUMBER.fullmatch(cell):
        return cell
    if means_missing(cell):
        return "null"
    try:
        value = float(cell) if cell.isascii() and "_" not in cell else float("nan")
    except ValueError:
        return _text(cell)
    return repr(value) if isfinite(value) else _text(cell)


def _boolean(cell: str) -> str:
    if (value := declared_boolean(cell)) is not None:
        return "true" if value else "false"
    return "null" if means_missing(cell) else _text(cell)


def _date(cell: str) -> str:
    return "null" if means_missing(cell) else _text(cell)


def _text(cell: str) -> str:
    return json.dumps(cell, ensure_ascii=False) if cell else "null"


def _any(cell: str) -> str:
    """Encode a cell of a column whose type is not known."""
    return cell if _JSON_NUMBER.fullmatch(cell) or cell in ("true", "false") else _text(cell)


_CELLS: dict[ColumnType, Callable[[str], str]] = {
    "number": _number,
    "boolean": _boolean,
    "text": _text,
    "category": _text,
    "date": _date,
    "any": _any,
}
