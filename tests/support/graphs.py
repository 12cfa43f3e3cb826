"""Small ONNX files that answer, and their manifests."""

from typing import Any

from onnx import TensorProto, helper

FLOAT, DOUBLE, FLOAT16, INT64, INT32, UINT8, BOOL, STRING = (
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.FLOAT16,
    TensorProto.INT64,
    TensorProto.INT32,
    TensorProto.UINT8,
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
    domains = {"": 18, "ai.onnx.ml": 3, "own": 1}
    opsets = [helper.make_opsetid(*each) for each in domains.items()]
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


def cast_sum(kind: int) -> bytes:
    """y = a + b, of two features of any type but text."""
    nodes = [
        helper.make_node("Cast", ["x"], ["numbers"], to=FLOAT),
        helper.make_node("ReduceSum", ["numbers", "axis"], ["y"], keepdims=0),
    ]
    shapes = {"x": (kind, [None, 2])}, {"y": (FLOAT, [None])}
    return file(nodes, *shapes, {"axis": (INT64, [1], [1])})


def words() -> bytes:
    """y = a, and 10 more if the text is "ten"; `said` is the text."""
    encode = {"keys_strings": ["ten"], "values_floats": [10.0], "default_float": 0.0}
    nodes = [
        helper.make_node("LabelEncoder", ["word"], ["ten"], domain="ai.onnx.ml", **encode),
        helper.make_node("Add", ["ten", "a"], ["y"]),
        helper.make_node("Identity", ["word"], ["said"]),
    ]
    inputs = {"word": (STRING, [None, 1]), "a": (FLOAT, [None, 1])}
    return file(nodes, inputs, {"y": (FLOAT, [None, 1]), "said": (STRING, [None, 1])})


def known_or_zero(kind: int = FLOAT, batch: Any = None) -> bytes:
    """y = a + b, of which each is 0 when it is NaN, as in a tree that knows missing values."""
    nodes = [
        helper.make_node("IsNaN", ["x"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "x"], ["known"]),
        helper.make_node("ReduceSum", ["known", "axis"], ["y"], keepdims=0),
    ]
    constants = {"zero": (kind, [1], [0]), "axis": (INT64, [1], [1])}
    return file(nodes, {"x": (kind, [batch, 2])}, {"y": (kind, [batch])}, constants)


def sigmoid(shape: list[Any], logits: bool = False) -> bytes:
    """One number of each row for two labels: a sigmoid of x, or x itself."""
    nodes = [
        helper.make_node("Identity" if logits else "Sigmoid", ["x"], ["z"]),
        helper.make_node("Reshape", ["z", "shape"], ["p"]),
    ]
    constants = {"shape": (INT64, [len(shape)], [-1, 1][: len(shape)])}
    return file(nodes, {"x": (FLOAT, [None, 1])}, {"p": (FLOAT, shape)}, constants)


def several(batch: Any = None) -> bytes:
    """y = a + b; further the logarithm of each (`logs`), whether a > b, and all of their maxima."""
    nodes = [
        helper.make_node("ReduceSum", ["x", "axis"], ["y"], keepdims=0),
        helper.make_node("Log", ["x"], ["logs"]),
        helper.make_node("ReduceMax", ["x", "axis"], ["most"], keepdims=0),
        helper.make_node("Gather", ["x", "zero"], ["a"], axis=1),
        helper.make_node("Equal", ["a", "most"], ["first"]),
        helper.make_node("ReduceMax", ["x"], ["of_all"], keepdims=0),
    ]
    constants = {"axis": (INT64, [1], [1]), "zero": (INT64, [], [0])}
    outputs = {
        "y": (FLOAT, [batch]),
        "logs": (FLOAT, [batch, 2]),
        "first": (BOOL, [batch]),
        "of_all": (FLOAT, []),
    }
    return file(nodes, {"x": (FLOAT, [batch, 2])}, outputs, constants)


def colours(batch: Any = None, size: int = 8, layout: str = "NCHW", kind: int = FLOAT) -> bytes:
    """Logits of red, green and blue: ten times the mean of each channel."""
    first = layout == "NCHW"
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=FLOAT),
        helper.make_node("ReduceMean", ["pixels", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "ten"], ["logits"]),
    ]
    shape = [batch, 3, size, size] if first else [batch, size, size, 3]
    constants = {
        "axes": (INT64, [2], [2, 3] if first else [1, 2]),
        "ten": (FLOAT, [1], [10 / 255 if kind == UINT8 else 10]),
    }
    return file(nodes, {"image": (kind, shape)}, {"logits": (FLOAT, [batch, 3])}, constants)


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


LINEAR: dict[str, Any] = {
    "inputs": [{"name": "x", "features": ["a", "b"]}],
    "output": {"name": "y", "holds": "values"},
}
IMAGES: dict[str, Any] = {
    "inputs": [{"name": "image", "image": {"size": [8, 8]}}],
    "output": {"name": "logits", "holds": "logits"},
    "labels": COLOURS,
}
WORDS: dict[str, Any] = {
    "inputs": [
        {"name": "word", "features": ["word"], "type": "text"},
        {"name": "a", "features": ["a"]},
    ],
    "output": {"name": "y", "holds": "values"},
    "outputs": ["said"],
}
