"""Uploaded graphs that are drawn, and questions that decide what they cost.

A graph has two features, a and b. Its size, the larger one, is the length of a tensor, the number
of rounds of a loop, and so on; at the registration it is small. Whatever a graph takes, the canary
goes on to answer, and the consumer keeps within its memory.
"""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any, NamedTuple

import httpx2
import numpy as np
from onnx import helper

from tests.fuzz.warren import Warren
from tests.support.graphs import BOOL, FLOAT, INT64, LINEAR, file
from tests.system.support.memory import Peaks, peak

GROWTH = 300_000_000  # bytes that a consumer takes for the requests of others
CHILD = 2_000_000_000  # bytes of a process that answers
REGISTERED = {201, 422}
ANSWERED = {200, 413, 422, 503, 504}
SIZES = (-1, 0, 1, 3, 100, 1_000, 20_000, 55_000, 400_000, 10**7, 10**9, 10**12, 3e38)


class Case(NamedTuple):
    """A graph and the values of the rows that it is asked about, one request for each list."""

    file: bytes
    asked: list[list[float]]


class _Graph:
    """A graph that grows; `size` is an integer [1], `side` the same without a dimension."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {"one": (INT64, [1], [1]), "axis": (INT64, [1], [1])}
        self.most = self.add("ReduceMax", "x", keepdims=0)
        self.size = self.add("Add", self.add("Cast", self.most, to=INT64), "one")
        self.side = self.add("Squeeze", self.size)

    def add(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Add a node; return the name of its first output."""
        name = f"v{len(self.nodes)}"
        names = [name, *(f"{name}_{n}" for n in range(1, outputs))]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return name

    def constant(self, kind: int, values: Any) -> str:
        name = f"c{len(self.constants)}"
        array = np.asarray(values)
        self.constants[name] = (kind, list(array.shape), array.ravel().tolist())
        return name

    def number(self) -> str:
        """A float that is not known before the run."""
        return self.add("Reshape", self.most, self.constant(INT64, [1]))

    def length(self) -> str:
        """The size, or a constant."""
        if self.rng.random() < 0.7:
            return self.size
        return self.constant(INT64, [self.rng.choice((1, 7, 1_000, 10**6, 10**10))])

    def file(self, cost: str) -> bytes:
        """Return the file of a model that answers a + 0 * cost."""
        least = self.add("ReduceMax", cost, keepdims=0)
        rows = self.add("ReduceMax", "x", "axis", keepdims=0)
        zero = self.add("Sub", least, least)
        self.nodes.append(helper.make_node("Add", [rows, zero], ["y"]))
        shapes = {"x": (FLOAT, [None, 2])}, {"y": (FLOAT, [None])}
        return file(self.nodes, *shapes, self.constants)


def _filled(graph: _Graph, _: str) -> str:
    axes = [graph.length() for _ in range(graph.rng.choice((1, 1, 2, 3)))]
    return graph.add("ConstantOfShape", graph.add("Concat", *axes, axis=0))


def _expanded(graph: _Graph, value: str) -> str:
    least = graph.add("ReduceMax", value, keepdims=0)
    return graph.add("Expand", least, graph.add("Concat", graph.length(), graph.length(), axis=0))


def _tiled(graph: _Graph, value: str) -> str:
    return graph.add("Tile", _flat(graph, value), graph.length())


def _padded(graph: _Graph, value: str) -> str:
    return graph.add(
        "Pad", _flat(graph, value), graph.add("Concat", graph.length(), graph.length(), axis=0)
    )


def _range(graph: _Graph, _: str) -> str:
    ends = graph.constant(INT64, 0), graph.side, graph.constant(INT64, 1)
    return graph.add("Cast", graph.add("Range", *ends), to=FLOAT)


def _outer(graph: _Graph, value: str) -> str:
    flat = _flat(graph, value)
    column = graph.add("Reshape", flat, graph.constant(INT64, [-1, 1]))
    row = graph.add("Reshape", flat, graph.constant(INT64, [1, -1]))
    return graph.add(graph.rng.choice(("MatMul", "Mul", "Sub", "Pow", "Max")), column, row)


def _sorted(graph: _Graph, value: str) -> str:
    return graph.add("TopK", _flat(graph, value), graph.length(), axis=0, outputs=2)


