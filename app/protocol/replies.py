"""Replies of the consumers."""

from dataclasses import dataclass, field
from typing import Any, Self

from app import errors, strict_json
from app.protocol.types import JobStatus


@dataclass(frozen=True)
class Reply:
    """An answer of the consumer: `{"status", "model_id", ...fields}`."""

    status: JobStatus
    model_id: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        """Return the body as a dict."""
        return {"status": self.status, "model_id": self.model_id, **self.fields}

    def encode(self) -> bytes:
        """Return the body as JSON."""
        return strict_json.dumps(self.to_wire())

    @classmethod
    def error(cls, error: errors.WarrenError, model_id: str | None = None) -> Self:
        """Return the `TASK_ERROR` that tells of `error`."""
        return cls(JobStatus.ERROR, model_id, {"error": error.to_wire()})

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Parse a reply. Raises `errors.Malformed`."""
        wire = strict_json.loads(body)
        if not isinstance(wire, dict) or wire.get("status") not in list(JobStatus):
            raise errors.Malformed(None, "a reply is an object with a status")
        if wire["status"] == JobStatus.ERROR and not isinstance(wire.get("error"), dict):
            raise errors.Malformed(None, "a reply that tells of an error says which")
        return cls(JobStatus(wire.pop("status")), wire.pop("model_id", None), wire)
