"""Replies of the consumers."""

import re
from dataclasses import dataclass, field
from typing import Any, Self, cast

from app import errors
from app.protocol import strict_json
from app.protocol.types import JobStatus
from app.protocol.wording import quoted

_HEAD = re.compile(rb'\{"status":"[A-Z_]+","model_id":"[^"\\]+"')  # the order is fixed

ErrorBody = dict[str, Any]  # {"type", "detail", ...}, as `WarrenError.to_wire` returns it
ABSENT: Any = object()  # marks a member that a reply lacks, because None becomes null


@dataclass(frozen=True)
class Reply:
    """`{"status", "model_id"}`: a job was received, or it waits for its next attempt."""

    status: JobStatus
    model_id: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the body as a dict; the order of its keys is part of the protocol."""
        return {"status": self.status, "model_id": self.model_id}

    def encode(self) -> bytes:
        """Return the body as JSON. Raises `ValueError` for NaN and Infinity."""
        return strict_json.dumps(self.to_wire())


@dataclass(frozen=True, kw_only=True)
class TrainCompleted(Reply):
    """`{"status", "model_id", "metrics"}`: the model is published."""

    status: JobStatus = field(default=JobStatus.COMPLETED, init=False)
    metrics: dict[str, float]

    def to_wire(self) -> dict[str, Any]:
        """Return the body as a dict."""
        return {**super().to_wire(), "metrics": self.metrics}


@dataclass(frozen=True, kw_only=True)
class Predicted(Reply):
    """`{"status", "model_id", "prediction", "pred_proba"}`, lists for a list of rows or images.

    A remote model may leave out `pred_proba`. An uploaded one may add `outputs`: further outputs of
    its graph by name.
    """

    status: JobStatus = field(default=JobStatus.COMPLETED, init=False)
    prediction: Any
    pred_proba: Any = ABSENT
    outputs: Any = ABSENT

    def members(self) -> dict[str, Any]:
        """Return what the model answered."""
        answered = {"prediction": self.prediction}
        if self.pred_proba is not ABSENT:
            answered["pred_proba"] = self.pred_proba
        if self.outputs is not ABSENT:
            answered["outputs"] = self.outputs
        return answered

    def to_wire(self) -> dict[str, Any]:
        """Return the body as a dict."""
        return {**super().to_wire(), **self.members()}


@dataclass(frozen=True, kw_only=True)
class Cancelled(Reply):
    """`{"status", "model_id", "error"}`: the job was cancelled.

    `error` is the error of an earlier failed attempt. It is left out if no attempt failed.
    """

    status: JobStatus = field(default=JobStatus.CANCELLED, init=False)
    error: ErrorBody | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the body as a dict."""
        return {**super().to_wire(), **({"error": self.error} if self.error else {})}


@dataclass(frozen=True, kw_only=True)
class Failed(Reply):
    """`{"status", "model_id", "error"}`: the request or the job failed."""

    status: JobStatus = field(default=JobStatus.ERROR, init=False)
    error: ErrorBody

    @classmethod
    def of(cls, error: errors.WarrenError, model_id: str | None = None) -> Self:
        """Return the reply about an error."""
        return cls(model_id, error=error.to_wire())

    def to_wire(self) -> dict[str, Any]:
        """Return the body as a dict."""
        return {**super().to_wire(), "error": self.error}


def with_model(reply: bytes, model: str | None) -> bytes:
    """Return an encoded reply with the member `model`, behind `model_id`: `name:version`."""
    if model is None or not (head := _HEAD.match(reply)):
        return reply
    end = head.end()
    return reply[:end] + b',"model":"' + model.encode() + b'"' + reply[end:]


def parse_reply(body: bytes) -> Reply:
    """Parse a reply strictly. Raises `errors.Malformed`.

    Callers do not parse a success that they only pass on, because its body may be megabytes.
    """
    wire = strict_json.loads(body)
    if not isinstance(wire, dict) or wire.get("status") not in list(JobStatus):
        raise errors.Malformed(None, "a reply is an object with a status")
    status, model_id = JobStatus(wire["status"]), wire.get("model_id")
    if model_id is not None and not isinstance(model_id, str):
        raise errors.Malformed(None, "the model_id of a reply is a string or null")
    match status:
        case JobStatus.COMPLETED if "prediction" in wire:
            return Predicted(
                model_id,
                prediction=wire["prediction"],
                pred_proba=wire.get("pred_proba", ABSENT),
                outputs=wire.get("outputs", ABSENT),
            )
        case JobStatus.COMPLETED:
            return TrainCompleted(model_id, metrics=_object(wire, "metrics"))
        case JobStatus.CANCELLED:
            error = _object(wire, "error") if "error" in wire else None
            return Cancelled(model_id, error=error)
        case JobStatus.ERROR:
            return Failed(model_id, error=_object(wire, "error"))
    return Reply(status, model_id)


def _object(wire: dict[str, Any], name: str) -> dict[str, Any]:
    if not isinstance(wire.get(name), dict):
        raise errors.Malformed(
            None, f"a reply of status {wire['status']} has an object {quoted(name)}"
        )
    return cast(dict[str, Any], wire[name])
