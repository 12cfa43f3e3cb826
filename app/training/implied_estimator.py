"""Choose a classifier where a request names no estimator, and its target can only be classes."""

from app.models.manifest import FitWarning
from app.protocol.estimators import CLASSIFIER_OF_CLASSES
from app.protocol.training_request import TrainingSpec
from app.tables.column_cells import ColumnCells

_CLASSES = ("text", "category", "boolean")  # types that only a classifier predicts


def implied_estimator(request: TrainingSpec, cells: ColumnCells | None) -> str | None:
    """Return the estimator that the `cells` of the target imply, None if the request's is fitted.

    A target that may be numbers implies none, and neither does one that is to be transformed.
    """
    if request.estimator or cells is None or request.target is None:
        return None
    if request.target_transform == "log1p":
        return None
    declared = (request.types or {}).get(request.target)
    classes = declared.type in _CLASSES if declared else cells.holds_classes
    return CLASSIFIER_OF_CLASSES if classes else None


def implied_warnings(target: str, estimator: str | None) -> list[FitWarning]:
    """Return the warning that an estimator was chosen by the target, if one was."""
    if estimator is None:
        return []
    said = (
        f"column {target} holds text or booleans, and the request names no estimator, so "
        f"{estimator} was fitted; name it, or another one"
    )
    return [FitWarning(type="classifier_chosen", detail=said, field="estimator")]
