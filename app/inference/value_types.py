"""The values of a row that a trained model takes, and what they become."""

from typing import Protocol

from pydantic import JsonValue

from app.models.manifest import Feature
from app.protocol.cells import category, days_of


class ValueType(Protocol):
    """A type of features."""

    def fits(self, value: JsonValue) -> bool:
        """Tell whether a value, which is not null, is of the type."""

    def describe(self, value: JsonValue, /) -> str:
        """Return which values fit, for an error about another `value`."""


class CategoryType:
    """Texts, numbers and booleans, each a category."""

    def fits(self, value: JsonValue) -> bool:
        """Tell whether a value is a single one."""
        return isinstance(value, str | int | float)

    def describe(self, _value: JsonValue) -> str:
        """Return which values fit."""
        return "a string, a number, true or false"


class DateType:
    """Dates and times as ISO 8601 writes them."""

    def fits(self, value: JsonValue) -> bool:
        """Tell whether a value is a date."""
        return isinstance(value, str) and days_of(value) is not None

    def describe(self, _value: JsonValue) -> str:
        """Return which values fit."""
        return "a date such as 2025-01-31 or 2025-01-31T12:00:00Z"


def means_missing(feature: Feature, value: JsonValue) -> bool:
    """Tell whether the request of the training declared the value a missing one."""
    if isinstance(value, str) and feature.type != "category":
        return value.strip() in feature.missing
    return isinstance(value, str | int | float) and category(value) in map(
        category, feature.missing
    )


def read_value(feature: Feature, value: JsonValue) -> JsonValue:
    """Return what a value means to the estimator: a date its days, a category its text."""
    if value is None or (feature.missing and means_missing(feature, value)):
        return None
    if feature.type == "date" and isinstance(value, str):
        return days_of(value)
    if feature.type == "category" and isinstance(value, str | int | float):
        return category(value)
    return value
