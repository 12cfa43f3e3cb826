"""Choose some of many rows, the same ones each time."""

import numpy as np
import numpy.typing as npt

from app.inference.predictor import Tensors
from app.protocol.estimators import SEED


def sample_places(count: int, most: int) -> npt.NDArray[np.intp]:
    """Return the places of at most `most` of `count` rows, ascending."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.RandomState(SEED).permutation(count)[:most])


def evenly_spaced(count: int, most: int) -> npt.NDArray[np.intp]:
    """Return at most `most` places of `count` points, the first and the last one among them."""
    if count <= most:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, most).round().astype(np.intp))


def take_rows(inputs: Tensors, places: npt.NDArray[np.intp]) -> Tensors:
    """Return some rows of the arrays that a runtime takes."""
    return {name: values[places] for name, values in inputs.items()}


def row_count(inputs: Tensors) -> int:
    """Return how many rows there are."""
    return len(next(iter(inputs.values())))
