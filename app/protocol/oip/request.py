"""Inference requests of the Open Inference Protocol v2: their JSON, and the binary data behind it.

The binary data are those of Triton's extension (triton-inference-server/server,
docs/protocol/extension_binary_data.md). Their sizes are checked here, and their elements where they
are read.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

from app import errors
from app.protocol.oip.body import BINARY_SIZE, InferBody, InferInput
from app.protocol.oip.datatypes import (
    BYTES,
    DATATYPES,
    Buffer,
    Datatype,
    from_json,
    refuse_datatype,
    tensor_field,
    texts,
    unpack,
    unpack_bytes,
)
from app.protocol.types import MAX_ROWS
from app.protocol.validation import validate
from app.protocol.wording import cut, describe_value, listed, repeated

MAX_ELEMENTS = 1_000_000  # of all inputs; an object of Python has up to 70 bytes for each


class Tensor(NamedTuple):
    """An input whose size is checked, but whose elements are not.

    `width` is the number of its columns, None for a shape of one dimension.
    """

    name: str
    datatype: Datatype
    rows: int
    width: int | None
    data: list[Any] | Buffer

    @property
    def field(self) -> str:
        """Return what errors call the tensor."""
        return tensor_field(self.name)

    def elements(self) -> Sequence[Any]:
        """Return the elements, row by row; None is a missing value. Raises `errors.Invalid`."""
        if isinstance(self.data, list):
            return from_json(self.datatype, self.data, self.name)
        count = self.rows * (self.width or 1)
        if self.datatype is BYTES:
            return texts(unpack_bytes(self.data, count, self.name), self.name)
        found = unpack(self.datatype, self.data, count)
        if self.datatype.is_float and (total := sum(found)) != total:  # one is not a number
            return [each if each == each else None for each in found]
        return found


class InferRequest(NamedTuple):
    """An inference request. `outputs` are those asked for by name, None for all.

    Instead of `tensors` there are `columns` where each tensor is a feature: its elements, which are
    checked. An output comes as bytes if `binary` names it, or names none and `all_binary` is true.
    """

    id: str | None
    tensors: list[Tensor]
    rows: int
    outputs: list[str] | None
    binary: dict[str, bool]
    all_binary: bool
    columns: Mapping[str, list[Any]] = MappingProxyType({})

    def is_binary(self, output: str) -> bool:
        """Tell whether an output is to come as bytes."""
        return self.binary.get(output, self.all_binary)


def read_infer(value: Any, raw: Buffer) -> InferRequest:
    """Read a request whose JSON is parsed, and the binary data behind it.

    Raises `errors.Invalid` or `TooLarge`.
    """
    body = validate(InferBody, value)
    tensors = _tensors(body.inputs, raw)
    first = tensors[0]
    if first.rows == 0:
        raise errors.Invalid(first.field, "has no rows")
    if first.rows > MAX_ROWS:
        said = f"has {first.rows} rows; send at most {MAX_ROWS} at a time"
        raise errors.TooLarge(first.field, said, limit=MAX_ROWS)
    asked = body.outputs or ()
    if twice := repeated(each.name for each in asked):
        raise errors.Invalid("outputs", f"given more than once: {listed(twice)}")
    return InferRequest(
        body.id,
        tensors,
        first.rows,
        [each.name for each in asked] or None,
        {
            each.name: _flag(each.parameters, "binary_data", f"outputs.{cut(each.name)}")
            for each in asked
            if each.parameters and "binary_data" in each.parameters
        },
        _flag(body.parameters, "binary_data_output", "parameters"),
    )


def _tensors(inputs: list[InferInput], raw: Buffer) -> list[Tensor]:
    """Return the inputs with their data; the binary ones follow one another in `raw`."""
    tensors: list[Tensor] = []
    begin = elements = rows = count = 0
    shape: list[int] | None = None
    for each in inputs:
        name = each.name
        datatype = DATATYPES.get(each.datatype) or refuse_datatype(each.datatype, name)
        if each.shape != shape:  # most are like the one before
            shape = each.shape
            count = _count(shape, name)
            rows = shape[0]
        elements += count
        if elements > MAX_ELEMENTS:
            said = f"with it, the request has more than {MAX_ELEMENTS} elements"
            raise errors.TooLarge(tensor_field(name), said, limit=MAX_ELEMENTS)
        data: list[Any] | Buffer
        if each.parameters and BINARY_SIZE in each.parameters:
            end = begin + _binary_size(each, datatype, count, len(raw) - begin)
            data, begin = raw[begin:end], end
        elif (sent := each.data) is None:
            said = f"has neither data nor the parameter {BINARY_SIZE}"
            raise errors.Invalid(tensor_field(name), said)
        else:
            data = _flat(each, sent, count)
        tensors.append(Tensor(name, datatype, rows, shape[1] if shape[1:] else None, data))
        if rows != tensors[0].rows:
            said = f"has {rows} rows, but {tensors[0].field} has {tensors[0].rows}"
            raise errors.Invalid(tensor_field(name), said)
    if len(tensors) > 1 and len({each.name for each in tensors}) < len(tensors):
        twice = repeated(each.name for each in tensors)
        raise errors.Invalid("inputs", f"given more than once: {listed(twice)}")
    if begin < len(raw):
        said = f"{len(raw) - begin} bytes of binary data belong to no input"
        raise errors.Invalid("inputs", said)
    return tensors


def _count(shape: list[int], name: str) -> int:
    """Return the elements of a shape, which is [rows] or [rows, columns]."""
    if not 1 <= len(shape) <= 2:
        raise errors.Invalid(tensor_field(name), "its shape must be [rows] or [rows, columns]")
    if min(shape) < 0 or shape[1:] == [0]:
        raise errors.Invalid(tensor_field(name), "its shape must have positive numbers")
    if max(shape) > MAX_ELEMENTS:
        said = f"its shape is larger than the {MAX_ELEMENTS} elements of a request"
        raise errors.TooLarge(tensor_field(name), said, limit=MAX_ELEMENTS)
    return shape[0] * (shape[1] if len(shape) == 2 else 1)


def _binary_size(each: InferInput, datatype: Datatype, count: int, left: int) -> int:
    """Return the bytes of a tensor's binary data, of which the body has `left` or more."""
    size, field = (each.parameters or {})[BINARY_SIZE], tensor_field(each.name)
    if each.data is not None:
        raise errors.Invalid(field, f"give either data or {BINARY_SIZE}")
    if type(size) is not int or size < 0:
        raise errors.Invalid(field, f"{BINARY_SIZE} must be a whole number of bytes")
    if size > left:
        said = f"{BINARY_SIZE} is {describe_value(size)}, but only {left} bytes are left"
        raise errors.Invalid(field, said)
    if datatype.size and size != count * datatype.size:
        wanted = f"its shape and datatype need {count * datatype.size}"
        raise errors.Invalid(field, f"{BINARY_SIZE} is {size}, but {wanted}")
    return size


def _flat(each: InferInput, data: list[Any], count: int) -> list[Any]:
    """Return the elements of a tensor in JSON, which may be nested as its shape is."""
    flat = data
    if data and isinstance(data[0], list):
        width = each.shape[1] if each.shape[1:] else 1
        if any(not isinstance(row, list) or len(row) != width for row in data):
            raise errors.Invalid(tensor_field(each.name), "its nested data do not have its shape")
        flat = list(chain.from_iterable(data))
    if len(flat) != count:
        said = f"has {len(flat)} elements, but its shape has {count}"
        raise errors.Invalid(tensor_field(each.name), said)
    return flat


def _flag(parameters: dict[str, Any] | None, name: str, field: str) -> bool:
    value = parameters.get(name, False) if parameters else False
    if not isinstance(value, bool):
        raise errors.Invalid(field, f"{name} must be true or false")
    return value
