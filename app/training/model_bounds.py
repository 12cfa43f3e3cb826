"""Refuse a model that would be too large, or too slow, to answer predictions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import process_time

from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.svm import SVC

from app import errors
from app.training.param_binding import inner_estimator

TREE_BYTES = 1_000  # that a tree of a forest takes at least
LABELS = 10_000  # of any classifier, because each answer holds a probability for each label
# Those that keep more for each label: a matrix for each tree, or a calibrator. A support vector
# machine keeps one score for each pair of labels.
_LABELS = {RandomForestClassifier: 2_000, CalibratedClassifierCV: 1_000, SVC: 1_000}
BOOSTED_TREES = 100_000  # of a classifier, which grows a tree for each label in each iteration
LOAD_SECONDS = 10.0  # of processor time: half of what a prediction waits for a model


def check_trees(estimator: BaseEstimator, memory: int) -> None:
    """Raise `errors.Invalid` for a forest of more trees than `memory` bytes can hold."""
    count = inner_estimator(estimator).get_params().get("n_estimators", 0)
    if count > (most := memory // TREE_BYTES):
        raise errors.Invalid(
            "params.n_estimators",
            f"{count:,} trees cannot fit into the {memory / 1e6:,.0f} MB that this fit may take; "
            f"that holds {most:,} of the smallest trees",
        )


def check_labels(estimator: BaseEstimator, name: str, target: str, labels: int) -> None:
    """Raise `errors.BadData` if the classifier `name` could not serve so many `labels`.

    `target` is the column that they are read from.
    """
    inner = inner_estimator(estimator)
    most, remedies = LABELS, ["merge rare labels"]
    for each in (inner, estimator):
        most = min(most, _LABELS.get(type(each), LABELS))
    if isinstance(inner, HistGradientBoostingClassifier):
        most = min(most, max(2, BOOSTED_TREES // int(inner.max_iter)))
        remedies.append("lower max_iter")
    if estimator is not inner:
        name = f"a calibrated {name}"
        remedies.append("leave calibrate out")
    if labels > most:
        remedies.append("predict a number with a regressor")
        raise errors.BadData(
            "target",
            f"column {target} has {labels:,} different labels, and {name} takes at most {most:,}: "
            f"{', '.join(remedies[:-1])}, or {remedies[-1]}",
            labels=labels,
            allowed=most,
        )


@contextmanager
def timed_load(
    most: float = LOAD_SECONDS, clock: Callable[[], float] = process_time
) -> Iterator[None]:
    """Raise `errors.FitFailed` if the block, which loads a model, takes longer than `most` s."""
    start = clock()
    yield
    if (taken := clock() - start) > most:
        raise errors.FitFailed(
            f"the fitted model takes {taken:.1f} s to be loaded, and may take {most:g} s: "
            "use fewer trees, rows or labels"
        )
