"""Rates of inference requests of the Open Inference Protocol, beside those of /predict."""

import json
import struct
from typing import Any

from benchmarks.harness.in_turn import Requests, Slice, load_in_turn, ratio
from benchmarks.harness.servers import Bench, Stack
from benchmarks.reporting.figures import middle, shown
from benchmarks.scenarios.rows import batch

NAME = "oip"

IN_FLIGHT = {1: 64, 1_000: 8}  # by the rows of a request
LENGTH = "Inference-Header-Content-Length"


def run(bench: Bench) -> list[dict[str, Any]]:
    """Load one stack with each form of the same rows, in turn."""
    with bench.stack() as stack:
        return [
            row
            for size, in_flight in IN_FLIGHT.items()
            for row in compared(bench, requests(stack, size), size, in_flight)
        ]


def compared(
    bench: Bench, forms: dict[str, Requests], size: int, in_flight: int
) -> list[dict[str, Any]]:
    """Return a row for each form; a ratio to /predict is the median of those of the slices."""
    slices = load_in_turn(bench, forms, in_flight)
    return [
        shown(
            {
                "rows in a request": size,
                "request": name,
                "body bytes": len(form.body),
                "requests/s": middle([each[name].load.rate for each in slices], 1),
                "of /predict": ratio(slices, name, "/predict", lambda each: each.load.rate),
                "p50 ms": middle([each[name].load.p50 for each in slices], 2),
                "producer and consumer, µs of a core": middle(
                    [_cost(each[name]) for each in slices]
                ),
                "that of /predict": ratio(slices, name, "/predict", _cost),
                "errors": sum(each[name].load.errors for each in slices),
            }
        )
        for name, form in forms.items()
    ]


def _cost(of: Slice) -> float:
    return of.producer + of.consumers


def requests(stack: Stack, size: int) -> dict[str, Requests]:
    """Return the same rows in each form."""
    rows = batch(size)
    names = list(rows[0])
    matrix = [row[name] for row in rows for name in names]
    path = f"/v2/models/{stack.model_id}/infer"
    columns = [
        {"name": name, "shape": [size], "datatype": "FP64", "data": [row[name] for row in rows]}
        for name in names
    ]
    whole = {"name": "input-0", "shape": [size, len(names)], "datatype": "FP64"}
    raw = struct.pack(f"<{len(matrix)}d", *matrix)
    header = encoded(
        {
            "inputs": [{**whole, "parameters": {"binary_data_size": len(raw)}}],
            "parameters": {"binary_data_output": True},
        }
    )
    predict = encoded({"model_id": stack.model_id, "input_data": rows})
    whole_matrix = encoded({"inputs": [{**whole, "data": matrix}]})
    return {
        "/predict": Requests(stack, predict),
        "a tensor for each feature": Requests(stack, encoded({"inputs": columns}), path),
        "a matrix": Requests(stack, whole_matrix, path),
        "a matrix in bytes": Requests(stack, header + raw, path, {LENGTH: str(len(header))}),
    }


def encoded(body: Any) -> bytes:
    """Return a body as JSON."""
    return json.dumps(body).encode()
