"""Compare the labels and probabilities of a classifier with the actual labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
)

from app.evaluation.curves import calibration, precision_recall, roc
from app.evaluation.thresholds import best_thresholds
from app.inference.runtime import Answers
from app.models.evaluation_parts import Averages, Classification, ClassScores
from app.protocol.label_keys import Label

MAX_CLASSES = 50  # in the answer
MAX_CURVES = 20  # classes with curves
_POINTS, _MAX_POINTS = 2000, 500  # of the curves of one kind together, and of one curve


def evaluate_classification(
    y: npt.NDArray[Any], answers: Answers, labels: Sequence[Label]
) -> Classification:
    """Return the confusion matrix, and for each class its scores and curves.

    `y` [rows] and the answers are places of `labels`, which begin with those that the model learnt.
    """
    predicted = answers.predicted
    shown = _most_frequent(y, len(labels), MAX_CLASSES)
    # With `zero_division`, a class that is never answered has a precision of 0.
    scores = precision_recall_fscore_support(y, predicted, labels=shown, zero_division=0)
    probabilities = answers.probabilities
    learnt = 0 if probabilities is None else probabilities.shape[1]
    with_curves = [k for k in _most_frequent(y, len(labels), MAX_CURVES) if k < learnt]
    per_class = []
    for place, precision, recall, f1, support in zip(shown, *scores, strict=True):
        curves: dict[str, Any] = {}
        if probabilities is not None and place in with_curves:
            points = min(_MAX_POINTS, _POINTS // len(with_curves))
            curves = _curves(y == place, probabilities[:, place], points)
        per_class.append(
            ClassScores(
                label=labels[place],
                precision=float(precision),
                recall=float(recall),
                f1=float(f1),
                support=int(support),
                **curves,
            )
        )
    return Classification(
        rows=len(y),
        classes=len(labels),
        labels=[labels[place] for place in shown],
        confusion=confusion_matrix(y, predicted, labels=shown).tolist(),
        per_class=per_class,
        macro=_averages(y, predicted, "macro"),
        weighted=_averages(y, predicted, "weighted"),
    )


def areas(found: Classification, learnt: Sequence[Label]) -> dict[str, float]:
    """Return the `roc_auc` and `average_precision` of a model with probabilities.

    With two classes they are those of the second one, with more the means over all classes. There
    are none if one of these classes has no area.
    """
    by_label = {each.label: each for each in found.per_class}
    averaged = learnt[1:] if len(learnt) == 2 else learnt
    classes = [by_label.get(label) for label in averaged]
    scores: dict[str, float] = {}
    for name in ("roc_auc", "average_precision"):
        values = [getattr(each, name, None) for each in classes]
        known = [value for value in values if value is not None]
        if len(known) == len(values):
            scores[name] = float(np.mean(known))
    return scores


def _most_frequent(y: npt.NDArray[Any], classes: int, most: int) -> list[int]:
    """Return the places of the classes with the most rows, ascending."""
    counts = np.bincount(y, minlength=classes)
    return sorted(np.argsort(-counts, kind="stable")[:most].tolist())


def _curves(
    is_class: npt.NDArray[np.bool], probability: npt.NDArray[np.float64], points: int
) -> dict[str, Any]:
    """Return the scores and curves of a class; no areas if all rows, or none, are of it."""
    found: dict[str, Any] = {
        "brier": float(brier_score_loss(is_class, probability)),
        "calibration": calibration(is_class, probability),
    }
    if is_class.all() or not is_class.any():
        return found
    return found | {
        "roc_auc": float(roc_auc_score(is_class, probability)),
        "average_precision": float(average_precision_score(is_class, probability)),
        "roc": roc(is_class, probability, points),
        "precision_recall": precision_recall(is_class, probability, points),
        "best_thresholds": best_thresholds(is_class, probability),
    }


def _averages(y: npt.NDArray[Any], predicted: npt.NDArray[Any], average: str) -> Averages:
    precision, recall, f1, _ = precision_recall_fscore_support(
        y, predicted, average=average, zero_division=0
    )
    return Averages(precision=float(precision), recall=float(recall), f1=float(f1))
