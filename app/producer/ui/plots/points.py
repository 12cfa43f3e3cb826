"""Plots of a regressor's answers: predicted against actual values, and residuals."""

import math

from app.models.evaluation_parts import Histogram, Regression
from app.producer.ui.formats import number
from app.producer.ui.plots import svg
from app.producer.ui.plots.svg import Plot

_DRAWN = 1_000  # points, so that a page stays small
_RANGES = 10  # of the table


def predicted_against_actual(found: Regression) -> Plot:
    """Draw each row at its actual value and its prediction."""
    pairs = _pairs(found.actual, found.predicted)
    title = "Predicted against actual values"
    both = [each for pair in pairs for each in pair]
    x, y, drawn = svg.x_scale(both), svg.y_scale(both), svg.drawing(title)
    svg.axes(drawn, x, y, "actual", "predicted")
    svg.line(drawn, "even", (x(x.low), y(y.low)), (x(x.high), y(y.high)))
    svg.dots(drawn, ((x(a), y(p)) for a, p in pairs[:: _step(pairs)]))
    said = "Each dot is a row; on the dashed line the prediction is the actual value."
    rows = _ranges(pairs)
    return Plot(title, said, svg.described(drawn, said), ["Actual", "Rows", "Mean predicted"], rows)


def residuals(found: Regression) -> Plot:
    """Draw each row at its prediction and its residual."""
    pairs = _pairs(found.predicted, found.residuals)
    title = "Residuals by prediction"
    x = svg.x_scale(p for p, _ in pairs)
    y, drawn = svg.y_scale([0.0, *(r for _, r in pairs)]), svg.drawing(title)
    svg.axes(drawn, x, y, "predicted", "actual - predicted")
    svg.line(drawn, "even", (x.begin, y(0.0)), (x.end, y(0.0)))
    svg.dots(drawn, ((x(p), y(r)) for p, r in pairs[:: _step(pairs)]))
    said = "Each dot is a row. Above the dashed line the prediction is too low."
    columns = ["Predicted", "Rows", "Mean residual"]
    return Plot(title, said, svg.described(drawn, said), columns, _ranges(pairs))


def histogram(found: Histogram, title: str, name: str) -> Plot:
    """Draw how many values lie in each range."""
    x, drawn = svg.x_scale(found.edges), svg.drawing(title)
    y = svg.y_scale([0.0, *map(float, found.counts)])
    svg.axes(drawn, x, y, name, "rows")
    rows = []
    for low, high, count in zip(found.edges, found.edges[1:], found.counts, strict=False):
        svg.box(drawn, "bar", x(low), y(count), x(high) - x(low) - 1, y.begin - y(count))
        rows.append((low, high, count))
    said = f"How many rows have which {name}."
    return Plot(title, said, svg.described(drawn, said), ["From", "To", "Rows"], rows)


def _pairs(first: list[float], second: list[float]) -> list[tuple[float, float]]:
    both = zip(first, second, strict=False)
    return [(a, b) for a, b in both if math.isfinite(a) and math.isfinite(b)]


def _step(pairs: list[tuple[float, float]]) -> int:
    return max(1, math.ceil(len(pairs) / _DRAWN))


def _ranges(pairs: list[tuple[float, float]]) -> list[tuple[str, int, float]]:
    """Return ranges with about as many rows each: the range, its rows, the mean of the second."""
    ordered, rows = sorted(pairs), []
    for place in range(_RANGES):
        begin = place * len(ordered) // _RANGES
        some = ordered[begin : (place + 1) * len(ordered) // _RANGES]
        if some:
            name = f"{number(some[0][0])} to {number(some[-1][0])}"
            rows.append((name, len(some), math.fsum(b / len(some) for _, b in some)))
    return rows
