"""Plots of curves: ROC, precision and recall, calibration, partial dependence."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from app.models.evaluation_parts import ClassScores, PartialDependence
from app.producer.ui.formats import number
from app.producer.ui.plots import svg
from app.producer.ui.plots.svg import Plot

_SERIES = 5
_TABLE_ROWS = 12  # of each series
_POINTS = 100  # drawn of each series

Series = tuple[str, Sequence[float], Sequence[float]]


def roc(found: Sequence[ClassScores]) -> Plot | None:
    """Draw the ROC curves of the most frequent classes; None if there are none."""
    series = [
        (
            _named(each, each.roc_auc, "area"),
            each.roc.false_positive_rate,
            each.roc.true_positive_rate,
        )
        for each in _most_frequent(found)
        if each.roc
    ]
    return _unit(
        "ROC curves",
        "false positive rate",
        "true positive rate",
        series,
        even=True,
        said="Up and to the left is better; the dashed line is a guess.",
    )


def precision_recall(found: Sequence[ClassScores]) -> Plot | None:
    """Draw precision against recall; None if there are no probabilities."""
    series = [
        (
            _named(each, each.average_precision, "average precision"),
            each.precision_recall.recall,
            each.precision_recall.precision,
        )
        for each in _most_frequent(found)
        if each.precision_recall
    ]
    return _unit(
        "Precision against recall",
        "recall",
        "precision",
        series,
        even=False,
        said="Up and to the right is better.",
    )


def calibration(found: Sequence[ClassScores]) -> Plot | None:
    """Draw which share of the rows is of a class by its probability."""
    series = [
        (
            _named(each, each.brier, "Brier score"),
            each.calibration.predicted,
            each.calibration.observed,
        )
        for each in _most_frequent(found)
        if each.calibration
    ]
    return _unit(
        "Calibration",
        "mean probability",
        "share of the class",
        series,
        even=True,
        said="On the dashed line the probabilities are true.",
    )


def partial_dependence(found: PartialDependence) -> Plot | None:
    """Draw the mean answer by the value of a feature; None if a text has too many values."""
    title = f"Partial dependence on {found.feature}"
    said = f"The mean answer for {found.rows:,} rows if all had the same value of the feature."
    names = [str(each) for each in found.labels or [""] * len(found.values)]
    shown = list(zip(names, found.values, strict=False))[:_SERIES]
    grid = [each for each in found.grid if not isinstance(each, str | bool)]
    is_number = len(grid) == len(found.grid)
    places: Sequence[float] = grid if is_number else range(len(found.grid))
    series = [(name, places, values) for name, values in shown]
    drawn = svg.drawing(title)
    x = svg.x_scale(places if is_number else (-0.5, len(places) - 0.5))
    y = svg.y_scale(each for _, values in shown for each in values)
    svg.axes(
        drawn,
        x,
        y,
        found.feature,
        "mean answer" if found.labels is None else "mean probability",
        () if is_number else [str(each) for each in found.grid],
    )
    _lines(drawn, x, y, series, marks=True)
    columns = ["Value", *(name or "Mean answer" for name, _ in shown)]
    rows = [(value, *(values[n] for _, values in shown)) for n, value in enumerate(found.grid)]
    return Plot(title, said, svg.described(drawn, said), columns, rows)


def _unit(
    title: str, x_name: str, y_name: str, series: Sequence[Series], *, even: bool, said: str
) -> Plot | None:
    """Draw curves from 0 to 1 on both axes."""
    if not series:
        return None
    drawn, x, y = svg.drawing(title), svg.x_scale((0.0, 1.0)), svg.y_scale((0.0, 1.0))
    svg.axes(drawn, x, y, x_name, y_name)
    if even:
        svg.line(drawn, "even", (x(0.0), y(0.0)), (x(1.0), y(1.0)))
    _lines(drawn, x, y, series, marks=title == "Calibration")
    rows = [
        (name, xs[place], ys[place])
        for name, xs, ys in series
        for place in _spread(len(xs), _TABLE_ROWS)
    ]
    columns = ["Class", x_name.capitalize(), y_name.capitalize()]
    return Plot(title, said, svg.described(drawn, said), columns, rows)


def _lines(
    drawn: Element, x: svg.Scale, y: svg.Scale, series: Sequence[Series], *, marks: bool
) -> None:
    for n, (name, xs, ys) in enumerate(series):
        kept = _spread(len(xs), _POINTS)
        points = [(x(xs[place]), y(ys[place])) for place in kept]
        svg.line(drawn, f"line s{n}", *points)
        if marks:
            svg.dots(drawn, points)
        if name:
            at = y.begin - 12 - 16 * (len(series) - 1 - n)
            svg.line(drawn, f"line s{n}", (x.end - 196, at - 4), (x.end - 166, at - 4))
            svg.text(drawn, x.end - 160, at, name)


def _most_frequent(found: Sequence[ClassScores]) -> list[ClassScores]:
    """Return the classes whose curves are drawn; of two the second one, which says it all."""
    if len(found) == 2:
        return [found[1]]
    return sorted(found, key=lambda each: -each.support)[:_SERIES]


def _named(found: ClassScores, value: float | None, what: str) -> str:
    return f"{found.label}" if value is None else f"{found.label}: {what} {number(value)}"


def _spread(count: int, most: int) -> list[int]:
    """Return at most `most` places of a list, with both its ends."""
    if count <= most:
        return list(range(count))
    return sorted({round(place * (count - 1) / (most - 1)) for place in range(most)})
