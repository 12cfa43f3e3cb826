"""Refuse a model that would be too large, or too slow, to answer predictions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from time import process_time

from sklearn.base import BaseEstimator

from app import errors
from app.training.estimators import spec_of
from app.training.param_binding import inner_estimator

TREE_BYTES = 1_000  # that a tree of a forest takes at least
WEIGHT_BYTES = 8  # of a weight between two layers
CALIBRATED_LABELS = 1_000  # each of which has a calibrator
BOOSTED_TREES = 100_000  # of a classifier, which grows a tree for each label in each iteration
ROUNDS = 100  # of XGBoost, which shows None for its own default
LOAD_SECONDS = 10.0  # of processor time: half of what a prediction waits for a model


def check_trees(estimator: BaseEstimator, memory: int) -> None:
    """Raise `errors.Invalid` for a forest of more trees than `memory` bytes can hold."""
    params = inner_estimator(estimator).get_params()
    count = (params.get("n_estimators") or 0) * (params.get("num_parallel_tree") or 1)
    if count > (most := memory // TREE_BYTES):
        raise errors.Invalid(
            "params.n_estimators",
            f"{count:,} trees cannot fit into the {memory / 1e6:,.0f} MB that this fit may take; "
            f"that holds {most:,} of the smallest trees",
        )


def check_layers(estimator: BaseEstimator, memory: int) -> None:
    """Raise `errors.Invalid` if `memory` bytes cannot hold the weights between hidden layers."""
    sizes = inner_estimator(estimator).get_params().get("hidden_layer_sizes")
    if sizes is None:
        return
    widths = [sizes] if isinstance(sizes, int) else [int(each) for each in sizes]
    weights = sum(a * b for a, b in pairwise([1, *widths, 1]))
    if weights > (most := memory // WEIGHT_BYTES):
        raise errors.Invalid(
            "params.hidden_layer_sizes",
            f"{weights:,} weights between these layers cannot fit into the {memory / 1e6:,.0f} MB "
            f"that this fit may take, which hold {most:,}; name fewer or smaller layers",
        )


def check_labels(estimator: BaseEstimator, name: str, target: str, labels: int) -> None:
    """Raise `errors.BadData` if the classifier `name` could not serve so many `labels`.

    `target` is the column that they are read from.
    """
    inner = inner_estimator(estimator)
    spec = spec_of(inner)
    most, remedies = spec.most_labels, ["merge rare labels"]
    if spec.rounds:
        most = min(most, max(2, BOOSTED_TREES // int(getattr(inner, spec.rounds) or ROUNDS)))
        remedies.append(f"lower {spec.rounds}")
    if estimator is not inner:
        most = min(most, CALIBRATED_LABELS)
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
