"""What lists show of a dead letter."""

from datetime import datetime
from typing import Any

from app import errors
from app.amqp.dead_letters import DeadLetter, plain
from app.protocol import strict_json

MAX_WIDTH = 40  # characters of a cell


def summary(message: DeadLetter) -> dict[str, Any]:
    """Return what lists show of a message."""
    job_id = plain(message.properties.message_id)
    if not job_id and isinstance(body := parse(message.body), dict):
        job_id = body.get("model_id")
    return {
        "id": message.id,
        **{key: plain(message.death.get(key)) for key in ("time", "queue", "reason")},
        "job_id": None if job_id is None else str(job_id),
        "size": len(message.body),
        "body": plain(message.body[: 4 * MAX_WIDTH])[:MAX_WIDTH],
    }


def deaths(message: DeadLetter) -> dict[str, Any]:
    """Return how often a message died, and when first, as its headers tell; None if they do not."""
    found = (message.properties.headers or {}).get("x-death")
    entries = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    times = [each["time"] for each in entries if isinstance(each.get("time"), datetime)]
    counts = [each["count"] for each in entries if isinstance(each.get("count"), int)]
    return {"first": plain(min(times)) if times else None, "deaths": sum(counts) or None}


def parse(body: bytes) -> Any:
    """Return the JSON value of a body, or its text if it is not JSON."""
    try:
        return strict_json.loads(body)
    except errors.Malformed:
        return plain(body)
