"""Check that an ONNX graph has the inputs and the output of a manifest, in the right shapes."""

from collections.abc import Iterable
from typing import Any

from app import errors
from app.inference.uploaded_model import DTYPES
from app.models.manifest import Input, OnnxManifest, Preprocessing

NO_ZIPMAP = "export it without ZipMap (skl2onnx: options={'zipmap': False})"

Known = dict[str, Any]  # inputs or outputs of a graph by name, as onnxruntime describes them


def check_inputs(spec: OnnxManifest, known: Known) -> None:
    """Raise `errors.Invalid` unless the inputs of the graph are exactly those of `spec`."""
    for n, each in enumerate(spec.inputs):
        _check_input(each, known, f"manifest.inputs.{n}")
    if more := sorted(known.keys() - {each.name for each in spec.inputs}):
        raise errors.Invalid("manifest.inputs", f"the graph also needs {', '.join(more)}")


def _check_input(wanted: Input, known_inputs: Known, field: str) -> None:
    known = known_inputs.get(wanted.name)
    if known is None:
        raise errors.Invalid(
            f"{field}.name", f"the graph has no input {wanted.name}; {_has(known_inputs)}"
        )
    if known.type not in DTYPES or (wanted.image and known.type == "tensor(int64)"):
        raise errors.Invalid(
            f"{field}.name",
            f"the graph's input {wanted.name} is a {known.type}; it may be a tensor of float or "
            "double, and for features also of int64",
        )
    if known.shape and isinstance(known.shape[0], int) and known.shape[0] != 1:
        raise errors.Invalid(
            f"{field}.name",
            f"the graph takes only batches of {known.shape[0]}; leave the first dimension free, or "
            "make it 1",
        )
    if wanted.image:
        _check_image(wanted.image, known, f"{field}.image")
        return
    count = len(wanted.features or ())
    flat, matrix = len(known.shape) == 1, len(known.shape) == 2
    if not (flat and count == 1) and not (matrix and not _differ(known.shape[1:], [count])):
        raise errors.Invalid(
            f"{field}.features", f"there are {count}, and the graph's input is {_shape(known)}"
        )


def _check_image(wanted: Preprocessing, known: Any, field: str) -> None:
    if len(known.shape) != 4:
        raise errors.Invalid(
            field, f"the graph's input is {_shape(known)}; images need 4 dimensions"
        )
    first = wanted.layout == "NCHW"
    if _differ(known.shape[1:], [3, *wanted.size] if first else [*wanted.size, 3]):
        raise errors.Invalid(
            field,
            f"{wanted.size[0]} x {wanted.size[1]} pixels of 3 channels as {wanted.layout} do not "
            f"fit the graph's input, {_shape(known)}",
        )


def check_output(spec: OnnxManifest, outputs: Known) -> None:
    """Raise `errors.Invalid` unless the graph has the output of `spec`: numbers, one per label."""
    field = "manifest.output.name"
    known = outputs.get(spec.output.name)
    if known is None:
        raise errors.Invalid(field, f"the graph has no output {spec.output.name}; {_has(outputs)}")
    if "map(" in known.type:
        raise errors.Invalid(field, f"the output {known.name} is a {known.type}; {NO_ZIPMAP}")
    if known.type not in (*DTYPES, "tensor(int32)", "tensor(float16)"):
        raise errors.Invalid(
            field, f"the output {known.name} is a {known.type}, which is not of numbers"
        )
    if spec.labels and len(known.shape) == 2 and _differ(known.shape[1:], [len(spec.labels)]):
        raise errors.Invalid(
            "manifest.labels",
            f"there are {len(spec.labels)}, and the graph's output is {_shape(known)}",
        )


def _differ(known: Iterable[Any], wanted: list[int]) -> bool:
    """Tell whether a graph's fixed dimensions differ from those wanted."""
    return any(isinstance(k, int) and k != w for k, w in zip(known, wanted, strict=True))


def _shape(known: Any) -> str:
    return f"[{', '.join(str(each or '?') for each in known.shape)}]"


def _has(names: Iterable[str]) -> str:
    return f"it has {short(', '.join(names))}"


def short(text: object) -> str:
    """Return the first 500 characters of a text, on one line."""
    return " ".join(str(text).split())[:500]
