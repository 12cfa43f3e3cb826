"""Find the best thresholds of a class's probability on some rows."""

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_curve

from app.models.evaluation_parts import BestThresholds, Threshold


def best_thresholds(
    is_class: npt.NDArray[np.bool], probability: npt.NDArray[np.float64]
) -> BestThresholds:
    """Return the thresholds with the greatest F1 and the greatest J of Youden.

    `is_class` and `probability` are [rows]. At least one row has to be of the class, and one not.
    """
    false_rate, true_rate, thresholds = roc_curve(is_class, probability, drop_intermediate=False)
    positives = int(is_class.sum())
    found = np.rint(true_rate * positives)  # rows of the class at the threshold or above
    wrong = np.rint(false_rate * (len(is_class) - positives))
    # 2 TP / (2 TP + FP + FN), where TP + FN are all rows of the class.
    f1 = 2 * found / (found + wrong + positives)
    precision = np.divide(found, found + wrong, out=np.zeros_like(found), where=found > 0)

    def at(place: np.intp) -> Threshold:
        threshold = float(thresholds[place])
        return Threshold(
            threshold=threshold if np.isfinite(threshold) else None,
            precision=float(precision[place]),
            recall=float(true_rate[place]),
            f1=float(f1[place]),
            false_positive_rate=float(false_rate[place]),
        )

    # `argmax` returns the first of equal ones, and thresholds fall.
    return BestThresholds(f1=at(np.argmax(f1)), youden=at(np.argmax(true_rate - false_rate)))
