"""Build the steps that prepare numbers and texts before the estimator."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from app.models.manifest import Feature
from app.protocol.preprocessing import ResolvedPreprocessing
from app.protocol.training_options import Imputation, Scaling

MOST_NATIVE = 255  # categories of a column that histogram boosting takes, unless `max_bins` is less

_SCALERS: Mapping[Scaling, type[BaseEstimator]] = {
    "standard": StandardScaler,
    "min-max": MinMaxScaler,
    "robust": RobustScaler,
}
_STRATEGIES: Mapping[Imputation, str] = {
    "median": "median",
    "mean": "mean",
    "most-frequent": "most_frequent",
    "constant": "constant",
}
_OLDER = ResolvedPreprocessing()  # what versions before the option did

Steps = list[tuple[str, ColumnTransformer]]


def preprocessing_steps(
    features: Sequence[Feature],
    numbers: int,
    options: ResolvedPreprocessing = _OLDER,
    most_native: int = MOST_NATIVE,
) -> Steps:
    """Return the step that prepares all columns; none if no column needs it.

    It takes a matrix whose first columns are the `numbers`, with the parts of dates. The others
    are the texts, "" if they are missing. A column of `native` categories keeps `most_native` of
    them; the rarest share one. All is computed in float64.
    """
    names = [f.name for f in features if not f.is_number]
    gaps = any(f.is_number and f.nullable for f in features)
    prepares = options.scaling != "none" or (gaps and options.imputation != "none")
    if not names and not prepares:
        return []
    texts = [numbers + place for place, name in enumerate(names) if name not in options.tfidf]
    blocks: list[tuple[str, Any, Any]] = [
        ("number", _number_step(options), list(range(numbers))),
        ("text", _text_step(options, most_native), texts),
    ]
    blocks = [block for block in blocks if block[2]]
    for place, name in enumerate(names):
        if name in options.tfidf:
            words = TfidfVectorizer(max_features=options.max_terms)
            blocks.append((f"words{place}", words, numbers + place))
    return [("columns", ColumnTransformer(blocks, sparse_threshold=0))]


def _number_step(options: ResolvedPreprocessing) -> BaseEstimator | str:
    """Return what imputes and scales numbers."""
    steps = []
    if options.imputation != "none":
        strategy, fill = _STRATEGIES[options.imputation], options.fill_value
        steps.append(SimpleImputer(strategy=strategy, fill_value=fill, keep_empty_features=True))
    if options.scaling != "none":
        steps.append(_SCALERS[options.scaling]())
    if not steps:
        return "passthrough"
    return steps[0] if len(steps) == 1 else make_pipeline(*steps)


def _text_step(options: ResolvedPreprocessing, most_native: int) -> BaseEstimator:
    """Return what makes numbers of texts."""
    match options.categories:
        case "ordinal":
            return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        case "native":
            # Missing texts are "", which the first step makes missing numbers.
            missing = SimpleImputer(
                missing_values="", strategy="constant", fill_value=np.nan, keep_empty_features=True
            )
            codes = OrdinalEncoder(
                handle_unknown="use_encoded_value",
                unknown_value=np.nan,
                max_categories=most_native,
            )
            return make_pipeline(missing, codes)
    if options.min_frequency is None:
        return OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=options.min_frequency,
        sparse_output=False,
    )
