"""Predictions as the output tensors of the Open Inference Protocol."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from app import errors
from app.protocol import strict_json
from app.protocol.label_keys import Label
from app.protocol.oip.datatypes import BOOL, BYTES, FP64, INT64, Datatype, pack
from app.protocol.wording import cut, listed

PREDICTION = "prediction"
PROBABILITIES = "pred_proba"
PROBABLE = "pred_proba_labels"  # which labels the probabilities are of, where they differ by row

_LARGEST = 2**63


class Output(NamedTuple):
    """An output tensor: its elements, row by row, where None is no number."""

    name: str
    datatype: Datatype
    shape: list[int]
    elements: Sequence[Any]
    parameters: dict[str, Any] | None = None

    def encode(self, *, binary: bool) -> tuple[bytes, bytes]:
        """Return the tensor's JSON and, if it is `binary`, its bytes behind that."""
        said: dict[str, Any] = {
            "name": self.name,
            "datatype": self.datatype.name,
            "shape": self.shape,
        }
        if not binary:
            if self.parameters:
                said["parameters"] = self.parameters
            said["data"] = self.elements
            if len(self.elements) > strict_json.CHUNK:
                return strict_json.dumps(said), b""
            return strict_json.encode(said).encode(), b""
        elements = self.elements
        if self.datatype is FP64 and None in elements:
            elements = [float("nan") if each is None else each for each in elements]
        raw = pack(self.datatype, elements)
        parameters = {**(self.parameters or {}), "binary_data_size": len(raw)}
        return strict_json.dumps({**said, "parameters": parameters}), raw


def label_datatype(labels: Sequence[Label]) -> Datatype:
    """Return the datatype of labels; those of several types are BYTES, their JSON text."""
    kinds = set(map(type, labels))
    if kinds == {bool}:
        return BOOL
    if kinds == {int} and all(-_LARGEST <= each < _LARGEST for each in labels):  # type: ignore[operator]
        return INT64
    return BYTES


def outputs_of(
    answer: Mapping[str, Any], labels: Sequence[Label] | None = None
) -> dict[str, Output]:
    """Return the outputs of a prediction of rows: lists, by the names of `Predicted.members`.

    `labels` are those of a classifier whose labels are known. A regressor has no `pred_proba`,
    which would be its prediction again.
    """
    prediction = answer[PREDICTION]
    if labels is None:
        found = [_guessed(PREDICTION, prediction)]
    else:
        datatype = label_datatype(labels)
        if datatype is BYTES:
            prediction = _as_texts(prediction)
        found = [Output(PREDICTION, datatype, [len(prediction)], prediction)]
    shares = answer.get(PROBABILITIES)
    if isinstance(shares, list) and (labels is not None or shares != prediction):
        found += _probabilities(shares, None if labels is None else len(labels))
    further = answer.get("outputs")
    if isinstance(further, list):
        found += [_guessed(name, [each[name] for each in further]) for name in further[0]]
    return {each.name: each for each in found}


def chosen(outputs: dict[str, Output], names: Sequence[str] | None) -> list[Output]:
    """Return the outputs that are asked for. Raises `errors.Invalid` for one that is not there."""
    for name in names or ():
        if name not in outputs:
            said = f"the model has no such output; it has {listed(outputs)}"
            raise errors.Invalid(f"outputs.{cut(name)}", said)
    return list(outputs.values()) if names is None else [outputs[name] for name in names]


def _probabilities(shares: list[Any], labels: int | None) -> list[Output]:
    """Return the probabilities [rows, labels], or of so many labels those that each row names.

    A classifier may have none.
    """
    if not all(isinstance(each, dict) for each in shares):
        return [] if all(each is None for each in shares) else [_guessed(PROBABILITIES, shares)]
    keys = list(shares[0])
    width = len(keys)
    if any(len(each) != width for each in shares) or not _numbers(shares):
        return [_guessed(PROBABILITIES, shares)]
    shape = [len(shares), width]
    elements = list(chain.from_iterable(each.values() for each in shares))
    if labels in (None, width) and all(list(each) == keys for each in shares):
        return [Output(PROBABILITIES, FP64, shape, elements, {"labels": keys})]
    return [
        Output(PROBABILITIES, FP64, shape, elements),
        Output(PROBABLE, BYTES, shape, list(chain.from_iterable(shares))),
    ]


def _numbers(shares: list[dict[str, Any]]) -> bool:
    return all({float, int}.issuperset(map(type, each.values())) for each in shares)


def _guessed(name: str, values: list[Any]) -> Output:
    """Return an output whose datatype and shape are those of its values.

    Numbers are FP64. What is no tensor is BYTES, the JSON text of each row.
    """
    if {float}.issuperset(map(type, values)):
        return Output(name, FP64, [len(values)], values)
    shape, flat = [len(values)], values
    while flat and all(isinstance(each, list) for each in flat):
        width = len(flat[0])
        if any(len(each) != width for each in flat):
            break
        shape.append(width)
        flat = list(chain.from_iterable(flat))
    kinds = set(map(type, flat))
    if kinds == {bool}:
        return Output(name, BOOL, shape, flat)
    if kinds == {str}:
        return Output(name, BYTES, shape, flat)
    if kinds <= {float, int, type(None)}:
        try:
            return Output(name, FP64, shape, [None if n is None else float(n) for n in flat])
        except OverflowError:
            pass
    return Output(name, BYTES, [len(values)], _as_texts(values))


def _as_texts(values: Sequence[Any]) -> list[str]:
    return [each if isinstance(each, str) else strict_json.encode(each) for each in values]
