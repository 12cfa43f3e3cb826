"""Plots of bars: importance of features, coefficients, the scores of folds."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from app.models.evaluation_parts import Importance
from app.models.manifest import FoldScores
from app.producer.ui.formats import number
from app.producer.ui.plots import svg
from app.producer.ui.plots.svg import Plot, Scale

_BARS = 20
_BAR = 22  # pixels
_NAMES = 170
_TABLE_ROWS = 100


def importance(found: Importance) -> Plot:
    """Draw how much worse the score is without each feature."""
    title = "Importance of the features"
    values = [(each.feature, each.mean, each.std) for each in found.features]
    said = (
        f"How much worse {found.score} is if the values of a feature are shuffled, on "
        f"{found.rows:,} {found.measured_on} rows, {found.repeats} times. The line is one standard "
        f"deviation to each side."
    )
    if len(values) > _BARS:
        said += f" The {_BARS} most important of {len(values):,} are drawn."
    drawn = _bars(title, said, values[:_BARS])
    rows = values[:_TABLE_ROWS]
    return Plot(title, said, drawn, ["Feature", "Mean", "Standard deviation"], rows)


def folds(metric: str, found: FoldScores) -> Plot:
    """Draw a metric over the folds of a cross-validation."""
    title = f"{metric} of each fold"
    scores = [(f"fold {n}", score) for n, score in enumerate(found.folds, 1)]
    drawn = [(name, score, 0.0) for name, score in scores if score is not None]
    said = (
        f"Mean {number(found.mean)}, standard deviation {number(found.std)}. "
        "A fold that does not define the metric has no bar."
    )
    rows = [(name, score) for name, score in scores[:_TABLE_ROWS]]
    return Plot(title, said, _bars(title, said, drawn[:_BARS]), ["Fold", metric], rows)


def fold_plots(found: Mapping[str, FoldScores], most: int = 2) -> list[Plot]:
    """Return the plots of the first metrics."""
    return [folds(name, each) for name, each in list(found.items())[:most]]


def _bars(title: str, said: str, values: Sequence[tuple[str, float, float]]) -> Markup:
    height = _BAR * max(1, len(values)) + 34
    drawn = svg.drawing(title, svg.WIDTH, height)
    ends = [end for _, mean, std in values for end in (mean - std, mean + std)]
    x = Scale.of([0.0, *ends], _NAMES, svg.WIDTH - 14)
    bottom = height - 26
    for tick in x.ticks(4):
        svg.line(drawn, "grid", (x(tick), 4), (x(tick), bottom))
        svg.text(drawn, x(tick), bottom + 16, number(tick), anchor="middle")
    for place, (name, mean, std) in enumerate(values):
        top = 6 + place * _BAR
        svg.text(drawn, _NAMES - 8, top + 13, name, anchor="end")
        left, right = sorted((x(0.0), x(mean)))
        svg.box(drawn, "bar" if mean >= 0 else "bar below", left, top, right - left, _BAR - 6)
        if std:
            middle = top + (_BAR - 6) / 2
            svg.line(drawn, "axis", (x(mean - std), middle), (x(mean + std), middle))
    svg.line(drawn, "axis", (x(0.0), 4), (x(0.0), bottom))
    return svg.described(drawn, said)
