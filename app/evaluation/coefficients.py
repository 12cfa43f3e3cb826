"""The coefficients of a linear model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from app.inference.date_parts import number_columns
from app.models.evaluation_parts import Coefficients
from app.models.manifest import Feature
from app.protocol.label_keys import Label
from app.protocol.training_options import DatePart

MAX_COLUMNS = 1000
MAX_CLASSES = 20
WORDS = "words"  # begins the name of a block of the preprocessing, before the text's place


def read_coefficients(
    pipeline: Pipeline,
    features: Sequence[Feature],
    labels: Sequence[Label] | None,
    parts: Sequence[DatePart] = (),
) -> Coefficients | None:
    """Return the coefficients of a pipeline's estimator; None if it is not linear.

    A linear `SVC` of three classes or more compares pairs of classes, so the result is None, too.
    """
    estimator = _inner(pipeline[-1])
    values = getattr(estimator, "coef_", None)
    if values is None:
        return None
    matrix = np.atleast_2d(np.asarray(values, np.float64))
    intercepts = np.broadcast_to(np.ravel(estimator.intercept_), (len(matrix),))
    shown: list[Label] | None = None
    if labels is not None:
        shown = [labels[1]] if len(labels) == 2 else list(labels)
        if len(shown) != len(matrix) or _compares_pairs(estimator, len(labels)):
            return None
        shown, matrix, intercepts = (
            shown[:MAX_CLASSES],
            matrix[:MAX_CLASSES],
            intercepts[:MAX_CLASSES],
        )
    names = column_names(pipeline, features, parts)
    largest = np.argsort(-np.abs(matrix).max(axis=0), kind="stable")[:MAX_COLUMNS]
    return Coefficients(
        columns=[names[place] for place in largest],
        labels=shown,
        values=matrix[:, largest].tolist(),
        intercepts=intercepts.tolist(),
    )


def column_names(
    pipeline: Pipeline, features: Sequence[Feature], parts: Sequence[DatePart] = ()
) -> list[str]:
    """Return the names of the columns that the estimator gets.

    The column of a feature has its name, that of a value or word `feature_value`, and that of a
    part of a date `date.month`.
    """
    texts = [f.name for f in features if not f.is_number]
    names: Any = [*number_columns(features, parts), *texts]
    for _, step in pipeline.steps[:-1]:
        names = step.get_feature_names_out(names)
        if isinstance(step, ColumnTransformer):
            names = [_without_block(name, texts) for name in names]
    return [str(name) for name in names]


def _without_block(name: str, texts: Sequence[str]) -> str:
    """Return a name without its block, `number__`; of words, `words0__`, with the text's name."""
    block, _, own = name.partition("__")
    return f"{texts[int(block[len(WORDS) :])]}_{own}" if block.startswith(WORDS) else own


def _inner(estimator: BaseEstimator) -> Any:
    """Return the estimator that a calibration or a transformation of the target wraps."""
    if hasattr(estimator, "calibrated_classifiers_"):
        return _inner(estimator.calibrated_classifiers_[0].estimator)
    return _inner(estimator.regressor_) if hasattr(estimator, "regressor_") else estimator


def _compares_pairs(estimator: Any, classes: int) -> bool:
    return classes > 2 and hasattr(estimator, "support_vectors_")
