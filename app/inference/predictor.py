"""The interface of loaded models, and the checks of rows that they share."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import numpy.typing as npt
from pydantic import JsonValue

from app import errors
from app.protocol.hints import WRAPPERS, shape
from app.protocol.label_keys import Label
from app.protocol.prediction_fields import Extra
from app.protocol.requests import PredictionInputs
from app.protocol.types import Row, Values
from app.protocol.wording import cut, describe_value, listed, nearest, nfc, quoted, repeated

SHARE_BYTES = 80  # of a probability in a dict

Prediction = dict[str, Any]
Tensors = dict[str, npt.NDArray[Any]]


class Predictor(Protocol):
    """A loaded model of any kind; any number of threads may use it.

    `bytes` is the memory that it holds. `answer_bytes` is what the answer to a row takes as objects
    of Python. `answered_by` names its runtime in metrics. `labels` are the classes; a model that
    answers numbers has None.
    """

    bytes: int
    answer_bytes: int
    answered_by: str
    labels: list[Label] | None

    @property
    def alive(self) -> bool:
        """Tell whether it can answer; if it cannot, it has to be loaded again."""

    @property
    def isolated(self) -> bool:
        """Tell whether it runs in a process of its own.

        `predict` may wait for it for many seconds then, so no thread that others need may call it.
        """

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


def answer_bytes(labels: int) -> int:
    """Return what an answer takes as objects of Python if it names so many labels."""
    return SHARE_BYTES * (1 + labels)


def refuse_images(inputs: PredictionInputs, model_id: str) -> None:
    """Raise `errors.Invalid` if the inputs of a model that takes rows are images."""
    if inputs.image_data is not None:
        raise errors.Invalid("image_data", f"model {model_id} takes rows, in input_data")


def check_rows(
    inputs: PredictionInputs,
    check: Callable[[Row, Extra | None], Row],
    names: Sequence[str],
    model_id: str,
) -> list[Row]:
    """Return the rows as `check` returns them; its errors name the row if there is a list.

    A row that is a list has its values in the order of the features `names`. The field of an error
    is `input_data.age`, and becomes `input_data.3.age`.
    """
    checked = []
    rows: list[Any] = inputs.rows  # a list of unions is what mypy cannot narrow here
    for number, row in enumerate(rows):
        try:
            named = _named(row, names, model_id) if isinstance(row, list) else row
            checked.append(check(named, inputs.extra))
        except errors.Invalid as error:
            if not inputs.many:
                raise
            column = error.extra["field"].removeprefix("input_data")
            raise error.renamed(f"input_data.{number}{column}") from None
    return checked


def _named(values: Values, names: Sequence[str], model_id: str) -> Row:
    if len(values) != len(names):
        count = "1 value" if len(values) == 1 else f"{len(values)} values"
        raise errors.Invalid(
            "input_data",
            f"has {count}, but model {model_id} takes {len(names)}, in this order: {listed(names)}",
        )
    return dict(zip(names, values, strict=True))


def fit_names(row: Row, names: Collection[str], model_id: str, extra: Extra | None = None) -> Row:
    """Return a row whose keys are not the features `names`, with those keys if they are the same.

    Names are the same in any form of Unicode; macOS writes "ü" as two characters. Raises
    `errors.Invalid` for a row that has not the features, or others; with `extra` "ignore", it may
    have others.
    """
    forms = {nfc(name): name for name in names}
    fitted = {forms.get(nfc(key), key): value for key, value in row.items()}
    if len(fitted) < len(row):
        twice = repeated(map(nfc, row))
        field = f"input_data.{cut(twice[0])}"
        raise errors.Invalid(field, f"given twice, in two forms of Unicode: {listed(twice)}")
    missing = [name for name in names if name not in fitted]
    unknown = sorted(fitted.keys() - set(names))
    if missing or (unknown and extra != "ignore"):
        raise _wrong_features(fitted, names, model_id, missing, unknown)
    return fitted


def _wrong_features(
    row: Row, names: Collection[str], model_id: str, missing: list[str], unknown: list[str]
) -> errors.Invalid:
    """Return the error of a row that misses features, or has others."""
    takes = f"model {model_id} takes {listed(names)}"
    if not missing:
        said = f'unknown {listed(unknown)} (send "extra": "ignore" to have it ignored)'
        return errors.Invalid(f"input_data.{cut(unknown[0])}", f"{said}; {takes}")
    said = f"missing {listed(missing)}"
    if (found := nearest(missing[0], unknown)) is not None:
        said += f" (you sent {quoted(found)})"
    nested = any(isinstance(each, list | dict) for each in row.values())
    if len(missing) == len(names) and (nested or WRAPPERS & row.keys()):
        takes += f"; you sent {shape(row)}, but a row holds a value for each feature"
    return errors.Invalid(f"input_data.{cut(missing[0])}", f"{said}; {takes}")


def wrong_value(name: str, value: JsonValue, fitting: str, *, nullable: bool) -> errors.Invalid:
    """Return the error of a value that the feature `name` cannot have; it has `fitting` ones."""
    either = ", or null" if nullable else ""
    said = f"expected {fitting}{either}, not {describe_value(value)}"
    return errors.Invalid(f"input_data.{name}", said)