def _boxes(graph: _Graph, _: str) -> str:
    """Compare as many boxes with one another: one node of quadratic cost."""
    length = graph.length()
    four, one = graph.constant(INT64, [4]), "one"
    boxes = graph.add(
        "Expand",
        graph.constant(FLOAT, [[[0.0, 0.0, 1.0, 1.0]]]),
        graph.add("Concat", one, length, four, axis=0),
    )
    scores = graph.add(
        "Expand",
        graph.constant(FLOAT, [[[1.0]]]),
        graph.add("Concat", one, one, length, axis=0),
    )
    limits = graph.constant(INT64, [2**40]), graph.constant(FLOAT, [1.0])
    return graph.add("Cast", graph.add("NonMaxSuppression", boxes, scores, *limits), to=FLOAT)


def _loop(graph: _Graph, value: str) -> str:
    """Repeat a step as often as the size says, or for ever; it may double what it holds."""
    step = graph.rng.choice(("Add", "Mul", "Concat"))
    attributes = {"axis": 0} if step == "Concat" else {}
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node(step, ["v", "v"], ["w"], **attributes),
        ],
        "inside",
        [
            helper.make_tensor_value_info("i", INT64, []),
            helper.make_tensor_value_info("go", BOOL, []),
            helper.make_tensor_value_info("v", FLOAT, [None]),
        ],
        [
            helper.make_tensor_value_info("go_on", BOOL, []),
            helper.make_tensor_value_info("w", FLOAT, [None]),
        ],
    )
    rounds = graph.rng.choice((graph.side, graph.side, ""))
    begin = graph.add("Cast", graph.most, to=BOOL)
    return graph.add("Loop", rounds, begin, _flat(graph, value), body=body)


def _summed(graph: _Graph, value: str) -> str:
    return graph.add("CumSum", _flat(graph, value), graph.constant(INT64, 0))


def _shaped(graph: _Graph, value: str) -> str:
    return graph.add(graph.rng.choice(("Exp", "Sigmoid", "Relu", "Erf", "Softplus", "Neg")), value)


def _flat(graph: _Graph, value: str) -> str:
    return graph.add("Reshape", value, graph.constant(INT64, [-1]))


STEPS: list[Callable[[_Graph, str], str]] = [
    *(_filled, _expanded, _tiled, _padded, _range, _outer, _sorted, _boxes, _loop, _summed),
    *(_shaped, _shaped),
]


def draw(rng: Random) -> Case:
    """Draw a graph of a few steps, and requests of one row or more."""
    graph = _Graph(rng)
    value = graph.number()
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        value = rng.choice(STEPS)(graph, value)
    asked = [
        [float(rng.choice(SIZES)) for _ in range(rng.choice((1, 1, 3)))]
        for _ in range(rng.choice((1, 2, 4)))
    ]
    return Case(graph.file(value), asked)


class Uploader:
    """Uploads drawn graphs to a Warren and asks them; `seen` counts the answers."""

    def __init__(self, target: Warren) -> None:
        """Take what the consumer has in memory as the beginning."""
        self.seen: Counter[str] = Counter()
        self._target = target
        self._least = peak(target.consumer.pid)

    def run(self, number: int, case: Case) -> list[str]:
        """Register the graph, send all requests at once beside the canary's; return the faults."""
        name = f"drawn-{number}"
        answer = self._target.http.put(
            f"/models/{name}",
            data={"manifest": json.dumps(LINEAR)},
            files={"model": ("model.onnx", case.file)},
            timeout=150,
        )
        wrong = self._judge("register", answer, REGISTERED)
        if answer.status_code != 201:
            return wrong
        with Peaks(self._target.consumer) as peaks, ThreadPoolExecutor(len(case.asked)) as threads:
            asking = [threads.submit(self._ask, name, values) for values in case.asked]
            try:
                self._target.answers()
            except (AssertionError, httpx2.HTTPError) as error:
                wrong.append(f"the canary: {error!r}")
            for each in asking:
                wrong += self._judge("ask", each.result(), ANSWERED)
        if (grown := peaks.own - self._least) > GROWTH:
            wrong.append(f"the consumer took {grown >> 20} MB")
        if peaks.child > CHILD:
            wrong.append(f"the process of a model took {peaks.child >> 20} MB")
        return wrong

    def _ask(self, name: str, values: list[float]) -> httpx2.Response:
        rows = [{"a": value, "b": 0.0} for value in values]
        asked = {"model_id": name, "input_data": rows}
        return self._target.http.post("/predict", json=asked, timeout=60)

    def _judge(self, kind: str, answer: httpx2.Response, allowed: set[int]) -> list[str]:
        self.seen[f"{kind} {answer.status_code}"] += 1
        if answer.status_code not in allowed:
            return [f"{kind}: {answer.status_code}: {answer.text[:500]}"]
        return []
