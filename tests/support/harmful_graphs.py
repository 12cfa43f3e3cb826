"""Small ONNX files that take too much time or memory, or read other files."""

import onnx
from onnx import TensorProto, helper

from tests.support.graphs import BOOL, FLOAT, INT64, file, linear


def endless(ends_at_zero: bool = False) -> bytes:
    """A loop that goes on for ever, or unless the first value is zero."""
    inside = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Add", ["v", "v"], ["w"]),
        ],
        "inside",
        [
            helper.make_tensor_value_info("i", INT64, []),
            helper.make_tensor_value_info("go", BOOL, []),
            helper.make_tensor_value_info("v", FLOAT, [None, 2]),
        ],
        [
            helper.make_tensor_value_info("go_on", BOOL, []),
            helper.make_tensor_value_info("w", FLOAT, [None, 2]),
        ],
    )
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["begin"], to=BOOL),
        helper.make_node("Loop", ["", "begin" if ends_at_zero else "yes", "x"], ["z"], body=inside),
        helper.make_node("ReduceMax", ["z", "axis"], ["y"], keepdims=0),
    ]
    constants = {"yes": (BOOL, [], [True]), "axis": (INT64, [1], [1])}
    return file(nodes, {"x": (FLOAT, [None, 2])}, {"y": (FLOAT, [None])}, constants)


def memory_bomb(side: int = 100_000) -> bytes:
    """A few bytes that become side x side floats."""
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceMax", ["zeros"], ["zero"], keepdims=0),
        helper.make_node("ReduceMax", ["x", "axis"], ["most"], keepdims=0),
        helper.make_node("Add", ["most", "zero"], ["y"]),
    ]
    constants = {"shape": (INT64, [2], [side, side]), "axis": (INT64, [1], [1])}
    return file(nodes, {"x": (FLOAT, [None, 2])}, {"y": (FLOAT, [None])}, constants)


def swelling(count: int) -> bytes:
    """A few bytes that become `count` floats when they are loaded, and stay."""
    nodes = [
        helper.make_node("Expand", ["one", "shape"], ["ones"]),
        helper.make_node("ReduceMax", ["x", "axis"], ["most"], keepdims=0),
        helper.make_node("Mul", ["most", "zero"], ["zeros"]),
        helper.make_node("Cast", ["zeros"], ["which"], to=INT64),
        helper.make_node("Gather", ["ones", "which"], ["y"]),
    ]
    constants = {
        "one": (FLOAT, [1], [1]),
        "zero": (FLOAT, [1], [0]),
        "shape": (INT64, [1], [count]),
        "axis": (INT64, [1], [1]),
    }
    return file(nodes, {"x": (FLOAT, [None, 2])}, {"y": (FLOAT, [None])}, constants)


def heavy(megabytes: int) -> bytes:
    """The linear model, with so much ballast."""
    loaded = onnx.load_model_from_string(linear())
    ballast = helper.make_tensor(
        "ballast", FLOAT, [megabytes * 250_000], bytes(megabytes * 10**6), raw=True
    )
    loaded.graph.initializer.append(ballast)
    loaded.graph.node.extend(
        [
            helper.make_node("ReduceMax", ["ballast"], ["zero"], keepdims=0),
            helper.make_node("Add", ["y", "zero"], ["z"]),
        ]
    )
    loaded.graph.output.append(helper.make_tensor_value_info("z", FLOAT, [None, 1]))
    return loaded.SerializeToString()


def external(where: str) -> bytes:
    """The linear model with a tensor in another file, in one place or another of the graph."""
    away = helper.make_tensor("away", FLOAT, [1], [0.0])
    away.ClearField("float_data")
    away.data_location = TensorProto.EXTERNAL
    away.external_data.add(key="location", value="/etc/passwd")
    loaded = onnx.load_model_from_string(linear())
    inside = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=away)], "inside", [], []
    )
    match where:
        case "initializer":
            loaded.graph.initializer.append(away)
        case "attribute":
            loaded.graph.node.append(helper.make_node("Constant", [], ["c"], value=away))
        case "sparse":
            loaded.graph.sparse_initializer.add().values.CopyFrom(away)
        case "subgraph":
            node = helper.make_node("If", ["c"], ["d"], then_branch=inside, else_branch=inside)
            loaded.graph.node.append(node)
        case "function":
            opsets = [helper.make_opsetid("", 18)]
            loaded.functions.append(
                helper.make_function("own", "f", [], ["c"], list(inside.node), opsets)
            )
        case "training":
            loaded.training_info.add().initialization.initializer.append(away)
    return loaded.SerializeToString()
