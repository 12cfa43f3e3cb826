import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from app.training.onnx_encoding import LargeAttributes

ARRAYS = {
    "integers": np.array([0, 1, 127, 128, 2**40, -1]),
    "many": np.arange(250_000),
    "small": np.array([-3, 100], np.int8),
    "none": np.zeros(0, np.int64),
    "floats": np.array([0.5, np.inf, -0.0]),
    "bytes": np.array([1, 0, 255], np.uint8),
    "matrix": np.arange(6.0).reshape(2, 3),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_attribute_is_read_as_onnx_would_have_written_it(name):
    model = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("First", ["x"], ["y"], name="first", axis=3),
                helper.make_node("Second", ["y"], ["z"], name="second"),
            ],
            "graph",
            [helper.make_tensor_value_info("x", onnx.TensorProto.DOUBLE, [None])],
            [],
        ),
        producer_name="test",
    )
    attributes = LargeAttributes()
    attributes.add("first", name, ARRAYS[name])

    read = onnx.load_from_string(b"".join(attributes.join(model)))

    first, second = read.graph.node
    small, large = first.attribute
    assert (first.op_type, second.op_type, read.producer_name) == ("First", "Second", "test")
    assert (small.name, small.i, large.name) == ("axis", 3, name)
    assert [each.name for each in read.graph.input] == ["x"]
    assert not second.attribute
    if ARRAYS[name].dtype.kind == "i":
        assert large.type == onnx.AttributeProto.INTS
        assert list(large.ints) == ARRAYS[name].tolist()
    else:
        assert large.type == onnx.AttributeProto.TENSOR
        np.testing.assert_array_equal(numpy_helper.to_array(large.t), ARRAYS[name])
