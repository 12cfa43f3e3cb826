"""Read rows from the JSON that MLflow's and SageMaker's clients send.

The wrappers are `instances`, `inputs`, `dataframe_records`, `dataframe_split`, and `columns` with
`data` as MLflow 1 and pandas wrote them. Without a wrapper, JSON is a row or a list of rows.
"""

from typing import Any, NamedTuple

from app import errors
from app.producer.invocations.model_inputs import ModelInputs
from app.producer.invocations.rows import InputRows, encode_row, wrong_count
from app.protocol.wording import cut, listed, repeated

INPUTS = "input_data"  # the field of Warren's own form, and of rows without a wrapper

_WRAPPERS = ("instances", "inputs", "dataframe_records", "dataframe_split")
_SPLIT = ("columns", "data", "index")


class Unwrapped(NamedTuple):
    """The content of a body: rows, the `field` that holds them, and the other keys, `beside` it."""

    field: str
    rows: Any
    beside: dict[str, Any]


def unwrap(wire: Any) -> Unwrapped:
    """Return the rows of a body. `field` is `INPUTS` if there was no wrapper.

    A wrapper holds a list or an object, so that a row may have a column of the same name.
    """
    if not isinstance(wire, dict):
        return Unwrapped(INPUTS, wire, {})
    if wire.keys() & {INPUTS, "image_data"}:
        beside = {name: value for name, value in wire.items() if name != INPUTS}
        return Unwrapped(INPUTS, wire.get(INPUTS), beside)
    if isinstance(wire.get("columns"), list) and isinstance(wire.get("data"), list):
        split = {name: wire[name] for name in _SPLIT if name in wire}
        return Unwrapped("data", split, {k: v for k, v in wire.items() if k not in split})
    found = [name for name in _WRAPPERS if isinstance(wire.get(name), list | dict)]
    if len(found) > 1:
        raise errors.Invalid(found[1], f"give either this or {found[0]}")
    for name in found:
        return Unwrapped(name, wire[name], {k: v for k, v in wire.items() if k != name})
    return Unwrapped(INPUTS, wire, {})


def has_lists(rows: Any) -> bool:
    """Tell whether rows without a wrapper are lists of values, in the model's order."""
    if not isinstance(rows, list) or not rows:
        return False
    return any(isinstance(each, list) for each in rows) or not any(
        isinstance(each, dict) for each in rows
    )


def read_rows(field: str, rows: Any, model: ModelInputs) -> InputRows:
    """Return the rows of a body that `unwrap` took apart.

    Raises `errors.Invalid`, which names the row.
    """
    path, many = field, True
    if field in ("dataframe_split", "data"):
        parent = "" if field == "data" else f"{field}."
        path = f"{parent}data"
        rows = _of_split(parent, rows)
    elif field == "inputs" and isinstance(rows, dict) and list in map(type, rows.values()):
        rows = _of_columns(rows)
    elif isinstance(rows, dict) or _is_one_row(field, rows, model):
        rows, many = [rows], False
    if not rows:
        raise errors.Invalid(path, "must not be empty")
    encoded = []
    for number, row in enumerate(rows):
        try:
            encoded.append(encode_row(row, model))
        except errors.Invalid as error:
            raise errors.Invalid(f"{path}.{number}" if many else path, error.message) from None
    return InputRows(encoded, path, many, images=model.images)


def _is_one_row(field: str, rows: list[Any], model: ModelInputs) -> bool:
    """Tell whether a list of single values is a row, and not a row of one column in each value."""
    if field not in ("inputs", INPUTS) or not rows or any(isinstance(r, list | dict) for r in rows):
        return False
    return not model.images and len(model.columns or ()) != 1


def _of_split(parent: str, split: Any) -> list[dict[str, Any]]:
    """Return the rows of `{"columns", "data", "index"?}`, as pandas writes a frame.

    `parent` is the prefix of these names in the fields of errors.
    """
    if not isinstance(split, dict):
        raise errors.Invalid(parent[:-1], "must be an object")
    for name in ("columns", "data"):
        if not isinstance(split.get(name), list):
            said = "must be a list" if name in split else "is missing"
            raise errors.Invalid(f"{parent}{name}", said)
    if unknown := split.keys() - set(_SPLIT):
        raise errors.Invalid(f"{parent}{cut(min(unknown))}", "this key is not known")
    names = [_column(each, f"{parent}columns.{n}") for n, each in enumerate(split["columns"])]
    if twice := repeated(names):
        raise errors.Invalid(f"{parent}columns", f"given more than once: {listed(twice)}")
    rows = split["data"]
    for number, row in enumerate(rows):
        if not isinstance(row, list):
            raise errors.Invalid(f"{parent}data.{number}", "must be a list of values")
        if len(row) != len(names):
            error = wrong_count(len(row), f"{parent}columns has", names)
            raise error.renamed(f"{parent}data.{number}")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _column(name: Any, path: str) -> str:
    """Return a column's name as text; pandas counts columns without names."""
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise errors.Invalid(path, "must be a string")
    return str(name)


def _of_columns(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of an object with a list of values for each column."""
    first, count = "", 0
    for name, values in columns.items():
        if not isinstance(values, list):
            raise errors.Invalid(f"inputs.{cut(name)}", "must be a list, as the other columns are")
        if not first:
            first, count = name, len(values)
        elif len(values) != count:
            reason = f"has {len(values)}, but inputs.{cut(first)} has {count} values"
            raise errors.Invalid(f"inputs.{cut(name)}", reason)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
