"""Small ONNX files that are harmless at their registration, and cost what a request's value says.

Each has two features, a and b. The larger one is the size.
"""

from typing import Any

from onnx import helper

from tests.support.graphs import FLOAT, INT64, file

_ONE = {"one": (INT64, [1], [1]), "axis": (INT64, [1], [1])}


def _sized(nodes: list[Any], **constants: Any) -> bytes:
    """Give nodes the size as `size`, one integer of at least 1; their sum is to be in `cost`."""
    before = [
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["whole"], to=INT64),
        helper.make_node("Add", ["whole", "one"], ["size"]),
    ]
    after = [
        helper.make_node("Sub", ["cost", "cost"], ["zero"]),
        helper.make_node("ReduceMax", ["x", "axis"], ["rows"], keepdims=0),
        helper.make_node("Add", ["rows", "zero"], ["y"]),
    ]
    shapes = {"x": (FLOAT, [None, 2])}, {"y": (FLOAT, [None])}
    return file([*before, *nodes, *after], *shapes, {**_ONE, **constants})


def greedy() -> bytes:
    """It allocates size x size floats: 12 GB at 55,000."""
    return _sized(
        [
            helper.make_node("Concat", ["size", "size"], ["shape"], axis=0),
            helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
            helper.make_node("ReduceMax", ["zeros"], ["cost"], keepdims=0),
        ]
    )


def quadratic() -> bytes:
    """A single node compares as many boxes with one another: minutes at 400,000."""
    return _sized(
        [
            helper.make_node("Concat", ["one", "size", "four"], ["of_boxes"], axis=0),
            helper.make_node("Concat", ["one", "one", "size"], ["of_scores"], axis=0),
            helper.make_node("Expand", ["box", "of_boxes"], ["boxes"]),
            helper.make_node("Expand", ["score", "of_scores"], ["scores"]),
            helper.make_node(
                "NonMaxSuppression", ["boxes", "scores", "most_boxes", "overlap"], ["chosen"]
            ),
            helper.make_node("ReduceMax", ["chosen"], ["last"], keepdims=0),
            helper.make_node("Cast", ["last"], ["cost"], to=FLOAT),
        ],
        four=(INT64, [1], [4]),
        box=(FLOAT, [1, 1, 4], [0, 0, 1, 1]),
        score=(FLOAT, [1, 1, 1], [1]),
        most_boxes=(INT64, [1], [2**40]),
        overlap=(FLOAT, [1], [1]),
    )


def slow_to_load(products: int, side: int = 3000) -> bytes:
    """It multiplies matrices while it is loaded, for a second or more each time."""
    nodes = [helper.make_node("Expand", ["small", "square"], ["power0"])]
    nodes += [
        helper.make_node("MatMul", [f"power{n}", "power0"], [f"power{n + 1}"])
        for n in range(products)
    ]
    nodes += [
        helper.make_node("ReduceMax", [f"power{products}"], ["most"], keepdims=0),
        helper.make_node("Sub", ["most", "most"], ["zero"]),
        helper.make_node("ReduceMax", ["x", "axis"], ["rows"], keepdims=0),
        helper.make_node("Add", ["rows", "zero"], ["y"]),
    ]
    constants = {"small": (FLOAT, [1], [1 / side]), "square": (INT64, [2], [side, side])}
    return file(nodes, {"x": (FLOAT, [None, 2])}, {"y": (FLOAT, [None])}, {**_ONE, **constants})
