"""Pipelines that are fitted by scikit-learn itself, and their files."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, is_classifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from app.inference import skops_file
from app.inference.predictor import Tensors
from app.models.manifest import Feature, TrainedManifest
from app.training.preprocessing import preprocessing_steps
from tests.support import frames

LABELS = ["no", "maybe", "yes"]


@cache
def rows(count: int = 90) -> tuple[Tensors, Any, Any]:
    """Three columns of numbers, of which one has gaps, and one of texts; a target, and labels."""
    random = np.random.default_rng(7)
    number = random.normal(size=(count, 3))
    target = np.abs(number @ [3, 1, 2]) + 0.1
    number[::7, 0] = np.nan
    text = random.choice(["red", "green", "ä,\n"], size=(count, 1)).astype(object)
    return {"number": number, "text": text}, target, np.digitize(target, [1.5, 4])


def fitted(estimator: BaseEstimator, *, texts: bool = True) -> tuple[Pipeline, TrainedManifest]:
    """A fitted pipeline and its description; without `texts`, it has no preprocessing."""
    inputs, target, places = rows()
    features = [Feature(name=name, type="number", nullable=texts) for name in "abc"]
    x: Any = np.nan_to_num(inputs["number"])
    steps: Any = []
    if texts:
        features.append(Feature(name="colour", type="text"))
        blocks = [pd.DataFrame(each) for each in inputs.values()]
        x = pd.concat(blocks, axis=1, ignore_index=True)
        steps = preprocessing_steps(features, 3)
    classifies = is_classifier(estimator)
    pipeline = Pipeline([*steps, ("estimator", estimator)])
    pipeline.fit(x, places if classifies else target)
    return pipeline, frames.manifest(
        task="classification" if classifies else "regression",
        labels=LABELS if classifies else None,
        probabilities=hasattr(estimator, "predict_proba"),
        features=[each.model_dump() for each in features],
        runtime="scikit-learn",
    )


def inputs(*, texts: bool = True) -> Tensors:
    """The rows that the pipelines were fitted to."""
    known = rows()[0]
    return known if texts else {"number": np.nan_to_num(known["number"])}


def neighbours(path: Path) -> Path:
    """Write a classifier of neighbours to a file."""
    skops_file.dump(*fitted(KNeighborsClassifier(weights="distance", metric="manhattan")), path)
    return path
