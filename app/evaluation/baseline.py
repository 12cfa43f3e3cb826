"""Compute the answers of a model that looks at no feature."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.dummy import DummyClassifier, DummyRegressor

from app.inference.runtime import Answers


def baseline_answers(y_train: npt.NDArray[Any], rows: int, classes: int | None) -> Answers:
    """Return the answers to `rows` rows of a baseline that learnt `y_train` [training rows].

    For a regressor, `classes` is None. The probabilities [rows, classes] have a column for each of
    the `classes`.
    """
    learnt, asked = np.zeros((len(y_train), 1)), np.zeros((rows, 1))
    if classes is None:
        return Answers(DummyRegressor(strategy="mean").fit(learnt, y_train).predict(asked), None)
    model = DummyClassifier(strategy="prior").fit(learnt, y_train)
    probabilities = np.zeros((rows, classes))
    probabilities[:, model.classes_] = model.predict_proba(asked)
    return Answers(model.predict(asked), probabilities)
