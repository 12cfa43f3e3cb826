"""The plots of a model's evaluation."""

from app.models.evaluation import Evaluation
from app.producer.ui.plots import bars, curves, points
from app.producer.ui.plots.matrix import confusion
from app.producer.ui.plots.svg import Plot


def plots_of(found: Evaluation) -> list[Plot]:
    """Return the plots of all that an evaluation has."""
    plots: list[Plot | None] = []
    if regression := found.regression:
        title = "How large the residuals are"
        plots += [
            points.predicted_against_actual(regression),
            points.residuals(regression),
            points.histogram(regression.residual_histogram, title, "residual"),
        ]
    if classes := found.classification:
        plots += [
            confusion(classes),
            curves.roc(classes.per_class),
            curves.precision_recall(classes.per_class),
            curves.calibration(classes.per_class),
        ]
    if found.importance:
        plots.append(bars.importance(found.importance))
    plots += map(curves.partial_dependence, found.partial_dependence)
    plots += bars.fold_plots(found.cross_validation or {})
    return [each for each in plots if each]
