import numpy as np
import onnx
import pytest

from app.inference.onnx_session import load_session
from app.training.onnx_graph import DOUBLE, INT64, GraphBuilder, NotExportable

X = np.array([[1.0, 2], [4, 3]])


def built():
    """A graph whose outputs are a value, and what is made of it."""
    graph = GraphBuilder()
    added = graph.add("Add", graph.input("x", DOUBLE, 2), graph.constant([1.0, 5.0]))
    largest = graph.add("ArgMax", added, axis=1, keepdims=0)
    graph.output("sum", added, DOUBLE, [None, 2])
    graph.output("largest", largest, INT64, [None])
    return graph


def test_outputs_have_their_names_and_no_nodes_of_their_own():
    file = b"".join(built().file())

    sums, largest = load_session(file).run(["sum", "largest"], {"x": X})

    assert sums.tolist() == [[2, 7], [5, 8]]
    assert largest.tolist() == [1, 1]
    assert [node.op_type for node in onnx.load_from_string(file).graph.node] == ["Add", "ArgMax"]


def test_arrays_are_attributes_like_others():
    graph = GraphBuilder()
    table = graph.add("Constant", arrays=[("value", np.array([[7.0, 8.0]]))])
    graph.output("sum", graph.add("Add", graph.input("x", DOUBLE, 2), table), DOUBLE, [None, 2])

    (sums,) = load_session(b"".join(graph.file())).run(None, {"x": X})

    assert sums.tolist() == [[8, 10], [11, 11]]


def test_a_file_larger_than_protobuf_reads_is_not_exported():
    size = sum(map(len, built().file()))

    assert built().file(max_bytes=size)
    with pytest.raises(NotExportable, match="its ONNX file would be larger than"):
        built().file(max_bytes=size - 1)
