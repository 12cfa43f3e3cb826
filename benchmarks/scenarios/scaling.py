"""The rate with more consumers, for requests of one row and for heavier ones."""

import json
from typing import Any

from benchmarks.harness import hey
from benchmarks.harness.servers import Bench
from benchmarks.reporting.figures import middle, shown
from benchmarks.scenarios.rows import batch

NAME = "scaling"

IN_FLIGHT = 64
HEAVY = 100  # rows in a request that keeps consumers busy rather than the producer


def run(bench: Bench) -> list[dict[str, Any]]:
    """Measure 1, 2 and 4 consumer processes."""
    rows = []
    for consumers in (1, 2, 4):
        row: dict[str, Any] = {"consumers": consumers}
        errors = 0
        with bench.stack(consumers=consumers) as stack:
            url = f"{stack.url}/predict"
            heavy = json.dumps({"model_id": stack.model_id, "input_data": batch(HEAVY)}).encode()
            for name, body in (("one row", stack.body), (f"{HEAVY} rows", heavy)):
                hey.warm(url, body, IN_FLIGHT)
                found = [hey.load(url, body, IN_FLIGHT, bench.seconds) for _ in range(bench.rounds)]
                row[f"{name}, requests/s"] = middle([each.rate for each in found])
                row[f"{name}, p50 ms"] = middle([each.p50 for each in found], 1)
                errors += sum(each.errors for each in found)
        rows.append(shown({**row, "errors": errors}))
    return rows
