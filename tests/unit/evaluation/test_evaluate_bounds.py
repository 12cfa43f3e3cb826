"""What an evaluation does where there is little, odd or too much to evaluate."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import Pipeline

from app.evaluation.evaluate import evaluate, write_evaluation
from app.evaluation.evaluated import EvaluatedModel, HeldOut
from app.evaluation.notes import MAX_COLUMNS
from app.inference.runtime import Answers
from app.models.evaluation import Evaluation
from app.models.manifest import Feature
from app.tables.column_types import TypedColumn
from tests.support import frames

RANDOM = np.random.default_rng(11)


def model(
    y: Any,
    *,
    labels: Sequence[Any] | None = None,
    test: int = 40,
    features: int = 2,
    unlearnt: Sequence[Any] = (),
    **changes: Any,
) -> EvaluatedModel:
    """A model that answers from its first feature; the last rows test it."""
    y = np.asarray(y)
    x = RANDOM.normal(size=(len(y), features))
    names = [f"f{n}" for n in range(features)]

    def run(inputs: Any) -> Answers:
        first = inputs["number"][:, 0]
        if labels is None:
            return Answers(first.copy(), None)
        scores = np.abs(first[:, None] - np.arange(len(labels)))
        return Answers(scores.argmin(axis=1), scores / scores.sum(axis=1, keepdims=True))

    train = len(y) - test
    manifest = frames.manifest(
        features=[{"name": name, "type": "number"} for name in names],
        labels=labels,
        task="regression" if labels is None else "classification",
        rows={"train": train, "test": test, "dropped": 0},
    )
    held_out = [HeldOut(y[train:], run({"number": x[train:]}), y[:train])] if test else []
    columns = [
        TypedColumn(Feature(name=name, type="number"), x[:, n]) for n, name in enumerate(names)
    ]
    values = {
        "manifest": manifest,
        "pipeline": Pipeline([("estimator", DummyRegressor())]),
        "run": run,
        "train_inputs": lambda places: {"number": x[:train][places]},
        "train_rows": train,
        "y_train": y[:train],
        "test_inputs": {"number": x[train:]} if test else None,
        "y_test": y[train:] if test else None,
        "held_out": held_out,
        "unlearnt": unlearnt,
        "columns": columns,
    }
    return EvaluatedModel(**{**values, **changes})


def notes_of(found: Evaluation) -> dict[str, str]:
    parts = [note.part for note in found.notes]
    assert len(set(parts)) == len(parts)
    return {note.part: note.detail for note in found.notes}


def test_of_a_slow_model_fewer_training_rows_are_scored() -> None:
    times = iter(range(10_000))

    found = evaluate(model(RANDOM.normal(size=4000)), clock=lambda: next(times))

    assert notes_of(found)["train_scores"] == (
        "1,000 rows are scored, and not 3,960, because the model takes long"
    )
    assert found.importance is None
    assert found.partial_dependence == []


def test_without_test_rows_nothing_is_scored_but_the_training_rows() -> None:
    found = evaluate(model(RANDOM.normal(size=80), test=0))

    assert found.tested_on == "none"
    assert (found.test_scores, found.baseline, found.regression) == ({}, None, None)
    assert found.train_scores.keys() >= {"rmse", "mae"}
    assert found.importance is not None
    assert found.importance.measured_on == "train"
    assert "rows that the model learnt from" in notes_of(found)["importance"]
    assert found.partial_dependence


def test_the_answers_of_folds_are_scored_together() -> None:
    y = RANDOM.normal(size=90)
    places = np.array_split(np.arange(90), 3)
    answers = [Answers(np.full(30, float(n)), None) for n in range(3)]
    folds = [
        HeldOut(y[rows], answer, np.delete(y, rows))
        for rows, answer in zip(places, answers, strict=True)
    ]

    found = evaluate(model(y, test=0, held_out=folds))

    predicted = np.repeat([0.0, 1.0, 2.0], 30)
    means = np.repeat([np.delete(y, rows).mean() for rows in places], 30)
    assert found.tested_on == "folds"
    assert found.test_scores["rmse"] == pytest.approx(root_mean_squared_error(y, predicted))
    assert found.baseline is not None
    assert found.baseline.scores["rmse"] == pytest.approx(root_mean_squared_error(y, means))
    assert found.regression is not None
    assert found.regression.rows == 90


def test_a_model_without_a_target_has_what_needs_none() -> None:
    found = evaluate(model(RANDOM.normal(size=80), y_train=None))

    assert (found.tested_on, found.test_scores, found.train_scores) == ("none", {}, {})
    assert "without a target" in notes_of(found)["importance"]
    assert len(found.partial_dependence) == 2
    assert found.data is not None
    assert len(found.data.columns) == 2


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_constant_target_has_finite_scores(value: float) -> None:
    found = evaluate(model(np.full(80, value)))

    assert found.test_scores.keys() >= {"rmse", "mae", "median_absolute_error"}
    assert ("mape" in found.test_scores) == (value != 0)
    assert found.baseline is not None
    assert found.baseline.scores["rmse"] == 0


def test_a_share_of_zero_is_not_defined() -> None:
    assert "mape" in evaluate(model(np.arange(1.0, 81.0))).test_scores
    assert "mape" not in evaluate(model(np.arange(1.0, 81.0) - 80)).test_scores


def test_a_single_test_row_has_no_r2_and_no_importance() -> None:
    found = evaluate(model(RANDOM.normal(size=20), test=1))

    assert found.test_scores.keys() == {"rmse", "mae", "median_absolute_error", "mape"}
    assert found.importance is None
    assert "fewer than two rows" in notes_of(found)["importance"]


def test_one_class_in_the_test_has_no_areas() -> None:
    found = evaluate(model([0, 1] * 20 + [1] * 10, labels=["no", "yes"], test=10))

    assert found.test_scores.keys() == {"accuracy", "f1", "log_loss", "balanced_accuracy"}
    assert found.classification is not None
    assert found.classification.per_class[1].roc is None


def test_a_class_that_only_test_rows_have_is_shown() -> None:
    found = evaluate(model([0, 1] * 20 + [0, 1, 2] * 3, labels=["a", "b"], test=9, unlearnt=["c"]))

    assert found.classification is not None
    assert found.classification.labels == ["a", "b", "c"]
    assert found.baseline is not None
    assert found.baseline.scores["log_loss"] > 1


def test_a_part_that_fails_becomes_a_note_and_costs_no_other() -> None:
    class Broken:
        coef_ = np.zeros(7)  # of features that are not there
        intercept_ = 0.0

    found = evaluate(model(RANDOM.normal(size=80), pipeline=Pipeline([("estimator", Broken())])))

    assert found.coefficients is None
    assert notes_of(found) == {
        "coefficients": "it could not be computed for these numbers; the consumer's log has the "
        "reason"
    }
    assert found.importance is not None


def test_answers_that_are_not_finite_become_a_note() -> None:
    def run(inputs: Any) -> Answers:
        return Answers(np.full(len(inputs["number"]), np.nan), None)

    found = evaluate(model(RANDOM.normal(size=80), run=run))

    assert {"train_scores", "importance", "partial_dependence"} <= notes_of(found).keys()
    assert found.test_scores


def test_much_of_all_stays_below_two_megabytes(tmp_path: Any) -> None:
    classes, features = 60, 3000
    y = np.r_[np.arange(classes), RANDOM.integers(0, classes, 3000)]
    texts = [f"{'long name ' * 20}{n}" for n in range(features)]
    columns = [TypedColumn(Feature(name=t, type="number"), np.arange(9.0) // 2) for t in texts]
    estimator = LinearRegression()
    estimator.coef_, estimator.intercept_ = np.ones((classes, features)), np.zeros(classes)

    found = evaluate(
        model(
            y,
            labels=list(range(classes)),
            test=2900,
            features=features,
            columns=columns,
            pipeline=Pipeline([("estimator", estimator)]),
        )
    )

    path = write_evaluation(found, tmp_path)
    assert path.stat().st_size < 2_000_000
    assert Evaluation.model_validate(json.loads(path.read_text())) == found
    assert found.data is not None
    assert len(found.data.columns) == MAX_COLUMNS
    assert {"classification", "curves", "importance", "profile"} <= notes_of(found).keys()
