"""Build an ONNX graph: nodes and constants get names of their own."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from app.training.onnx_encoding import LargeAttributes

OPSETS = {"": 18, "ai.onnx.ml": 5}  # 5 is the first whose trees compute in float64
IR_VERSION = 10
MAX_BYTES = 2_000_000_000  # of a file; protobuf reads no more than 2 GiB, with the manifest

DOUBLE, INT64, STRING = TensorProto.DOUBLE, TensorProto.INT64, TensorProto.STRING


class NotExportable(Exception):
    """A fitted pipeline cannot be written as ONNX; the text says why."""


class GraphBuilder:
    """A graph that grows node by node; each method returns the names of what it adds."""

    def __init__(self) -> None:
        """Begin with an empty graph."""
        self._model = ModelProto(ir_version=IR_VERSION, producer_name="warren")
        for domain, version in OPSETS.items():
            self._model.opset_import.add(domain=domain, version=version)
        self._graph: GraphProto = self._model.graph
        self._graph.name = "warren"
        self._large = LargeAttributes()

    def input(self, name: str, kind: int, columns: int) -> str:
        """Add an input [rows, columns] of the type `kind`."""
        self._graph.input.append(helper.make_tensor_value_info(name, kind, [None, columns]))
        return name

    def constant(self, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float64) -> str:
        """Add an array."""
        name = f"constant{len(self._graph.initializer)}"
        array = np.ascontiguousarray(values, dtype).reshape(np.shape(values))
        self._graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def add(
        self,
        operator: str,
        *inputs: str,
        domain: str = "",
        arrays: Iterable[tuple[str, npt.NDArray[Any]]] = (),
        **attributes: Any,
    ) -> str:
        """Add a node with one output, such as `add("Add", a, b)`.

        `arrays` are further attributes, see `LargeAttributes`.
        """
        name = f"{operator}{len(self._graph.node)}"
        output = f"{name}_0"
        node = self._graph.node.add(
            op_type=operator, domain=domain, name=name, input=inputs, output=[output]
        )
        for key, value in attributes.items():
            node.attribute.append(helper.make_attribute(key, value))
        for key, array in arrays:
            self._large.add(name, key, array)
        return output

    def output(self, name: str, value: str, kind: int, shape: list[int | None]) -> None:
        """Make a value an output of the graph, of the type `kind`; the value gets its name.

        A node `Identity` in its place takes 0.7 µs of each run.
        """
        for node in self._graph.node:
            for names in (node.input, node.output):
                for place in [place for place, each in enumerate(names) if each == value]:
                    names[place] = name
        self._graph.output.append(helper.make_tensor_value_info(name, kind, shape))

    def file(self, max_bytes: int = MAX_BYTES) -> list[bytes]:
        """Return the parts of the model's file; the graph is empty then.

        Raises `NotExportable` for more than `max_bytes`.
        """
        parts = self._large.join(self._model)
        if sum(map(len, parts)) > max_bytes:
            raise NotExportable(f"its ONNX file would be larger than {max_bytes / 1e9:g} GB")
        return parts
