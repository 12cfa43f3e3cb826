"""The interface of what answers for a trained model: ONNX or scikit-learn."""

from typing import Any, NamedTuple, Protocol

import numpy.typing as npt

from app.inference.predictor import Tensors

NO_PLACE = -1
CHUNK_BYTES = 64_000_000  # of memory that the rows that are answered together may take
# That a pipeline of scikit-learn answers together at most, because a manifest may not know what a
# row takes.
PIPELINE_ROWS = 1000


def rows_at_a_time(row_bytes: int, most: int = CHUNK_BYTES) -> int:
    """Return how many rows of `row_bytes` take at most `most` bytes together; at least one."""
    return max(1, most // max(1, row_bytes))


class Answers(NamedTuple):
    """The answers for some rows.

    `predicted` [rows] are numbers, or the places of a classifier's labels in the manifest.
    `probabilities` [rows, labels] are None for a regressor, and for a classifier that has none.
    A row without an answer has NaN, or `NO_PLACE` and NaN.
    """

    predicted: npt.NDArray[Any]
    probabilities: npt.NDArray[Any] | None


def answers_to_tensors(answers: Answers) -> Tensors:
    """Return answers as arrays by name, which a child process can send."""
    return {name: values for name, values in answers._asdict().items() if values is not None}


def answers_from_tensors(tensors: Tensors) -> Answers:
    """Return the answers that a child process has sent."""
    return Answers(tensors["predicted"], tensors.get("probabilities"))


class Runtime(Protocol):
    """Answers rows; any number of threads may use it. `bytes` is the memory that it holds."""

    bytes: int

    @property
    def alive(self) -> bool:
        """Tell whether it can answer; if it cannot, the model has to be loaded again."""

    @property
    def isolated(self) -> bool:
        """Tell whether it is a process of its own."""

    def stop(self) -> None:
        """End its process now, if it has one; the thread that waits for it gets an error."""

    def run(self, inputs: Tensors) -> Answers:
        """Answer rows: `number` and `text`, both [rows, columns]; one without columns is left out.

        Raises `errors.WarrenError`.
        """
