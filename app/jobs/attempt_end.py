"""How an attempt ended, and why, as its row tells."""

from enum import StrEnum
from typing import Any

REASON_CHARACTERS = 1000
# Why an attempt is released.
STOPPED = "its consumer stopped"
GAVE_SLOT = "a waiting caller, who ran none, got its slot"


class AttemptOutcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    SPLIT = "split"  # into the parts of a batch job
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # its child process was killed, and not for what it did
    CONSUMER_LOST = "consumer_lost"
    LEASE_EXPIRED = "lease_expired"
    RELEASED = "released"
    REPLACED = "replaced"  # its own worker began anew, because the answer to the claim was lost
    CANCELLED = "cancelled"


def error_reason(error: dict[str, Any]) -> str:
    """Return the type and the detail of an error in short, as any database can store it."""
    text = f"{error.get('type')}: {error.get('detail')}"[:REASON_CHARACTERS]
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
