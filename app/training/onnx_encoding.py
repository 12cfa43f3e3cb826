"""Encode large attributes of ONNX nodes, and join them with the graph in the file.

As protobuf objects they would take several times their bytes, and be copied into the file as well.
https://protobuf.dev/programming-guides/encoding describes the bytes.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper

_STEP = 100_000  # numbers that are Python objects at a time
_LENGTH_DELIMITED = 2  # protobuf's wire type of messages


class LargeAttributes:
    """The large attributes of a graph's nodes, by the name of the node."""

    def __init__(self) -> None:
        """Begin without attributes."""
        self._parts: dict[str, list[bytes]] = {}

    def add(self, node: str, name: str, values: npt.NDArray[np.generic]) -> None:
        """Add an array: INTS if its numbers are signed integers, otherwise a tensor."""
        encode = _integers if values.dtype.kind == "i" else _tensor
        parts = _field(NodeProto, "attribute", list(encode(name, values)))
        self._parts.setdefault(node, []).extend(parts)

    def join(self, model: ModelProto) -> list[bytes]:
        """Return the parts of the file of `model`, which is empty then."""
        nodes = [(each.name, each.SerializeToString()) for each in model.graph.node]
        del model.graph.node[:]
        graph = [model.graph.SerializeToString()]
        for name, node in nodes:
            graph += _field(GraphProto, "node", [node, *self._parts.pop(name, [])])
        model.ClearField("graph")
        return [model.SerializeToString(), *_field(ModelProto, "graph", graph)]


def _integers(name: str, values: npt.NDArray[np.generic]) -> Iterator[bytes]:
    """Encode INTS; concatenated messages are parsed as one, with the numbers of all."""
    yield AttributeProto(name=name, type=AttributeProto.INTS).SerializeToString()
    for start in range(0, len(values), _STEP):
        part = values[start : start + _STEP].tolist()
        yield AttributeProto(ints=part).SerializeToString()


def _tensor(name: str, values: npt.NDArray[np.generic]) -> Iterator[bytes]:
    """Encode a tensor."""
    yield AttributeProto(name=name, type=AttributeProto.TENSOR).SerializeToString()
    kind = helper.np_dtype_to_tensor_dtype(values.dtype)
    tensor = TensorProto(data_type=kind, dims=values.shape).SerializeToString()
    raw = _field(TensorProto, "raw_data", [values.tobytes()])
    yield from _field(AttributeProto, "t", [tensor, *raw])


def _field(message: type, name: str, parts: Sequence[bytes]) -> list[bytes]:
    """Return parts as the field `name` of a message: its tag, the length, and the parts."""
    number: int = getattr(message, f"{name.upper()}_FIELD_NUMBER")
    size = sum(map(len, parts))
    head = bytearray([number << 3 | _LENGTH_DELIMITED])
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    return [bytes([*head, size]), *parts]
