"""What the oracle judges, collected from a world when all is over."""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chaos.world import World

OF_JOBS = re.compile(r"^queue\.model\.(train|predict\.async|batch|batch\.part|retry\.\d)$")


def objects(world: World) -> dict[str, str]:
    """Return the sha256 of every model and every result, by their keys; of other files none."""
    found = {}
    pages = world.s3.get_paginator("list_objects_v2")
    for prefix in ("models/", "batches/"):
        for page in pages.paginate(Bucket=world.bucket, Prefix=prefix):
            for entry in page.get("Contents", ()):
                key = entry["Key"]
                whole = key.endswith((".onnx", "result.csv"))
                found[key] = sha256(world.s3, world.bucket, key) if whole else ""
    return found


def sha256(s3: Any, bucket: str, key: str) -> str:
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return hashlib.sha256(body).hexdigest()


def called(world: World) -> Counter[int]:
    """Count how often the model that may be called once got each number."""
    asked = [json.loads(request.body)["input_data"] for request in world.stranger.requests]
    return Counter(row["once"] for row in asked if "once" in row)


def in_work(world: World) -> tuple[int, int]:
    """Count the jobs that have not ended and the messages that stand for one, seen or not."""
    queues = world.broker.api("GET", "queues/%2F")
    waiting = [each.get("messages", 0) for each in queues if OF_JOBS.match(each["name"])]
    return world.database.in_work(), sum(waiting)


def keep(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Write rows down, so that a person can find the cause."""
    lines = [json.dumps(row, default=str) for row in rows]
    (folder / f"{name}.jsonl").write_text("\n".join([*lines, ""]))


def dead_letters(world: World) -> int:
    """Count the messages that were refused."""
    return int(world.broker.api("GET", "queues/%2F/queue.model.dead").get("messages", 0))
