"""Rows a second, when a request brings 1 to 10,000 of them."""

import json
import random
from typing import Any

from benchmarks.harness import hey
from benchmarks.harness.servers import Bench
from benchmarks.reporting.figures import middle, shown
from devstack.demo import ROW

NAME = "rows"

SIZES = (1, 10, 100, 1_000, 10_000)
IN_FLIGHT = 8  # so that producer and consumer both have work


def run(bench: Bench) -> list[dict[str, Any]]:
    """Measure each size of a batch, some requests at a time."""
    rows = []
    with bench.stack() as stack:
        url = f"{stack.url}/predict"
        for size in SIZES:
            body = json.dumps({"model_id": stack.model_id, "input_data": batch(size)}).encode()
            hey.warm(url, body, IN_FLIGHT)
            found = [hey.load(url, body, IN_FLIGHT, bench.seconds) for _ in range(bench.rounds)]
            rows.append(
                shown(
                    {
                        "rows in a request": size,
                        "body bytes": len(body),
                        "requests/s": middle([each.rate for each in found], 1),
                        "rows/s": middle([each.rate * size for each in found]),
                        "p50 ms": middle([each.p50 for each in found], 2),
                        "p99 ms": middle([each.p99 for each in found], 2),
                        "errors": sum(each.errors for each in found),
                    }
                )
            )
    return rows


def batch(size: int) -> list[dict[str, float]]:
    """Make rows like the README's, no two alike."""
    chance = random.Random(size)
    return [
        {name: round(value * chance.uniform(0.5, 1.5), 6) for name, value in ROW.items()}
        for _ in range(size)
    ]
