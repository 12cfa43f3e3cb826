"""The interface of loaded models, and the checks of rows that they share."""

import json
from typing import Any, Protocol

import numpy.typing as npt
from pydantic import JsonValue

from app import errors
from app.protocol.requests import Extra, PredictionInputs
from app.protocol.types import Row

Prediction = dict[str, Any]
Tensors = dict[str, npt.NDArray[Any]]


class Predictor(Protocol):
    """A loaded model of any kind; any number of threads may use it. `bytes` is its file's size."""

    bytes: int

    @property
    def model_id(self) -> str:
        """Return the model's id."""

    def prepare(self, inputs: PredictionInputs) -> list[Any]:
        """Check the inputs; return a list of rows or images for `predict`.

        Raises `errors.Invalid` or `TooLarge`.
        """

    def predict(self, prepared: list[Any]) -> list[Prediction | None]:
        """Return a prediction for each row or image that `prepare` returned, in their order.

        `prepared` may join the lists of many requests. A regressor predicts `{"prediction": number,
        "pred_proba": number}`, twice the same number because `pred_proba` is the older name. A
        classifier predicts `{"prediction": label, "pred_proba": {key: probability}}`, with the keys
        of `label_keys`. A prediction that would not be finite is None.
        """


def refuse_images(inputs: PredictionInputs, model_id: str) -> None:
    """Raise `errors.Invalid` if the inputs of a model that takes rows are images."""
    if inputs.image_data is not None:
        raise errors.Invalid("image_data", f"model {model_id} takes rows, in input_data")


def check_features(row: Row, names: list[str], model_id: str, extra: Extra | None) -> None:
    """Raise `errors.Invalid` unless a row has the features `names`, and no others.

    With `extra` "ignore" it may have others.
    """
    if missing := [name for name in names if name not in row]:
        field, said = missing[0], f"missing {', '.join(missing)}"
    elif (unknown := sorted(row.keys() - set(names))) and extra != "ignore":
        field = unknown[0]
        said = f'unknown {", ".join(unknown)} (send "extra": "ignore" to have it ignored)'
    else:
        return
    takes = f"model {model_id} takes {', '.join(names)}"
    raise errors.Invalid(f"input_data.{field}", f"{said}; {takes}")


def describe_value(value: JsonValue) -> str:
    """Describe a value in at most 80 characters, for an error."""
    match value:
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"{json.dumps(value):.80}"
