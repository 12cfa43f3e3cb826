"""The signature of an exported model: what MLflow says of its inputs and outputs.

MLflow refuses whole numbers in a column of `double`, and dates in one of `string`, which /predict
takes; its server makes false of a missing `boolean`. So these columns have the type `any`; the
loader checks their values.
"""

from collections.abc import Iterable
from typing import Any

from app.mlflow.model_json import answer_columns
from app.models.graph_spec import Input
from app.models.manifest import Feature, OnnxManifest, TrainedManifest
from app.protocol.label_keys import Label

_TYPES = {"text": "string", "boolean": "boolean"}
_OF_LABELS = {bool: "boolean", int: "long", str: "string"}


def inputs_of(manifest: TrainedManifest | OnnxManifest) -> list[dict[str, Any]]:
    """Return MLflow's columns of the features; each has to be there, even if it may be empty."""
    found: Iterable[tuple[str, Feature | Input]]
    if isinstance(manifest, TrainedManifest):
        found = ((each.name, each) for each in manifest.features)
    else:
        found = manifest.input_of_feature.items()
    return [{"type": _type_of(each), "name": name, "required": True} for name, each in found]


def outputs_of(labels: list[Label] | None, *, probabilities: bool) -> list[dict[str, Any]]:
    """Return MLflow's columns of the answer."""
    first, *shares = answer_columns(labels, probabilities=probabilities)
    kinds = {type(label) for label in labels} if labels is not None else set()
    kind = "double" if labels is None else _OF_LABELS[kinds.pop()] if len(kinds) == 1 else "any"
    return [
        {"type": kind, "name": first, "required": True},
        *({"type": "double", "name": name, "required": True} for name in shares),
    ]


def _type_of(each: Feature | Input) -> str:
    if each.type == "boolean" and each.nullable:
        return "any"
    return _TYPES.get(each.type, "any")
