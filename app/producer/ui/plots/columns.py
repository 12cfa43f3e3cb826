"""Small plots of a column of data: its histogram, or its most frequent values."""

from collections.abc import Sequence

from markupsafe import Markup

from app.models.column_profile import ColumnProfile
from app.producer.ui.formats import number
from app.producer.ui.plots import svg

_WIDTH, _HEIGHT, _BAR = 240, 64, 16
_NAMES = 100


def column_plot(column: ColumnProfile) -> Markup | None:
    """Draw a column; None if there is nothing to draw. The page has its numbers beside it."""
    if column.histogram:
        return _histogram(column)
    return _frequent(column) if column.most_frequent else None


def _histogram(column: ColumnProfile) -> Markup:
    counts = column.histogram
    drawn = svg.drawing(f"Histogram of {column.name}", _WIDTH, _HEIGHT)
    most, side = max(counts) or 1, _WIDTH / len(counts)
    for place, count in enumerate(counts):
        height = (_HEIGHT - 4) * count / most
        if count:
            svg.box(drawn, "bar", place * side, _HEIGHT - height, side - 1, height)
    said = f"{len(counts)} equal ranges from {number(column.min)} to {number(column.max)}; "
    return svg.described(drawn, f"{said}the fullest has {most:,} values.")


def _frequent(column: ColumnProfile) -> Markup:
    values: Sequence[tuple[str, int]] = [(str(e.value), e.count) for e in column.most_frequent]
    height = _BAR * len(values)
    drawn = svg.drawing(f"Most frequent values of {column.name}", _WIDTH, height)
    most = max(count for _, count in values)
    for place, (value, count) in enumerate(values):
        top, length = place * _BAR, (_WIDTH - _NAMES) * count / most
        svg.text(drawn, _NAMES - 6, top + 12, value[:14], anchor="end")
        svg.box(drawn, "bar", _NAMES, top + 1, length, _BAR - 3)
    said = "; ".join(f"{value}: {count:,}" for value, count in values)
    return svg.described(drawn, said)
