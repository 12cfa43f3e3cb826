"""Combine the predictions of several models for the same inputs.

Probabilities are keyed by `label_key`, because JSON keys are text.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from itertools import combinations, islice
from math import fsum
from sys import float_info
from typing import Any, Literal, NamedTuple

from app import errors
from app.protocol.label_keys import label_key
from app.protocol.replies import ABSENT

CombineMethod = Literal["mean", "vote", "max_proba"]
MAX_NAMED_LABELS = 3  # labels of a model, in an error
_OLDER_KEYS = {"True": "true", "False": "false"}


class BranchAnswer(NamedTuple):
    """A model's prediction for one row or image; `pred_proba` is None if it gave none.

    An answer of `label_only` is that of a classifier without probabilities.
    """

    model_id: str
    prediction: Any
    pred_proba: Any = None
    label_only: bool = False


def combine(how: CombineMethod, answers: list[dict[str, Any]], count: int | None) -> dict[str, Any]:
    """Combine the answers of several models; return the fields of the combined answer.

    Each answer has `model_id`, `prediction` and perhaps `pred_proba`. Unless `count` is None, the
    last two are lists of `count`, which are combined row by row. Raises `errors.Invalid` for
    answers that the method cannot combine.
    """
    if count is None:
        return _COMBINE[how]([_whole(answer) for answer in answers])
    rows = zip(*(_rows(answer, count) for answer in answers), strict=True)
    combined = [_COMBINE[how](list(row)) for row in rows]
    return {name: [each[name] for each in combined] for name in combined[0]}


def named_labels(answer: dict[str, Any]) -> list[str]:
    """Return the keys of the labels that an answer names, for its first row if it has many."""
    first = {
        name: each[0] if isinstance(each, list) and each else each for name, each in answer.items()
    }
    branch = _whole(first)
    return list(branch.pred_proba) if _has_labels(branch) else []


def check_labels(labels: Mapping[str, Collection[str]]) -> None:
    """Raise `errors.Invalid` if two models have no label in common.

    `labels` are the keys of the labels by model. Models whose labels are not known are left out.
    """
    for (one, its), (other, theirs) in combinations(labels.items(), 2):
        if set(its).isdisjoint(theirs):
            raise errors.Invalid(
                "combine",
                f"models {one} and {other} have no label in common: {one} has {_few(its)}, "
                f"{other} has {_few(theirs)}",
            )


def _few(labels: Collection[str]) -> str:
    more = ["..."] if len(labels) > MAX_NAMED_LABELS else []
    return ", ".join([*islice(labels, MAX_NAMED_LABELS), *more])


def mean(answers: list[BranchAnswer]) -> dict[str, Any]:
    """Return the mean of numbers, or each label's mean probability and the most probable label.

    A label that a model does not name counts with probability 0. Either the model does not know
    it, or an uploaded model has more than 100 labels and names only the five most probable ones.
    `pred_proba` of numbers repeats the prediction.
    """
    if all(map(_is_value, answers)):
        value = _mean([each.prediction for each in answers])
        return {"prediction": value, "pred_proba": value}
    probabilities = _probabilities("mean", answers)
    labels = dict.fromkeys(label for each in probabilities for label in each)
    shares = {label: _mean([each.get(label, 0.0) for each in probabilities]) for label in labels}
    best = max(shares, key=lambda label: shares[label])
    return {"prediction": _label(best, answers), "pred_proba": shares}


def vote(answers: list[BranchAnswer]) -> dict[str, Any]:
    """Return the label that most models predict, and the number of votes for each.

    A tie goes to the label with the larger mean probability, then to the first one.
    """
    for each in answers:
        if not isinstance(each.prediction, str | bool | int):
            raise _unsuited("vote", each, "labels: text, booleans or whole numbers")
    votes = Counter(label_key(each.prediction) for each in answers)
    known = [each.pred_proba for each in answers if _has_labels(each)]

    def weight(answer: BranchAnswer) -> tuple[int, float]:
        key = label_key(answer.prediction)
        return votes[key], _mean([each.get(key, 0.0) for each in known] or [0.0])

    return {"prediction": max(answers, key=weight).prediction, "votes": dict(votes)}


def max_proba(answers: list[BranchAnswer]) -> dict[str, Any]:
    """Return the answer with the largest probability of all models, and the id of its model."""
    certain = [max(each.values()) for each in _probabilities("max_proba", answers)]
    best = answers[certain.index(max(certain))]
    return {
        "prediction": best.prediction,
        "pred_proba": best.pred_proba,
        "model_id": best.model_id,
    }


_COMBINE: dict[CombineMethod, Callable[[list[BranchAnswer]], dict[str, Any]]] = {
    "mean": mean,
    "vote": vote,
    "max_proba": max_proba,
}


def _whole(answer: dict[str, Any]) -> BranchAnswer:
    shares = answer.get("pred_proba", ABSENT)
    return _branch(answer["model_id"], answer.get("prediction"), shares)


def _branch(model_id: str, prediction: Any, pred_proba: Any) -> BranchAnswer:
    """Return an answer; true and false have the keys of JSON, also those of an older consumer.

    A model of true and the text "true" keeps the older key, because the text has the other one.
    Only a classifier without probabilities answers a label and null; a remote model may leave
    `pred_proba` out.
    """
    if pred_proba is ABSENT:
        return BranchAnswer(model_id, prediction)
    if pred_proba is None and isinstance(prediction, str | bool | int):
        return BranchAnswer(model_id, prediction, label_only=True)
    if isinstance(prediction, bool) and isinstance(pred_proba, dict):
        pred_proba = {
            key if (newer := _OLDER_KEYS.get(key, key)) in pred_proba else newer: each
            for key, each in pred_proba.items()
        }
    return BranchAnswer(model_id, prediction, pred_proba)


def _rows(answer: dict[str, Any], count: int) -> list[BranchAnswer]:
    """Split an answer to `count` rows into one answer for each."""
    model_id = answer["model_id"]
    shares = answer.get("pred_proba", ABSENT)
    same = shares is ABSENT or shares is None  # for all rows
    lists = [answer.get("prediction"), [shares] * count if same else shares]
    if any(not isinstance(each, list) or len(each) != count for each in lists):
        raise errors.Invalid("combine", f"model {model_id} did not return {count} predictions")
    return [_branch(model_id, *each) for each in zip(*lists, strict=True)]


def _probabilities(how: CombineMethod, answers: list[BranchAnswer]) -> list[dict[str, float]]:
    for each in answers:
        if not _has_labels(each):
            numbers = "only numbers, or " if how == "mean" else ""
            raise _unsuited(how, each, f"{numbers}a probability for each label")
    return [each.pred_proba for each in answers]


def _has_labels(answer: BranchAnswer) -> bool:
    shares = answer.pred_proba
    return isinstance(shares, dict) and bool(shares) and all(map(_is_number, shares.values()))


def _is_value(answer: BranchAnswer) -> bool:
    """Tell whether an answer is a number, and not the label of a class."""
    return _is_number(answer.prediction) and not (answer.label_only or _has_labels(answer))


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= float_info.max


def _unsuited(how: CombineMethod, answer: BranchAnswer, wanted: str) -> errors.Invalid:
    kind = (
        "has no probabilities; train it with calibrate, or use vote"
        if answer.label_only
        else "is of another kind"
    )
    return errors.Invalid(
        "combine", f"{how} needs {wanted}, but the answer of model {answer.model_id} {kind}"
    )


def _mean(values: list[float]) -> float:
    """Return the mean, kept between the smallest and the largest value despite rounding."""
    try:
        value = fsum(values) / len(values)
    except OverflowError:
        value = 2 * fsum(each / 2 / len(values) for each in values)
    return min(max(value, float(min(values))), float(max(values)))


def _label(name: str, answers: list[BranchAnswer]) -> Any:
    """Return the label with the text `name`, in the type of the models' predictions."""
    for each in answers:
        if label_key(each.prediction) == name:
            return each.prediction
    kinds = {type(each.prediction) for each in answers}
    if kinds == {bool}:
        return _OLDER_KEYS.get(name, name) == "true"
    if kinds == {int} and name.removeprefix("-").isdecimal():
        return int(name)
    return name
