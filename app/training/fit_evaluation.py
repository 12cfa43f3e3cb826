"""Hand the fits of a training to its evaluation."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.evaluation.evaluated import EvaluatedModel, HeldOut
from app.evaluation.phases import Phases
from app.inference.runtime import NO_PLACE, Answers
from app.models.manifest import TrainedManifest
from app.protocol.label_keys import Label, label_key
from app.training.runtime_choice import RuntimeChoice
from app.training.single_fit import Measured, SingleFit
from app.training.split import RowSplit
from app.training.training_data import TrainingData


def evaluated_model(
    data: TrainingData,
    manifest: TrainedManifest,
    folds: Sequence[Measured],
    tested: Measured | None,
    published: SingleFit,
    choice: RuntimeChoice,
    phases: Phases,
) -> EvaluatedModel:
    """Return the published model with the answers that measure it.

    They are those of the `folds` that keep theirs; else those of the fit that was `tested` before
    the model was fitted again; else those of the chosen runtime.
    """
    rows, model = published.rows, published.model
    every = [*(rows.labels or ()), *rows.unlearnt]
    if folds:
        parts = [_tested(each.split, each.answers, every) for each in folds if each.answers]
    elif tested and tested.answers:
        parts = [_tested(tested.split, tested.answers, every)]
    elif len(rows.y_test):
        parts = [_tested(published.split, choice.answers, every)]
    else:
        parts = []
    unseen = bool(data.target.name and tested is None and len(rows.y_test))
    return EvaluatedModel(
        manifest=manifest,
        pipeline=model.pipeline,
        run=choice.run,
        train_inputs=rows.train_inputs,
        train_rows=len(rows.y_train),
        y_train=rows.y_train if data.target.name else None,
        test_inputs=model.inputs if unseen else None,
        y_test=rows.y_test if unseen else None,
        held_out=parts,
        unlearnt=rows.unlearnt,
        columns=data.columns,
        sha256=data.sha256,
        phases=phases,
    )


def _tested(split: RowSplit, answers: Answers, every: Sequence[Label]) -> HeldOut:
    """Return the tested rows of a split, with places among the labels of `every` class."""
    if split.labels is None:
        return HeldOut(split.y_test, answers, split.y_train)
    keys = {label_key(label): place for place, label in enumerate(every)}
    labels = (*split.labels, *split.unlearnt)
    places = np.array([keys[label_key(each)] for each in labels], np.int64)
    predicted = np.where(answers.predicted == NO_PLACE, NO_PLACE, places[answers.predicted])
    probabilities: npt.NDArray[np.float64] | None = None
    if answers.probabilities is not None:
        probabilities = np.zeros((len(predicted), len(every)))
        probabilities[:, places[: len(split.labels)]] = answers.probabilities
    return HeldOut(places[split.y_test], Answers(predicted, probabilities), places[split.y_train])
