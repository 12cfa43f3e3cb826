"""Plots of an evaluation, for a notebook; they need matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warren_client.errors import MissingPackage, NotReady

if TYPE_CHECKING:
    from warren_client.evaluation import Evaluation

MOST_FEATURES = 20


def draw(evaluation: Evaluation, kind: str | None = None) -> Any:
    """Draw a plot of an evaluation on new axes; return them. See `Evaluation.plot`."""
    kind = kind or ("confusion" if evaluation.content.get("classification") else "residuals")
    if kind not in _PLOTS:
        raise NotReady(f"there is no plot {kind!r}; there are {', '.join(_PLOTS)}")
    try:
        from matplotlib import pyplot
    except ImportError:
        raise MissingPackage(
            "plots need matplotlib: pip install matplotlib; the parts of the "
            "evaluation are data frames without it"
        ) from None
    _, axes = pyplot.subplots()
    _PLOTS[kind](evaluation, axes)
    return axes


def _residuals(evaluation: Evaluation, axes: Any) -> None:
    frame = evaluation.residuals
    axes.scatter(frame["actual"], frame["predicted"], s=8)
    ends = [float(frame["actual"].min()), float(frame["actual"].max())]
    axes.plot(ends, ends, color="grey", linewidth=1)
    axes.set(xlabel="actual", ylabel="predicted")


def _confusion(evaluation: Evaluation, axes: Any) -> None:
    frame = evaluation.confusion_matrix
    axes.imshow(frame.to_numpy(), cmap="Blues")
    axes.set_xticks(range(len(frame)), list(map(str, frame.columns)))
    axes.set_yticks(range(len(frame)), list(map(str, frame.index)))
    for row in range(len(frame)):
        for column in range(len(frame)):
            axes.text(column, row, str(frame.iat[row, column]), ha="center", va="center")
    axes.set(xlabel="predicted", ylabel="actual")


def _roc(evaluation: Evaluation, axes: Any) -> None:
    for label in evaluation.classes.index:
        curve = evaluation.curve(label)
        axes.plot(curve["false_positive_rate"], curve["true_positive_rate"], label=str(label))
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    axes.legend()
    axes.set(xlabel="false positive rate", ylabel="true positive rate")


def _importance(evaluation: Evaluation, axes: Any) -> None:
    frame = evaluation.importance.head(MOST_FEATURES).iloc[::-1]
    axes.barh(list(frame.index), frame["mean"], xerr=frame["std"])
    axes.set(xlabel="importance")


_PLOTS = {"residuals": _residuals, "confusion": _confusion, "roc": _roc, "importance": _importance}
