"""Rates of inference requests of the Open Inference Protocol, beside those of /predict."""

import json
import struct
from statistics import median
from typing import Any

from benchmarks.harness import hey
from benchmarks.harness.servers import Bench
from benchmarks.reporting.figures import middle, shown
from benchmarks.scenarios.rows import batch

NAME = "oip"

IN_FLIGHT = {1: 64, 1_000: 8}  # by the rows of a request
LENGTH = "Inference-Header-Content-Length"

Request = tuple[str, bytes, dict[str, str]]  # path, body and headers


def run(bench: Bench) -> list[dict[str, Any]]:
    """Load one stack with each form of the same rows, in turn."""
    with bench.stack() as stack:
        return [
            row
            for size, in_flight in IN_FLIGHT.items()
            for row in compared(bench, stack.url, requests(stack.model_id, size), size, in_flight)
        ]


def compared(
    bench: Bench, url: str, forms: dict[str, Request], size: int, in_flight: int
) -> list[dict[str, Any]]:
    """Return a row for each form; a ratio to /predict is the median of those of the rounds."""
    for path, body, headers in forms.values():
        hey.warm(f"{url}{path}", body, in_flight, headers)
    rounds = [
        {
            name: hey.load(f"{url}{path}", body, in_flight, bench.seconds, headers=headers)
            for name, (path, body, headers) in forms.items()
        }
        for _ in range(bench.rounds)
    ]
    return [
        shown(
            {
                "rows in a request": size,
                "request": name,
                "body bytes": len(body),
                "requests/s": middle([each[name].rate for each in rounds], 1),
                "of /predict": round(
                    median(each[name].rate / each["/predict"].rate for each in rounds), 2
                ),
                "p50 ms": middle([each[name].p50 for each in rounds], 2),
                "errors": sum(each[name].errors for each in rounds),
            }
        )
        for name, (_, body, _) in forms.items()
    ]


def requests(model_id: str, size: int) -> dict[str, Request]:
    """Return the same rows in each form."""
    rows = batch(size)
    names = list(rows[0])
    matrix = [row[name] for row in rows for name in names]
    path = f"/v2/models/{model_id}/infer"
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
    return {
        "/predict": ("/predict", encoded({"model_id": model_id, "input_data": rows}), {}),
        "a tensor for each feature": (path, encoded({"inputs": columns}), {}),
        "a matrix": (path, encoded({"inputs": [{**whole, "data": matrix}]}), {}),
        "a matrix in bytes": (path, header + raw, {LENGTH: str(len(header))}),
    }


def encoded(body: Any) -> bytes:
    """Return a body as JSON."""
    return json.dumps(body).encode()
