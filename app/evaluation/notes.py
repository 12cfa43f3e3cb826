"""Say what an evaluation leaves out because of its bounds."""

from collections.abc import Sequence

from app.evaluation.budget import LEAST_SECONDS, SHARE
from app.evaluation.classification import MAX_CURVES
from app.evaluation.evaluated import EvaluatedModel
from app.evaluation.feature_columns import FeatureColumns
from app.evaluation.importance import MAX_FEATURES
from app.evaluation.partial_dependence import FEATURES
from app.models.evaluation import Note
from app.models.evaluation_parts import Classification, Importance, PartialDependence

MAX_COLUMNS = 1000  # of the profile
_TIME = f"the time for it, {SHARE:.0%} of the fit's and at least {LEAST_SECONDS} s, was over"


def of_classification(found: Classification) -> list[Note]:
    """Return the notes about classes that are not shown."""
    notes = []
    if (shown := len(found.labels)) < found.classes:
        said = (
            f"{shown} of {found.classes:,} classes are shown, those with the most rows; the "
            "confusion matrix counts no row that is of another class or got one as its label"
        )
        notes.append(Note(part="classification", detail=said))
    if found.classes > MAX_CURVES:
        said = f"curves, areas and thresholds are those of the {MAX_CURVES} classes with most rows"
        notes.append(Note(part="curves", detail=said))
    return notes


def of_train_scores(scored: int, expected: int) -> list[Note]:
    """Return the note about training rows that a slow model did not answer."""
    if not 0 < scored < expected:
        return []
    said = f"{scored:,} rows are scored, and not {expected:,}, because the model takes long"
    return [Note(part="train_scores", detail=said)]


def of_profile(model: EvaluatedModel) -> list[Note]:
    """Return the note about columns without a profile."""
    if (count := len(model.columns)) <= MAX_COLUMNS:
        return []
    said = f"the profile has the first {MAX_COLUMNS:,} of {count:,} columns"
    return [Note(part="profile", detail=said)]


def of_importance(
    found: Importance | None, columns: Sequence[FeatureColumns], model: EvaluatedModel
) -> list[Note]:
    """Return the note about features whose importance is not known."""
    if model.y_train is None:
        said = "a model without a target has no score that could become worse"
    elif found is None:
        said = f"no feature was shuffled: {_TIME}, or there are fewer than two rows"
    elif (measured := len(found.features)) < len(columns):
        why = "" if measured == MAX_FEATURES else f": {_TIME}"
        said = f"{measured:,} of {len(columns):,} features are listed{why}"
    elif found.measured_on == "train":
        said = "it is measured on rows that the model learnt from, because no others are left"
    else:
        return []
    return [Note(part="importance", detail=said)]


def of_dependence(found: list[PartialDependence] | None, model: EvaluatedModel) -> list[Note]:
    """Return the note about features whose partial dependence is not known."""
    if found is None:  # it failed, which has a note
        return []
    if model.classifies and not model.manifest.probabilities:
        said = "the model has no probabilities"
    elif len(found) < min(FEATURES, len(model.manifest.features)):
        said = f"some features have one value only, or {_TIME}"
    else:
        return []
    return [Note(part="partial_dependence", detail=said)]
