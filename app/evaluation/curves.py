"""The ROC and precision-recall curves of a class, and its calibration curve."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve, roc_curve

from app.evaluation.sampling import evenly_spaced
from app.models.evaluation_parts import CalibrationCurve, PrecisionRecallCurve, RocCurve

_RANGES = 10

_Bools = npt.NDArray[np.bool]
_Floats = npt.NDArray[np.float64]


def roc(is_class: _Bools, probability: _Floats, most: int) -> RocCurve:
    """Return at most `most` points of the ROC curve, with both its ends."""
    false_rate, true_rate, thresholds = roc_curve(is_class, probability)
    kept = evenly_spaced(len(thresholds), most)
    return RocCurve(
        false_positive_rate=false_rate[kept].tolist(),
        true_positive_rate=true_rate[kept].tolist(),
        thresholds=_finite(thresholds[kept]),
    )


def precision_recall(is_class: _Bools, probability: _Floats, most: int) -> PrecisionRecallCurve:
    """Return at most `most` points of the precision-recall curve, with both its ends."""
    precision, recall, thresholds = precision_recall_curve(
        is_class, probability, drop_intermediate=True
    )
    kept = evenly_spaced(len(precision), most)
    return PrecisionRecallCurve(
        precision=precision[kept].tolist(),
        recall=recall[kept].tolist(),
        thresholds=_finite(np.append(thresholds, np.inf)[kept]),
    )


def calibration(is_class: _Bools, probability: _Floats) -> CalibrationCurve:
    """Return the calibration curve of a class, in ten equal ranges of its probability."""
    observed, predicted = calibration_curve(is_class, probability, n_bins=_RANGES)
    edges = np.linspace(0.0, 1.0, _RANGES + 1)
    counts = np.bincount(np.searchsorted(edges[1:-1], probability), minlength=_RANGES)
    return CalibrationCurve(
        predicted=predicted.tolist(),
        observed=observed.tolist(),
        rows=counts[counts > 0].tolist(),
    )


def _finite(thresholds: npt.NDArray[Any]) -> list[float | None]:
    return [each if np.isfinite(each) else None for each in thresholds.tolist()]
