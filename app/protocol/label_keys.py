"""The labels of classes, and the keys that they have in `pred_proba`."""

import json
from typing import Annotated

from pydantic import StrictBool, StrictInt, StrictStr

from app.protocol.types import Explained

Label = Annotated[
    StrictBool | StrictInt | StrictStr,
    Explained("a label is text, a whole number without a decimal point, true or false"),
]


def label_key(label: object) -> str:
    """Return the key of a label in `pred_proba`: a text itself, else the label's JSON text."""
    if isinstance(label, str):
        return label
    return str(label) if type(label) is int else json.dumps(label)  # `str` is ten times as fast


def label_keys(labels: list[Label]) -> list[str]:
    """Return the key of each label of a model.

    Where true or false has the key of a text label, it keeps its older key, `True` or `False`.
    """
    texts = {label for label in labels if isinstance(label, str)}
    keys = map(label_key, labels)
    return [str(label) if key in texts else key for label, key in zip(labels, keys, strict=True)]
