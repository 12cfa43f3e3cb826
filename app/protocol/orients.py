"""The forms of rows that data frames write: pandas' orients `split` and `list`, and lists.

https://pandas.pydata.org/docs/reference/api/pandas.DataFrame.to_dict.html describes the orients.
"""

from typing import Any

from app.protocol.wording import cut, quoted, repeated

OF_SPLIT = {"columns", "data", "index"}


def is_split(value: dict[str, Any]) -> bool:
    """Tell whether an object has the orient `split`: names in `columns`, and rows in `data`.

    A row with features of these names has no lists in them.
    """
    columns, data = value.get("columns"), value.get("data")
    return (
        isinstance(columns, list)
        and isinstance(data, list)
        and value.keys() <= OF_SPLIT
        and all(isinstance(row, list) for row in data)
    )


def inputs_of_split(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body with `input_data` in place of `columns` and `data`; others unchanged."""
    if "input_data" in body:
        return body
    split = {name: body[name] for name in body.keys() & OF_SPLIT}
    if not is_split(split):
        return body
    return {**{name: each for name, each in body.items() if name not in split}, "input_data": split}


def to_rows(value: Any) -> Any:
    """Return the rows that an object of an orient holds, and any other value unchanged.

    Raises `ValueError` for columns and rows of different lengths.
    """
    if not isinstance(value, dict) or list not in map(type, value.values()):
        return value  # above all a row, whose values are no lists
    if is_split(value):
        return _of_split(value["columns"], value["data"])
    if all(isinstance(each, list) for each in value.values()):
        return _of_columns(value)
    return value


def _of_split(columns: list[Any], data: list[list[Any]]) -> list[dict[str, Any]]:
    if unnamed := [place for place, name in enumerate(columns) if not isinstance(name, str)]:
        raise ValueError(f"columns: name {unnamed[0]} must be a string")
    if twice := repeated(columns):
        raise ValueError(f"columns: {quoted(cut(twice[0]))} is there twice")
    for place, row in enumerate(data):
        if len(row) != len(columns):
            raise ValueError(
                f"row {place} of data has {_values(len(row))}, and columns has {len(columns)} names"
            )
    return [dict(zip(columns, row, strict=True)) for row in data]


def _of_columns(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    (first, values), *others = columns.items()
    for name, each in others:
        if len(each) != len(values):
            raise ValueError(
                f"column {quoted(cut(name))} has {_values(len(each))}, and "
                f"{quoted(cut(first))} has {len(values)}"
            )
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"
