"""Compare the descriptions of models, row by row."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from app.producer.ui.formats import number

_LEFT_OUT = {"model_id", "sample", "format", "memory", "row_bytes", "registered_at"}
_MOST = 300  # rows
_Missing = object()


class Row(NamedTuple):
    """A fact of each model, and whether it differs."""

    name: str
    values: list[str]
    differs: bool


def differing_rows(models: Sequence[dict[str, Any]], *, everything: bool = False) -> list[Row]:
    """Return the facts that differ, metrics first; or all if `everything`, at most 300."""
    flat = [_flat(each) for each in models]
    names = dict.fromkeys(name for each in flat for name in each)
    ordered = sorted(names, key=lambda name: not name.startswith("metrics."))
    rows = []
    for name in ordered:
        values = [each.get(name, _Missing) for each in flat]
        differs = any(value != values[0] or type(value) is not type(values[0]) for value in values)
        if differs or everything:
            shown = ["" if value is _Missing else number(value) for value in values]
            rows.append(Row(name, shown, differs))
    return rows[:_MOST]


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the members of an object and of those inside, by their paths."""
    found: dict[str, Any] = {}
    for name, each in value.items():
        if prefix == "" and name in _LEFT_OUT:
            continue
        if prefix == "" and name == "features" and each and isinstance(each[0], dict):
            each = [feature["name"] for feature in each]
        if isinstance(each, dict):
            found |= _flat(each, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = each
    return found
