"""Check that an ONNX graph has the inputs and outputs of a manifest, in the right shapes."""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from app import errors
from app.inference.tensor_types import IMAGE_TYPES, TENSOR_TYPES
from app.inference.uploaded_model import MAX_BYTES, fixed_batch
from app.models.graph_spec import Input, Preprocessing
from app.models.manifest import OnnxManifest
from app.protocol.wording import cut, listed

NO_ZIPMAP = "export it without ZipMap (skl2onnx: options={'zipmap': False})"

# What stands before onnxruntime's own words: an error code; the place and function of its source.
_ORT_PREFIX = re.compile(
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : "
    r"|/\S+\.(?:cc|h):\d+ (?:[^()]*\((?:[^()]|\([^()]*\))*\)(?: const)? )?"
)

Known = dict[str, Any]  # inputs or outputs of a graph by name, as onnxruntime describes them


def check_inputs(spec: OnnxManifest, known: Known) -> None:
    """Raise `errors.Invalid` unless the inputs of the graph are exactly those of `spec`."""
    for n, each in enumerate(spec.inputs):
        _check_input(each, known, f"manifest.inputs.{n}")
    if more := sorted(known.keys() - {each.name for each in spec.inputs}):
        raise errors.Invalid("manifest.inputs", f"the graph also needs {listed(more)}")
    _check_batch(spec, known)


def _check_batch(spec: OnnxManifest, known: Known) -> None:
    """Check that all inputs have the same fixed batch size, if any, and that it fits memory."""
    sizes = {each.shape[0] for each in known.values() if isinstance(each.shape[0], int)}
    if len(sizes) > 1:
        raise errors.Invalid(
            "model", f"its inputs take batches of different sizes, {', '.join(map(str, sizes))}"
        )
    size = fixed_batch(known.values()) or 1
    pixels = [int(np.prod(each.image.size)) for each in spec.inputs if each.image]
    if size * (12 * sum(pixels) + 8 * len(spec.features)) > MAX_BYTES:
        raise errors.Invalid(
            "model",
            f"its batches of {size} take more than {MAX_BYTES:,} bytes; make the batch dimension "
            "smaller, or leave it free",
        )


def _check_input(wanted: Input, known_inputs: Known, field: str) -> None:
    known = known_inputs.get(wanted.name)
    if known is None:
        raise errors.Invalid(
            f"{field}.name", f"the graph has no input {wanted.name}; {_has(known_inputs)}"
        )
    if known.type not in (taken := IMAGE_TYPES if wanted.image else tuple(TENSOR_TYPES)):
        raise errors.Invalid(
            f"{field}.name",
            f"the graph's input {wanted.name} is a {known.type}; it may be one of "
            f"{', '.join(taken)}",
        )
    kind = TENSOR_TYPES[known.type]
    if wanted.type != kind.holds:
        raise errors.Invalid(
            f"{field}.type",
            f'the graph\'s input {wanted.name} is a {known.type}; its "type" is "{kind.holds}"',
        )
    if wanted.nullable and not kind.is_float:
        raise errors.Invalid(
            f"{field}.nullable",
            f"the graph's input {wanted.name} is a {known.type}; only tensors of float, double and "
            "float16 can hold missing values",
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
    plain = Preprocessing(size=wanted.size)
    if known.type == "tensor(uint8)" and (wanted.mean, wanted.std) != (plain.mean, plain.std):
        raise errors.Invalid(
            field,
            f"the graph's input is a {known.type}, which gets the pixels as they are, from 0 to "
            "255; leave out mean and std",
        )


def check_outputs(spec: OnnxManifest, outputs: Known) -> None:
    """Raise `errors.Invalid` unless the graph has the outputs of `spec`."""
    _check_output(spec, outputs)
    for n, name in enumerate(spec.outputs):
        field = f"manifest.outputs.{n}"
        if name not in outputs:
            raise errors.Invalid(field, f"the graph has no output {name}; {_has(outputs)}")
        if (kind := outputs[name].type) not in TENSOR_TYPES:
            raise errors.Invalid(
                field, f"the output {name} is a {kind}; it may be one of {', '.join(TENSOR_TYPES)}"
            )


def _check_output(spec: OnnxManifest, outputs: Known) -> None:
    """Check the output of the prediction: numbers, one per label."""
    field = "manifest.output.name"
    known = outputs.get(spec.output.name)
    if known is None:
        raise errors.Invalid(field, f"the graph has no output {spec.output.name}; {_has(outputs)}")
    if "map(" in known.type:
        raise errors.Invalid(field, f"the output {known.name} is a {known.type}; {NO_ZIPMAP}")
    if known.type not in TENSOR_TYPES or TENSOR_TYPES[known.type].holds != "number":
        raise errors.Invalid(
            field, f"the output {known.name} is a {known.type}, which is not of numbers"
        )
    matrix = len(known.shape) == 2
    if spec.labels and matrix and all(_differ(known.shape[1:], [each]) for each in spec.widths):
        raise errors.Invalid(
            "manifest.labels",
            f"there are {len(spec.labels)}, and the graph's output is {_shape(known)}",
        )


def _differ(known: Iterable[Any], wanted: list[int]) -> bool:
    """Tell whether a graph's fixed dimensions differ from those wanted."""
    return any(isinstance(k, int) and k != w for k, w in zip(known, wanted, strict=True))


def _shape(known: Any) -> str:
    return f"[{', '.join(str(each or '?') for each in known.shape)}]"


def _has(known: Known) -> str:
    return f"it has {listed(known)}"


def short(text: object) -> str:
    """Return a text on one line, cut after 500 characters."""
    return cut(" ".join(str(text).split()), 500)


def plain_cause(message: str) -> str:
    """Return onnxruntime's own words of a message of its."""
    return short(_ORT_PREFIX.sub("", message[:5000]))
