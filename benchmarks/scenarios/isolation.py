"""The same graph in the consumer's own process, and uploaded, in a process of its own."""

import json
from collections import defaultdict
from typing import Any

import httpx2

from benchmarks.harness import hey
from benchmarks.harness.servers import Bench
from benchmarks.reporting.figures import middle, shown
from benchmarks.scenarios.rows import batch
from devstack.demo import ROW

NAME = "isolation"

UPLOADED = "uploaded-forest"
MANIFEST = {
    "kind": "onnx",
    "inputs": [{"name": "number", "features": list(ROW)}],
    "output": {"name": "prediction", "holds": "values"},
}
ASKED = ((1, 1), (1, 64), (100, 8), (1000, 8))  # rows in a request, requests in flight
LEAST = 0.7  # of the rate in the consumer's own process


def run(bench: Bench) -> list[dict[str, Any]]:
    """Ask the trained model and its uploaded file in turn, in every round."""
    rates: dict[tuple[int, int, str], list[float]] = defaultdict(list)
    with bench.stack() as stack:
        upload(stack.url, bench.onnx.read_bytes())
        for _ in range(bench.rounds):
            for size, in_flight in ASKED:
                for model_id in (stack.model_id, UPLOADED):
                    body = json.dumps({"model_id": model_id, "input_data": batch(size)}).encode()
                    hey.warm(f"{stack.url}/predict", body, in_flight)
                    found = hey.load(f"{stack.url}/predict", body, in_flight, bench.seconds)
                    if found.errors:
                        raise RuntimeError(f"predictions of {model_id} failed: {found.problems}")
                    rates[size, in_flight, model_id].append(found.rate)
        return [
            shown(
                {
                    "rows in a request": size,
                    "in flight": in_flight,
                    "own process of the consumer, requests/s": middle(
                        shared := rates[size, in_flight, stack.model_id], 1
                    ),
                    "process of the model, requests/s": middle(
                        alone := rates[size, in_flight, UPLOADED], 1
                    ),
                    "share": middle([a / s for a, s in zip(alone, shared, strict=True)], 2),
                    "target": f"at least {LEAST}",
                }
            )
            for size, in_flight in ASKED
        ]


def upload(url: str, file: bytes) -> None:
    """Register the model's file as one of a client's."""
    answer = httpx2.put(
        f"{url}/models/{UPLOADED}",
        data={"manifest": json.dumps(MANIFEST)},
        files={"model": ("model.onnx", file)},
        timeout=60,
    )
    answer.raise_for_status()
