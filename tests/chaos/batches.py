"""Batch jobs of the chaos run: a table of three parts, and the one result that is right."""

import hashlib
import json
from functools import cache
from typing import Any

from tests.support import graphs

MODEL, DATASET = "line", "numbers"
ROWS = 120_000  # of which a part has 50,000
BODY: dict[str, Any] = {"model_id": MODEL, "dataset_id": DATASET, "columns": ["a"]}
MANIFEST = {
    "kind": "onnx",
    "inputs": [{"name": "x", "features": ["a", "b"]}],
    "output": {"name": "y", "holds": "values"},
}


def table() -> str:
    """Return the table as a CSV; whole numbers, so that the answers are exact."""
    return "".join(["a,b\n", *(f"{row},{row % 7}\n" for row in range(ROWS))])


def registration() -> dict[str, Any]:
    """Return the form that registers the model, which answers 2 a + 3 b + 1."""
    return {
        "data": {"manifest": json.dumps(MANIFEST)},
        "files": {"model": ("model.onnx", graphs.linear(graphs.DOUBLE))},
    }


@cache
def wanted() -> str:
    """Return the sha256 of the result: each row once, in order."""
    lines = (f"{row},{float(2 * row + 3 * (row % 7) + 1)}\n" for row in range(ROWS))
    return hashlib.sha256("".join(["a,prediction\n", *lines]).encode()).hexdigest()
