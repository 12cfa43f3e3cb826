"""Write values for people: numbers, sizes, times, and the states of jobs."""

import json
import math
import re
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

_UNITS = ("B", "kB", "MB", "GB", "TB")
NOTHING = "-"
_MARKUP = re.compile(r"[\\`*_{}\[\]()#+!|~-]")  # what means something in Markdown
# Characters that turn the direction of the text behind them, which may then read as another one.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CUT = 60  # characters of a value in a cell


def number(value: Any) -> str:
    """Return a number with five digits or its whole part; other values as `cell` does."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return cell(value)
    if isinstance(value, int):
        return cell(f"{value:,}")  # params may have numbers that no float has room for
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    if value.is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:,.5g}"


def plain(value: Any) -> str:
    """Return a number as data sets have it: all its digits, and no thousands separator."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return cell(value)


def size(count: float | None) -> str:
    """Return bytes with a unit."""
    if count is None:
        return NOTHING
    amount, place = float(count), 0
    while amount >= 1000 and place < len(_UNITS) - 1:
        amount, place = amount / 1000, place + 1
    return f"{amount:.3g} {_UNITS[place]}" if amount < 1000 else f"{amount:,.0f} {_UNITS[place]}"


def seconds(value: float | None) -> str:
    """Return a duration."""
    if value is None:
        return NOTHING
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def when(value: datetime | None) -> Markup:
    """Return a time in UTC, to the second, as an element of HTML."""
    if value is None:
        return Markup("-")
    return _time(value, "seconds")


def moment(value: datetime) -> Markup:
    """Return a time in UTC, to the millisecond, as an element of HTML."""
    return _time(value, "milliseconds")


def _time(value: datetime, precision: str) -> Markup:
    shown = value.astimezone(UTC).isoformat(" ", precision).removesuffix("+00:00")
    # Nothing has to be escaped, and `Markup.format` takes five times as long. A list has 150 times.
    return Markup(f'<time datetime="{shown.replace(" ", "T")}Z">{shown}</time>')  # noqa: S704


def state(value: str) -> str:
    """Return a state of a job in small letters, without `TASK_`."""
    return value.removeprefix("TASK_").lower()


def cell(value: Any, most: int = _CUT) -> str:
    """Return any JSON value as a short text."""
    if value is None:
        return NOTHING
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _straight(text if len(text) <= most else f"{text[:most]}…")


def pretty(value: Any) -> str:
    """Return JSON over several lines."""
    return _straight(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def _straight(text: str) -> str:
    """Return a text with JSON's escapes in place of characters that turn its direction."""
    return _TURNS.sub(lambda found: json.dumps(found[0])[1:-1], text)


def percent(value: float | None) -> str:
    """Return a share as whole percents, rounded down, so that 100 % means the end."""
    return NOTHING if value is None else f"{math.floor(value * 100)} %"


def share(value: float | None) -> str:
    """Return a share as percents with two decimals, rounded down, so that 100 % means all.

    What is more than none is not shown as 0 %.
    """
    if value is None:
        return NOTHING
    parts = math.floor(round(value * 10_000, 6))
    return "< 0.01 %" if value > 0 and not parts else f"{parts / 100:g} %"


def markdown(value: Any) -> Markup:
    """Return a text in which Markdown, and the HTML that it may hold, are characters as others."""
    flat = " ".join(cell(value, 500).split())
    return Markup("{}").format(_MARKUP.sub(r"\\\g<0>", flat))


def spans(value: str) -> Markup:
    """Return a text in which what is between backticks is code."""
    parts = value.split("`")
    code, plain = Markup("<code>{}</code>"), Markup("{}")
    return Markup("").join(
        (code if place % 2 else plain).format(part) for place, part in enumerate(parts)
    )


FILTERS = {
    "number": number,
    "plain": plain,
    "size": size,
    "seconds": seconds,
    "when": when,
    "moment": moment,
    "state": state,
    "cell": cell,
    "pretty": pretty,
    "percent": percent,
    "share": share,
    "markdown": markdown,
    "spans": spans,
}
