"""Compare a training and the answers of its model with what plain scikit-learn gives."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from app.inference.trained_model import TrainedModel
from app.protocol.label_keys import label_keys
from app.protocol.requests import PredictionInputs
from app.protocol.training_request import TrainRequest
from app.training.pipeline import fit_pipeline
from app.training.training_data import read_training_data
from tests.support import frames, plain

EXACT, CLOSE = 1e-9, 1e-6  # of the target's standard deviation, and of probabilities
Predictions = Sequence[dict[str, Any] | None]
TREES = (
    *("random_forest", "extra_trees", "decision_tree"),
    *("gradient_boosting", "hist_gradient_boosting", "lightgbm"),
)


def train(path: Path, asked: TrainRequest) -> TrainedModel:
    """Train in this process, and load the file of the model."""
    manifest, file = fit_pipeline(read_training_data(str(path), asked), asked, "m", path.parent)
    model = frames.load(manifest, file.read_bytes())
    assert model.manifest == manifest
    return model


def assert_same(model: TrainedModel, expected: plain.Trained, metrics: float = EXACT) -> None:
    """Compare what a model tells and what it answers with scikit-learn's results.

    `metrics` is how far those of scikit-learn may be. Those of the answers are equal to 1e-9.
    """
    told = model.manifest
    assert told.rows == expected.rows
    assert (told.labels or []) == expected.classes
    assert told.metrics == pytest.approx(expected.metrics, rel=metrics, abs=metrics)
    inputs = PredictionInputs(input_data=rows_of(expected.test))
    answers = model.predict(model.prepare(inputs))
    assert_same_answers(answers, expected, bound_of(told.estimator, told.runtime))
    assert told.metrics == pytest.approx(metrics_of(answers, expected), rel=EXACT, abs=EXACT)
    assert told.sample
    assert all(model.predict([model.check(told.sample)]))


def metrics_of(answers: Predictions, expected: plain.Trained) -> dict[str, float]:
    """Measure the answers for the test rows."""
    predicted = [answer["prediction"] for answer in answers if answer]
    if not expected.classes:
        return plain.number_metrics(expected.y_test, predicted)
    shares = None
    if expected.probabilities is not None:
        shares = np.array([list(answer["pred_proba"].values()) for answer in answers if answer])
    return plain.class_metrics(expected.y_test, np.array(predicted), shares, expected.classes)


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as a client sends them."""
    return [
        {name: None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.astype(object).to_dict("records")
    ]


def bound_of(estimator: str, runtime: str) -> float:
    """How far the answers may be from scikit-learn's."""
    return EXACT if runtime == "scikit-learn" or estimator.startswith(TREES) else CLOSE


def assert_same_answers(answers: Predictions, expected: plain.Trained, bound: float) -> None:
    """Compare the answers for all test rows: labels and numbers, and the probabilities by label."""
    predicted = [answer["prediction"] for answer in answers if answer]
    assert len(predicted) == len(expected.predicted)
    if not expected.classes:
        difference = np.abs(np.subtract(predicted, expected.predicted)).max()
        assert difference <= bound * expected.spread
        return
    assert predicted == expected.predicted
    shares = [answer["pred_proba"] for answer in answers if answer]
    if expected.probabilities is None:
        assert shares == [None] * len(shares)
        return
    keys = label_keys(expected.classes)
    assert [list(share) for share in shares] == [keys] * len(shares)
    found = np.array([list(share.values()) for share in shares])
    assert np.abs(found - expected.probabilities).max() <= bound
