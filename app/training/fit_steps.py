"""Fit the preprocessing to training rows, and tell the estimator which columns are categories."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC, LinearSVR
from sklearn.utils import get_tags

from app import errors
from app.inference.date_parts import number_columns
from app.inference.tensor_types import LARGEST_FLOAT32
from app.models.manifest import Feature
from app.protocol.preprocessing import ResolvedPreprocessing
from app.protocol.wording import listed
from app.tables.column_types import MAX_CATEGORIES
from app.training.param_binding import CATEGORICAL, inner_estimator
from app.training.preprocessing import MOST_NATIVE, Steps, preprocessing_steps

MAX_COLUMNS = 100_000  # made of texts: 2.4 MB for each row while it is answered

_FIELD = "preprocessing"


def fit_steps(
    x: Any, features: Sequence[Feature], options: ResolvedPreprocessing, estimator: BaseEstimator
) -> tuple[npt.NDArray[np.float64], Steps]:
    """Fit the steps to the rows `x` [rows, columns], a matrix of `feature_matrix`.

    Return the matrix [rows, columns] that the estimator gets, and the fitted steps. Raises
    `errors.BadData` for options that do not suit the columns or the estimator.
    """
    _check_options(features, options, estimator)
    numbers = len(number_columns(features, options.dates))
    most = min(MOST_NATIVE, getattr(inner_estimator(estimator), "max_bins", MOST_NATIVE))
    steps = preprocessing_steps(features, numbers, options, most)
    _check_width(x, numbers, features, options)
    for _, step in steps:
        x = _fit_transform(step, x, options)
    _check_liblinear(x, inner_estimator(estimator))
    return x, steps


def _check_liblinear(x: npt.NDArray[np.float64], estimator: BaseEstimator) -> None:
    """Raise `errors.BadData` for a number whose powers overflow: liblinear would not end."""
    liblinear = isinstance(estimator, LinearSVC | LinearSVR) or (
        isinstance(estimator, LogisticRegression) and estimator.solver == "liblinear"
    )
    if liblinear and np.abs(x).max(initial=0) > LARGEST_FLOAT32:
        raise errors.BadData(
            "features",
            "a feature holds infinity, or a number that is too large for the estimator, which "
            f"takes none above {LARGEST_FLOAT32:.2g}; scale or remove it",
        )


def bind_categories(
    estimator: BaseEstimator, features: Sequence[Feature], options: ResolvedPreprocessing
) -> None:
    """Tell an estimator which columns of the matrix are native categories.

    They join those that the parameters name, which are places already.
    """
    names = [f.name for f in features if not f.is_number and f.name not in options.tfidf]
    if options.categories != "native" or not names:
        return
    inner = inner_estimator(estimator)
    first = len(number_columns(features, options.dates))
    given = inner.get_params(deep=False)[CATEGORICAL]
    if given is None or isinstance(given, str):  # "from_dtype"; a matrix has no such dtype
        given = []
    elif all(isinstance(each, bool) for each in given):
        given = np.flatnonzero(given).tolist()
    places = sorted({*given, *range(first, first + len(names))})
    inner.set_params(**{CATEGORICAL: places})


def _check_options(
    features: Sequence[Feature], options: ResolvedPreprocessing, estimator: BaseEstimator
) -> None:
    if options.dates and not any(f.type == "date" for f in features):
        raise errors.BadData(
            f"{_FIELD}.dates", 'no feature is a date; declare the type of a column as "date"'
        )
    gaps = [f.name for f in features if f.is_number and f.nullable]
    inner = inner_estimator(estimator)
    if options.imputation == "none" and gaps and not get_tags(inner).input_tags.allow_nan:
        raise errors.BadData(
            f"{_FIELD}.imputation",
            f'"none" leaves the missing values of {listed(gaps)} as they are, and '
            f"{type(inner).__name__} takes none; choose another imputation",
        )


def _check_width(
    x: Any, numbers: int, features: Sequence[Feature], options: ResolvedPreprocessing
) -> None:
    """Raise `errors.BadData` if texts would become more columns than `MAX_COLUMNS`."""
    names = [f.name for f in features if not f.is_number]
    if options.categories != "one-hot" or len(names) * MAX_CATEGORIES <= MAX_COLUMNS:
        return  # words are bounded by their options
    texts = [place for place, name in enumerate(names, numbers) if name not in options.tfidf]
    columns = sum(x.iloc[:, place].nunique() for place in texts)
    if columns > MAX_COLUMNS:
        raise errors.BadData(
            "features",
            f"{len(texts):,} columns of text would become {columns:,} columns, and a model takes "
            f'{MAX_COLUMNS:,}; leave some out, or choose "ordinal" for preprocessing.categories',
        )


def _fit_transform(step: Any, x: Any, options: ResolvedPreprocessing) -> Any:
    """Fit the step of all columns, and return its matrix."""
    try:
        return step.fit_transform(x)
    except ValueError as error:
        if "empty vocabulary" not in str(error):
            raise
        raise errors.BadData(
            f"{_FIELD}.tfidf",
            f"no row that the model learns from has a word of two letters or more in one of "
            f"{listed(options.tfidf)}",
        ) from None
