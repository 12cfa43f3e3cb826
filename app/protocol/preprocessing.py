"""Resolve the preprocessing of a training: what is asked for, and the defaults of the estimator."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from app.protocol.estimators import EstimatorSpec
from app.protocol.training_options import (
    Categories,
    DatePart,
    Imputation,
    Preprocessing,
    Scaling,
    TargetTransform,
)

DEFAULT_TERMS = 1000  # words of a column of free text

Defaults = Literal["by-estimator", "scikit-learn", "older"]


class ResolvedPreprocessing(BaseModel):
    """All that is done to the columns of a training before its estimator gets them.

    `fill_value` is the number of the imputation `constant`. One-hot encoded categories with fewer
    training rows than `min_frequency` share a column. `dates` are the parts that each date adds to
    its days. `tfidf` are the columns of free text, with at most `max_terms` words each.
    """

    model_config = ConfigDict(frozen=True)

    scaling: Scaling = "none"
    imputation: Imputation = "median"
    fill_value: float | None = None
    categories: Categories = "one-hot"
    min_frequency: int | None = None
    dates: list[DatePart] = []
    tfidf: list[str] = []
    max_terms: int | None = None
    target_transform: TargetTransform = "none"


def resolve_preprocessing(
    asked: Preprocessing | None,
    spec: EstimatorSpec,
    defaults: Defaults = "by-estimator",
    target_transform: TargetTransform | None = None,
) -> ResolvedPreprocessing:
    """Return what is done to the columns for an estimator, the row `spec` of the table.

    Options that are not named follow the estimator; a request of a version without them has the
    imputation `median` and the categories `one-hot` for each estimator, and scales nothing.
    """
    asked = asked or Preprocessing()
    chosen = asked.model_dump(exclude_none=True)
    if defaults == "by-estimator":
        if spec.scaled:
            chosen.setdefault("scaling", "standard")
        if spec.missing:
            chosen.setdefault("imputation", "none")
        if spec.native and asked.min_frequency is None:  # which only one-hot encoding has
            chosen.setdefault("categories", "native")
    if chosen.get("imputation") == "constant":
        chosen.setdefault("fill_value", 0.0)
    if asked.tfidf:
        chosen.setdefault("max_terms", DEFAULT_TERMS)
    return ResolvedPreprocessing(**chosen, target_transform=target_transform or "none")
