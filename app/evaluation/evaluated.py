"""What an evaluation takes: a fitted model, and the rows that tested it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline

from app.evaluation.baseline import baseline_answers
from app.evaluation.metrics import full_probabilities
from app.evaluation.phases import Phases
from app.inference.predictor import Tensors
from app.inference.runtime import Answers
from app.models.manifest import TrainedManifest
from app.protocol.label_keys import Label
from app.tables.column_types import TypedColumn


@dataclass(frozen=True)
class HeldOut:
    """The rows that test a model and that it did not learn, or those of a fold.

    `y` [rows] are their targets, and `answers` those of the model that did not learn them, both as
    `Answers` have them: places of labels are places of `EvaluatedModel.all_labels`. `y_train`
    [other rows] are the targets that this model learnt from.
    """

    y: npt.NDArray[Any]
    answers: Answers
    y_train: npt.NDArray[Any]

    def baseline(self, classes: int | None) -> Answers:
        """Return the answers of a model that looks at no feature."""
        return baseline_answers(self.y_train, len(self.y), classes)


@dataclass(frozen=True)
class EvaluatedModel:
    """A fitted model, its runtime, and the rows that it learnt from and that tested it.

    `run` answers rows as predictions do. `train_inputs` returns the training rows at some places
    [rows] as `run` takes them; `y_train` are the targets of all `train_rows`, None of a model
    without a target. `held_out` are the test rows, or of cross-validation the parts of its first
    repeat, each with the answers of its own model; there are none if nothing was tested.
    `test_inputs` are the test rows as `run` takes them, and `y_test` their targets; None if there
    are none that `run` did not learn.
    `unlearnt` are the classes that only test rows have. `columns` are the features and the target,
    before the rows were split. `sha256` is that of the file that was read. `phases` have the
    time of the `fit`.
    """

    manifest: TrainedManifest
    pipeline: Pipeline
    run: Callable[[Tensors], Answers]
    train_inputs: Callable[[npt.NDArray[np.intp]], Tensors]
    train_rows: int
    y_train: npt.NDArray[Any] | None
    test_inputs: Tensors | None = None
    y_test: npt.NDArray[Any] | None = None
    held_out: Sequence[HeldOut] = ()
    unlearnt: Sequence[Label] = ()
    columns: Sequence[TypedColumn] = ()
    sha256: str = ""
    phases: Phases = field(default_factory=Phases)

    @property
    def classifies(self) -> bool:
        """Whether the model answers labels."""
        return self.manifest.labels is not None

    @property
    def all_labels(self) -> list[Label]:
        """Return the labels that the model learnt, and those that it did not."""
        return [*(self.manifest.labels or ()), *self.unlearnt]

    @property
    def tested_on(self) -> str:
        """Return what tested the model: `test`, `folds` or `none`."""
        if self.y_train is None or not any(len(each.y) for each in self.held_out):
            return "none"
        return "folds" if len(self.held_out) > 1 else "test"

    def joined_answers(self, *, baseline: bool = False) -> tuple[npt.NDArray[Any], Answers]:
        """Return the targets of all rows that tested the model, and the answers to them."""
        classes = len(self.all_labels) if self.classifies else None
        answers = [each.baseline(classes) if baseline else each.answers for each in self.held_out]
        y = np.concatenate([each.y for each in self.held_out])
        predicted = np.concatenate([each.predicted for each in answers])
        known = [each.probabilities for each in answers if each.probabilities is not None]
        if len(known) < len(answers):
            return y, Answers(predicted, None)
        width = max(each.shape[1] for each in known)
        probabilities = np.concatenate([full_probabilities(each, width) for each in known])
        return y, Answers(predicted, probabilities)
