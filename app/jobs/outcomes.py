"""The outcomes of an attempt, and what an error means for its job."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app import errors
from app.jobs.parts import NewPart


@dataclass(frozen=True)
class TrainingDone:
    """A training is done: the model's folder, its file's sha256, metrics, and what the fit did."""

    key: str
    sha256: str
    metrics: dict[str, float]
    fit_summary: dict[str, Any]


@dataclass(frozen=True)
class PredictionDone:
    """A prediction is done."""

    result: dict[str, Any]


@dataclass(frozen=True)
class PartsMade:
    """A batch job is split."""

    parts: Sequence[NewPart]


@dataclass(frozen=True)
class PartDone:
    """A part is scored: the key of its result, and what is known of its rows."""

    key: str
    result: dict[str, Any]


@dataclass(frozen=True)
class BatchDone:
    """The parts of a batch job are put together in a file of `size` bytes."""

    key: str
    sha256: str
    result: dict[str, Any]
    size: int


@dataclass(frozen=True)
class Retryable:
    """The attempt failed; the next one may succeed."""

    error: errors.WarrenError


@dataclass(frozen=True)
class Interrupted:
    """The attempt ended through no fault of its own, and is not counted as a failure."""

    error: errors.WarrenError


@dataclass(frozen=True)
class AttemptFailed:
    """The attempt failed, and the next one would fail in the same way."""

    error: errors.WarrenError


@dataclass(frozen=True)
class Released:
    """The attempt ended without a failure, so that another consumer can run the job.

    If `message_lost`, its message may not return to the queue, and the relay publishes another one.
    """

    message_lost: bool = False


@dataclass(frozen=True)
class Lost:
    """The attempt has lost its job."""


Done = TrainingDone | PredictionDone | PartsMade | PartDone | BatchDone
Outcome = Done | Retryable | Interrupted | AttemptFailed | Released | Lost


def outcome_of(error: Exception, *, may_have_run: bool = False) -> Outcome:
    """Return what an error means for the job.

    If `may_have_run`, the work may already be done and must not be repeated.
    """
    match error:
        case errors.ShuttingDown():
            return Released()
        case errors.Fenced():
            return Lost()
        case errors.ChildLost() | errors.ModelKilled() | errors.MemoryTaken() if not may_have_run:
            return Interrupted(error)
        case errors.Unavailable() if not may_have_run:
            return Retryable(error)
        case errors.WarrenError():
            return AttemptFailed(error)
        case OSError() if error.strerror and not may_have_run:
            # A full disk, say: the next attempt may run on another machine.
            refused = f"the consumer's system refused: {error.strerror}"
            return Retryable(errors.Unavailable(refused))
    return AttemptFailed(errors.WarrenError())  # a bug
