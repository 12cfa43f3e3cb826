"""Tensors as JSON and as bytes, and inputs that fit the metadata of a model."""

import struct
from typing import Any

Tensor = dict[str, Any]

CODES = {
    "BOOL": "?", "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q", "INT8": "b",
    "INT16": "h", "INT32": "i", "INT64": "q", "FP16": "e", "FP32": "f", "FP64": "d",
}  # fmt: skip
DATATYPES = {*CODES, "BYTES"}


def count_of(shape: list[int]) -> int:
    """Return the number of elements of a shape."""
    count = 1
    for side in shape:
        count *= side
    return count


def example_inputs(inputs: list[Tensor]) -> list[Tensor]:
    """Return one row of zeros, false and short texts for the inputs of a model's metadata."""
    made = []
    for each in inputs:
        shape = [1 if side == -1 else side for side in each["shape"]]
        kind = each["datatype"]
        value: Any = {"BYTES": "a", "BOOL": False}.get(kind, 0.0 if kind.startswith("FP") else 0)
        data = [value] * count_of(shape)
        made.append({"name": each["name"], "shape": shape, "datatype": kind, "data": data})
    return made


def twice(inputs: list[Tensor]) -> list[Tensor]:
    """Return the same rows two times."""
    return [
        {**each, "shape": [2 * each["shape"][0], *each["shape"][1:]], "data": 2 * each["data"]}
        for each in inputs
    ]


def nested(data: list[Any], shape: list[int]) -> list[Any]:
    """Return row-major data nested as their shape is."""
    for side in reversed(shape[1:]):
        data = [data[begin : begin + side] for begin in range(0, len(data), side)]
    return data


def flat(data: Any) -> list[Any]:
    """Return data in row-major order, however they are nested."""
    return [item for each in data for item in flat(each)] if isinstance(data, list) else [data]


def pack(datatype: str, data: list[Any]) -> bytes:
    """Return the bytes of elements, little-endian."""
    if datatype == "BYTES":
        encoded = [each.encode() for each in data]
        return b"".join(struct.pack("<I", len(each)) + each for each in encoded)
    return struct.pack(f"<{len(data)}{CODES[datatype]}", *data)


def unpack(datatype: str, data: bytes) -> list[Any]:
    """Return the elements of bytes. Raises `struct.error` if they are cut off."""
    if datatype != "BYTES":
        code = CODES[datatype]
        return list(struct.unpack(f"<{len(data) // struct.calcsize(f'<{code}')}{code}", data))
    found, place = [], 0
    while place < len(data):
        (size,) = struct.unpack_from("<I", data, place)
        (element,) = struct.unpack_from(f"{size}s", data, place + 4)
        found.append(element.decode())
        place += 4 + size
    return found
