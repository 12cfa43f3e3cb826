"""Read the file `MLmodel` of a folder with an ONNX flavour. Only a child process imports this."""

import json
from typing import Any, NamedTuple

import yaml

from app import errors
from app.protocol.wording import listed, quoted

MAX_VALUES = 10_000
_NULLS = ("", "~", "null", "Null", "NULL")  # texts that mean null in YAML

_PICKLED = "the folder has no ONNX flavour, and nothing else is run here"


class Column(NamedTuple):
    """A column of a signature."""

    name: str
    required: bool


class OnnxFlavour(NamedTuple):
    """Which file of the folder is the graph, and the columns that it takes, if that is known."""

    file: str
    columns: list[Column] | None


class _Loader(yaml.BaseLoader):
    """Makes texts only, because a number of YAML 1.1 may take minutes to convert.

    It reads no aliases, which make a long text of a short one.
    """

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self._left = MAX_VALUES

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise errors.Invalid("body", f"MLmodel: it has more than {MAX_VALUES:,} values")
        if self.check_event(yaml.AliasEvent):
            raise errors.Invalid("body", "MLmodel: aliases are not read; write the values out")
        return super().compose_node(parent, index)


def read_mlmodel(text: bytes) -> OnnxFlavour:
    """Return what `MLmodel` says of its ONNX flavour. Raises `errors.Invalid`."""
    try:
        told = yaml.load(text, _Loader)  # noqa: S506  a loader of texts
    except RecursionError:
        raise errors.Invalid("body", "MLmodel: it is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        cause = " ".join(str(error).split())[:200]
        raise errors.Invalid("body", f"MLmodel: it is not readable as YAML: {cause}") from None
    flavours = told.get("flavors") if isinstance(told, dict) else None
    if not isinstance(flavours, dict):
        raise errors.Invalid("body", "MLmodel: it names no flavors")
    flavour = flavours.get("onnx")
    if not isinstance(flavour, dict):
        raise errors.Invalid(
            "body", f"MLmodel: {_PICKLED}; it has {listed([str(each) for each in flavours])}"
        )
    file = flavour.get("data", "model.onnx")
    if not isinstance(file, str):
        raise errors.Invalid("body", "MLmodel: flavors.onnx.data has to name the file of the model")
    return OnnxFlavour(file, _columns(told.get("signature")))


def _columns(signature: Any) -> list[Column] | None:
    """Return the input columns of a signature; None if there is none, or one of tensors."""
    if signature in (None, *_NULLS):
        return None
    try:
        inputs = json.loads(signature["inputs"])
        if any(each["type"] == "tensor" for each in inputs):
            return None
        found = [Column(each["name"], bool(each.get("required", True))) for each in inputs]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise errors.Invalid(
            "body", "MLmodel: signature.inputs is not a list of named columns or tensors in JSON"
        ) from None
    if wrong := [each.name for each in found if not isinstance(each.name, str)]:
        raise errors.Invalid("body", f"MLmodel: a column is named {quoted(str(wrong[0]))}")
    return found
