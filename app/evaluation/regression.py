"""Compare the predictions of a regressor with the actual values."""

from typing import Any

import numpy as np
import numpy.typing as npt

from app.evaluation.sampling import sample_places
from app.models.evaluation_parts import Histogram, Regression

POINTS = 2000
_RANGES = 20
_WIDER = 1e-9
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def evaluate_regression(y: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> Regression:
    """Return points and residuals of predictions [rows] for the target `y` [rows].

    Raises `OverflowError` if a residual is beyond the range of float64.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        residuals = np.asarray(y - predicted, np.float64)
        moments = residuals.mean(), residuals.std()
    if not np.isfinite([*residuals, *moments]).all():
        raise OverflowError
    shown = sample_places(len(y), POINTS)
    quantiles = np.quantile(residuals, QUANTILES)
    return Regression(
        rows=len(y),
        actual=np.asarray(y, np.float64)[shown].tolist(),
        predicted=np.asarray(predicted, np.float64)[shown].tolist(),
        residuals=residuals[shown].tolist(),
        residual_mean=float(moments[0]),
        residual_std=float(moments[1]),
        residual_quantiles={
            f"{share:g}": float(each) for share, each in zip(QUANTILES, quantiles, strict=True)
        },
        residual_histogram=_histogram(residuals),
    )


def _histogram(residuals: npt.NDArray[np.float64]) -> Histogram:
    try:
        counts, edges = np.histogram(residuals, bins=_RANGES)
    except ValueError:  # float64 has too few numbers between huge ones that are nearly the same
        low, high = residuals.min(), residuals.max()
        more = max(abs(low), abs(high)) * _WIDER
        counts, edges = np.histogram(residuals, bins=_RANGES, range=(low - more, high + more))
    return Histogram(edges=edges.tolist(), counts=counts.tolist())
