"""Messages to publish, independent of the client library."""

from dataclasses import dataclass
from typing import Any

from app.protocol.oip.message import BINARY_MEDIA_TYPE, HEADER_LENGTH, OIP_MEDIA_TYPE, answer_of
from app.protocol.types import JSON_MEDIA_TYPE, JobStatus


@dataclass(slots=True)
class OutgoingMessage:
    """A message to publish to a queue, by the default exchange or one that it is bound to."""

    queue: str
    body: bytes
    correlation_id: str | None
    content_type: str | None = JSON_MEDIA_TYPE
    status: JobStatus | None = None
    reply_to: str | None = None
    message_id: str | None = None
    expiration: str | None = None
    content_encoding: str | None = None
    exchange: str = ""
    traceparent: str | None = None
    user_id: str | None = None  # replies have none, so that nobody takes one for a request
    headers: dict[str, Any] | None = None

    def become_infer_answer(self) -> None:
        """Turn a reply into one of the Open Inference Protocol, for a client that speaks it."""
        self.body, header_length = answer_of(self.body)
        is_json = header_length is None
        self.content_type = OIP_MEDIA_TYPE if is_json else BINARY_MEDIA_TYPE
        self.headers = None if is_json else {HEADER_LENGTH: header_length}
