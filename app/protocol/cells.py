"""The meaning of the cells of a CSV, and of the values of a row that stand for them."""

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

# Among numbers and booleans these mean a missing value, in any case and between blanks. pandas
# reads the first ones so, too; the last ones are of spreadsheets.
_MISSING = {
    *("", "na", "n/a", "nan", "-nan", "null", "none", "<na>", "#na", "#n/a", "#n/a n/a"),
    *("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "?", "-", "--", ".", "..", "n.a.", "nil"),
    *("missing", "unknown", "#null!", "#div/0!", "#value!", "#ref!", "#num!", "#name?"),
}
_INFERRED = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_DECLARED = {
    **dict.fromkeys(("true", "yes", "y", "t", "1"), True),
    **dict.fromkeys(("false", "no", "n", "f", "0"), False),
}
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")  # neither leading zeros nor an exponent
_SIGN = r"(?:[$€£¥₹]|USD|EUR|GBP|CHF)"
_GROUPED = r"[0-9]{1,3}(?:(?P<mark>[,.' \u00a0\u2009\u202f])[0-9]{3}(?:(?P=mark)[0-9]{3})*)"
_MARKED = re.compile(
    rf"[-+]?\s?{_SIGN}?\s?[-+]?(?:{_GROUPED}|[0-9]+)(?:[.,][0-9]+)?\s?(?:%|{_SIGN})?"
)
# 31.12.2025, 12/31/2025 or 2025/12/31, perhaps with a time.
_OTHER_DATE = re.compile(
    r"\s*(?:[0-9]{1,2}([./-])[0-9]{1,2}\1[0-9]{4}|[0-9]{4}([./])[0-9]{1,2}\2[0-9]{1,2})(?:[ T,].*)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS_PER_DAY = 86_400_000_000.0
_END_OF_9999 = 2_932_897.0  # days


def means_missing(cell: str, declared: Collection[str] = ()) -> bool:
    """Tell whether a cell among numbers or booleans is a missing value."""
    stripped = cell.strip()
    return stripped.casefold() in _MISSING or stripped in declared


def number_with_marks(cell: str) -> bool:
    """Tell whether a cell that is no number is one with separators, a percent or currency sign."""
    return _MARKED.fullmatch(cell.strip()) is not None


def plain_boolean(cell: str) -> bool | None:
    """Return the boolean that a cell of a column of unknown type may be, or None."""
    return _INFERRED.get(cell)


def declared_boolean(cell: str) -> bool | None:
    """Return the boolean that a cell of a column of booleans holds, or None."""
    return _DECLARED.get(cell.strip().casefold())


def category(value: str | float | bool) -> str:
    """Return the category of a cell, or of a value of a row.

    Forms of one number are one category: 1, 1.0 and "1.00" are "1". Leading zeros and exponents
    make a text: "01" and "1E5" stay as they are. Booleans are "true" and "false".
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value).strip()
    if (boolean := plain_boolean(text)) is not None:
        return "true" if boolean else "false"
    if not _DECIMAL.fullmatch(text):
        return text
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else "0" if whole == "-0" else whole


def days_of(date: str) -> float | None:
    """Return the days from 1970-01-01 UTC to an ISO 8601 date or time, or None for other texts.

    A time without an offset is in UTC.
    """
    try:
        moment = datetime.fromisoformat(date.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        passed = moment - _EPOCH
    except (ValueError, OverflowError):
        return None
    return float(passed // timedelta(microseconds=1)) / _MICROSECONDS_PER_DAY


def looks_like_date(text: str) -> bool:
    """Tell whether a text is a date in ISO 8601, or one with points or slashes."""
    return days_of(text) is not None or _OTHER_DATE.fullmatch(text) is not None


def date_of(days: float) -> str:
    """Return the ISO 8601 date, or time in UTC, that is `days` after 1970-01-01.

    Raises `OverflowError` for one outside of the years 1 to 9999.
    """
    microseconds = round(days * _MICROSECONDS_PER_DAY)
    if days == _END_OF_9999:  # to which its last microseconds are rounded
        microseconds -= 1
    moment = _EPOCH + timedelta(microseconds=microseconds)
    text = moment.replace(tzinfo=None).isoformat()
    return text.removesuffix("T00:00:00") if text.endswith("T00:00:00") else f"{text}Z"
