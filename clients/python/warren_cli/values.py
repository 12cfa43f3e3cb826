"""Values as they are typed in a shell: `key=value`, JSON, texts."""

import csv
import json
from collections.abc import Iterable
from typing import Any

import click


def pair(text: str) -> tuple[str, Any]:
    """Return the name and the value of `NAME=VALUE`. Raises `click.BadParameter`."""
    name, sign, value = text.partition("=")
    if not (name and sign):
        raise click.BadParameter(f"{text!r} is no NAME=VALUE, such as cv=5")
    return name, typed(value)


def typed(text: str) -> Any:
    """Return what a text means: JSON if it is some, else the text itself."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except ValueError:
        return text


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return pairs as an object, in which `split.test_size` is `test_size` of `split`.

    Raises `click.UsageError` if a name is given twice.
    """
    made: dict[str, Any] = {}
    for name, value in pairs:
        *above, last = name.split(".")
        place = made
        for each in above:
            place = place.setdefault(each, {})
            if not isinstance(place, dict):
                raise click.UsageError(f"{name}: {each} has a value already")
        if last in place:
            raise click.UsageError(f"{name} is given twice")
        place[last] = value
    return made


def names(text: str | None) -> list[str] | None:
    """Return the names that commas separate; one with a comma has quotes, as in a CSV.

    Raises `click.UsageError` for more than a line.
    """
    if text is None:
        return None
    try:
        cells = [cell for line in csv.reader([text], skipinitialspace=True) for cell in line]
    except csv.Error:
        raise click.UsageError(f"{text!r} is no line of names with commas between") from None
    return [each.strip() for each in cells if each.strip()]
