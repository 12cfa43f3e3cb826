"""The limits of a single key, which it has beside those of its owner."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any

from pydantic import Field

MIN_RATE, MAX_RATE = 0.0001, 1_000_000  # a second
MAX_QUEUED = 1_000_000_000

Rate = Annotated[float, Field(ge=MIN_RATE, le=MAX_RATE)]
Jobs = Annotated[int, Field(ge=1, le=MAX_QUEUED)]


@dataclass(frozen=True)
class KeyLimits:
    """What a key may have; None is only the limit of its owner.

    Its requests and its rows a second, at each producer, and its jobs that wait.
    """

    max_requests: float | None = None
    max_rows: float | None = None
    max_queued: int | None = None


LIMITS = tuple(each.name for each in fields(KeyLimits))  # also the columns of a key


def limits_of(values: Mapping[str, Any]) -> KeyLimits | None:
    """Return the limits among the values of a key, or None if it has none of its own."""
    found = KeyLimits(**{name: values[name] for name in LIMITS})
    return None if found == KeyLimits() else found


def limits_text(values: Mapping[str, Any]) -> str:
    """Return the limits among the values of a key as a text; empty without any."""
    limits = limits_of(values)
    told = asdict(limits) if limits else {}
    return ", ".join(f"{name} {most:.15g}" for name, most in told.items() if most is not None)
