"""The JSON Schemas of messages, from the classes by which programs read and write them."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from app import errors
from app.producer.asyncapi import properties
from app.producer.schemas.oip import InferResponse, ProtocolError
from app.protocol.oip.body import InferBody
from app.protocol.replies import Cancelled, Failed, Predicted, Reply, TrainCompleted
from app.protocol.requests import PredictRequest
from app.protocol.training_request import TrainRequest
from app.protocol.types import JobStatus
from app.protocol.wire_errors import ERRORS

RECEIVED, ERROR, LINES = "Received", "Error", "Lines"
_TEMPLATE = "#/components/schemas/{model}"
_REQUESTS = (TrainRequest, PredictRequest, InferBody)
_ANSWERS = (InferResponse, ProtocolError)  # of the Open Inference Protocol
_REPLIES = (TrainCompleted, Predicted, Failed, Cancelled)
_PROPERTIES = (
    properties.Training,
    properties.Prediction,
    properties.Inference,
    properties.Replying,
)
# The types of errors about connections, hosts and pages, which only HTTP has.
_OF_HTTP = (
    errors.Unauthenticated,
    errors.RateLimited,
    errors.Misdirected,
    errors.ForeignOrigin,
)


class _Schemas(GenerateJsonSchema):
    """Leaves out titles that only repeat a name, and defaults that no JSON can tell."""

    ignored_warning_kinds = GenerateJsonSchema.ignored_warning_kinds | {"non-serializable-default"}

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  pydantic's method
        """Tell that no field has a title."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> dict[str, Any]:
        """Return the schema of a field; without the default null, which is to leave it out."""
        found = super().default_schema(schema)
        if found.get("default", ...) is None:
            del found["default"]
        return found


def reference(name: str) -> dict[str, str]:
    """Return the reference to a schema of the document."""
    return {"$ref": _TEMPLATE.format(model=name)}


def schemas() -> dict[str, Any]:
    """Return the schemas by name: of requests, replies, their properties, and what they hold."""
    kinds = (*_REQUESTS, Reply, *_REPLIES, *_ANSWERS, *_PROPERTIES)
    asked = [(kind, "validation", TypeAdapter(kind)) for kind in kinds]
    _, found = TypeAdapter.json_schemas(
        asked,  # type: ignore[arg-type]  # each adapter is of another type
        ref_template=_TEMPLATE,
        schema_generator=_Schemas,
    )
    made: dict[str, Any] = found["$defs"]
    made[RECEIVED] = _reply({**made.pop(Reply.__name__), "title": RECEIVED}, JobStatus.RECEIVED)
    for kind in _REPLIES:
        statuses: list[Any] = [each.default for each in fields(kind) if not each.init]
        made[kind.__name__] = _reply(made[kind.__name__], *statuses)
    del made[JobStatus.__name__]  # each reply has one of them
    for each in (Failed, Cancelled):
        made[each.__name__]["properties"]["error"] = reference(ERROR)
    made[ERROR] = _error()
    made[LINES] = {
        "title": LINES,
        "type": "string",
        "description": "JSON lines (NDJSON): a JSON value in each line.",
    }
    return dict(sorted(made.items()))


def _reply(schema: dict[str, Any], status: JobStatus) -> dict[str, Any]:
    """Return the schema of a reply that has always the same status."""
    members = {"status": None, **schema["properties"]} | {"status": {"const": status.value}}
    always = {"status": None, "model_id": None} | dict.fromkeys(schema.get("required", ()))
    return {**schema, "properties": members, "required": list(always)}


def _error() -> dict[str, Any]:
    known = [
        {"const": name, "description": str(kind.__doc__).partition("\n")[0]}
        for name, kind in _types()
    ]
    return {
        "title": ERROR,
        "type": "object",
        "description": "What went wrong. Further members depend on the type.",
        "properties": {
            "type": {"type": "string", "oneOf": known},
            "detail": {"type": "string", "description": "A sentence for a person."},
            "field": {"type": "string", "description": "The part of the request at fault."},
        },
        "required": ["type", "detail"],
    }


def _types() -> Iterator[tuple[str, type[errors.WarrenError]]]:
    for name, kind in ERRORS.items():
        if kind not in _OF_HTTP:
            yield name, kind
