"""Inference requests of the Open Inference Protocol, with faults in them, in JSON and in bytes."""

import json
import struct
from random import Random
from typing import Any

from devstack.demo import ROW
from tests.fuzz.bodies import body, damage

DATATYPES = ("FP64", "FP64", "FP32", "FP16", "INT64", "UINT8", "BOOL", "BYTES", "BF16", "")
SIZES = (-1, 0, 1, 8, 2**31, 2**63, 10**30)


def inferred(rng: Random) -> tuple[bytes, bytes | None]:
    """Return a body, and the length of its JSON if that is told."""
    inputs, raw = tensors(rng)
    seed: dict[str, Any] = {"id": "7", "inputs": inputs}
    if rng.random() < 0.3:
        parameters = {"binary_data": rng.choice((True, False, 1))}
        seed["outputs"] = [{"name": rng.choice(("prediction", "x")), "parameters": parameters}]
    if rng.random() < 0.3:
        seed["parameters"] = {"binary_data_output": rng.random() < 0.8}
    header = body(rng, seed, 0.6) if rng.random() < 0.7 else json.dumps(seed).encode()
    length = len(header) + rng.choice((0, 0, 0, 0, 1, -1, 10**6))
    told = b"%d" % length if raw or rng.random() < 0.1 else None
    return header + (damage(rng, raw) if raw and rng.random() < 0.2 else raw), told


def tensors(rng: Random) -> tuple[list[dict[str, Any]], bytes]:
    """Return inputs, which seldom fit a model, and their bytes."""
    count = rng.choice((1, 1, 1, 3, 100))
    names = list(ROW) if rng.random() < 0.7 else rng.choice((["a", "b"], ["image_data"], ["0"]))
    columns = {name: [ROW.get(name, 1.5)] * count for name in names}
    if rng.random() < 0.4:
        columns = {
            "input-0": [value for row in zip(*columns.values(), strict=True) for value in row]
        }
    inputs, raw = [], b""
    for name, values in columns.items():
        shape = [count, len(names)] if name == "input-0" else [count]
        if rng.random() < 0.05:
            shape = [rng.choice(SIZES) for _ in range(rng.randrange(4))]
        datatype = "FP64" if rng.random() < 0.9 else rng.choice(DATATYPES)
        each: dict[str, Any] = {"name": name, "shape": shape, "datatype": datatype}
        if rng.random() < 0.5:
            own = struct.pack(f"<{len(values)}d", *values)
            size = len(own) if rng.random() < 0.95 else rng.choice(SIZES)
            each["parameters"], raw = {"binary_data_size": size}, raw + own
        else:
            each["data"] = values
        inputs.append(each)
    return inputs, raw
