"""What every loaded model offers, and the checks of rows that they share."""

import json
from typing import Any, Protocol

import numpy.typing as npt
from pydantic import JsonValue

from app import errors
from app.protocol.requests import PredictionInputs
from app.protocol.types import Row

Prediction = dict[str, Any]
Tensors = dict[str, npt.NDArray[Any]]


class Predictor(Protocol):
    """A model that can answer, of whatever kind; any number of threads may ask it."""

    bytes: int

    @property
    def model_id(self) -> str:
        """Return the model's id."""

    def prepare(self, inputs: PredictionInputs) -> list[Any]:
        """Check and return what is asked, one by one. Raises `errors.Invalid` or `TooLarge`."""

    def predict(self, prepared: list[Any]) -> list[Prediction | None]:
        """Answer what `prepare` returned, be it of many requests, in its order.

        A regressor answers `{"prediction": number, "pred_proba": the same}` (the second is the
        older name), a classifier `{"prediction": label, "pred_proba": {label: probability}}`. None
        stands where an answer would not be finite.
        """


def refuse_images(inputs: PredictionInputs, model_id: str) -> None:
    """Raise `errors.Invalid` if a model that takes rows is asked about images."""
    if inputs.image_data is not None:
        raise errors.Invalid("image_data", f"model {model_id} takes rows, in input_data")


def wrong_features(row: Row, names: list[str], model_id: str) -> errors.Invalid:
    """Return the error of a row whose keys are not `names`."""
    missing = [name for name in names if name not in row]
    extra = sorted(row.keys() - set(names))
    field = f"input_data.{(missing or extra)[0]}"
    said = f"missing {', '.join(missing)}" if missing else f"unknown {', '.join(extra)}"
    return errors.Invalid(field, f"{said}; model {model_id} takes {', '.join(names)}")


def describe_value(value: JsonValue) -> str:
    """Return a value in a few words, for an error."""
    match value:
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"{json.dumps(value):.80}"
