"""Small ONNX files, made by hand: some that answer, and some that are made to harm."""

from typing import Any

import onnx
from onnx import TensorProto, helper

FLOAT, DOUBLE, INT64, BOOL, STRING = (
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.INT64,
    TensorProto.BOOL,
    TensorProto.STRING,
)
COLOURS = ["red", "green", "blue"]


def file(
    nodes: list[Any],
    inputs: dict[str, tuple[int, list[Any]]],
    outputs: dict[str, tuple[int, list[Any]]],
    constants: dict[str, tuple[int, list[int], list[Any]]] | None = None,
    **more: Any,
) -> bytes:
    """Return a graph as a file. Values are `(type, shape)`, constants `(type, shape, values)`."""
    return model(nodes, inputs, outputs, constants, **more).SerializeToString()


def model(nodes, inputs, outputs, constants=None, functions=()) -> Any:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, *each) for name, each in inputs.items()],
        [helper.make_tensor_value_info(name, *each) for name, each in outputs.items()],
        [helper.make_tensor(name, *each) for name, each in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, functions=functions)


def linear(kind: int = FLOAT, batch: Any = None) -> bytes:
    """y = 2 a + 3 b + 1."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["xw"]),
        helper.make_node("Add", ["xw", "one"], ["y"]),
    ]
    constants = {"w": (kind, [2, 1], [2, 3]), "one": (kind, [1], [1])}
    return file(nodes, {"x": (kind, [batch, 2])}, {"y": (kind, [batch, 1])}, constants)


def named(kind: int = FLOAT) -> bytes:
    """y = a + b, each an input of its own, one flat and one a column."""
    nodes = [
        helper.make_node("Squeeze", ["b", "axis"], ["flat"]),
        helper.make_node("Add", ["a", "flat"], ["y"]),
    ]
    inputs = {"a": (kind, [None]), "b": (kind, [None, 1])}
    return file(nodes, inputs, {"y": (kind, [None])}, {"axis": (INT64, [1], [1])})


def colours(batch: Any = None, size: int = 8, layout: str = "NCHW") -> bytes:
    """Logits of red, green and blue: ten times the mean of each channel."""
    first = layout == "NCHW"
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "ten"], ["logits"]),
    ]
    shape = [batch, 3, size, size] if first else [batch, size, size, 3]
    constants = {
        "axes": (INT64, [2], [2, 3] if first else [1, 2]),
        "ten": (FLOAT, [1], [10]),
    }
    return file(nodes, {"image": (FLOAT, shape)}, {"logits": (FLOAT, [batch, 3])}, constants)


def probabilities(labels: int, softmax: bool = True) -> bytes:
    """Probabilities, or what looks like them, of as many labels: x times 0, 1, 2, ..."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["xw"]),
        helper.make_node("Softmax" if softmax else "Identity", ["xw"], ["p"]),
    ]
    constants = {"w": (FLOAT, [1, labels], list(range(labels)))}
    return file(nodes, {"x": (FLOAT, [None, 1])}, {"p": (FLOAT, [None, labels])}, constants)


def iris() -> bytes:
    """Probabilities of two labels, as the manifest in the API's documentation describes them."""
    nodes = [
        helper.make_node("MatMul", ["X", "w"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    constants = {"w": (FLOAT, [2, 2], [-1, 1, 2, -2])}
    outputs = {"probabilities": (FLOAT, [None, 2])}
    return file(nodes, {"X": (FLOAT, [None, 2])}, outputs, constants)


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


LINEAR: dict[str, Any] = {
    "inputs": [{"name": "x", "features": ["a", "b"]}],
    "output": {"name": "y", "holds": "values"},
}
IMAGES: dict[str, Any] = {
    "inputs": [{"name": "image", "image": {"size": [8, 8]}}],
    "output": {"name": "logits", "holds": "logits"},
    "labels": COLOURS,
}
