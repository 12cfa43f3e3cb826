"""Bodies of the Open Inference Protocol v2, as OpenAPI describes them."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from app.producer.schemas.whole_schema import whole_schema
from app.protocol.oip.body import InferBody
from app.protocol.oip.message import BINARY_MEDIA_TYPE, HEADER_LENGTH
from app.protocol.types import JSON_MEDIA_TYPE

_BYTES: JsonDict = {"schema": {"type": "string", "format": "binary"}}


class ProtocolError(BaseModel):
    """What was wrong."""

    error: str


class ServerLive(BaseModel):
    """Whether the server can be asked."""

    live: bool


class ServerMetadata(BaseModel):
    """The server, and the extensions of the protocol that it has."""

    name: str
    version: str
    extensions: list[str]


class ModelReady(BaseModel):
    """Whether a model can be asked."""

    model_config = ConfigDict(protected_namespaces=())

    name: str
    ready: bool


class TensorMetadata(BaseModel):
    """A tensor; -1 in its shape is the number of rows. `parameters` has the labels of classes."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] | None = None


class ModelMetadata(BaseModel):
    """What a model takes and answers.

    A remote model that was registered without a sample has no `inputs`, and the `outputs` of a
    remote model are not known before it is asked. A model that is asked for by its name has the
    newest 100 `versions` of it.
    """

    name: str
    versions: list[str] | None = None
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ResponseTensor(BaseModel):
    """An output; `data` is missing if its bytes stand behind the JSON."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class InferResponse(BaseModel):
    """The outputs of a model; `id` is that of the request.

    `model_version` is there if a name was asked for.
    """

    model_config = ConfigDict(protected_namespaces=())

    model_name: str
    model_version: str | None = None
    id: str | None = None
    outputs: list[ResponseTensor]


class IndexedModel(BaseModel):
    """A model that can be asked."""

    name: str
    state: str
    reason: str


INFER_BODY: JsonDict = {
    "requestBody": {
        "required": True,
        "content": {
            JSON_MEDIA_TYPE: {"schema": whole_schema(InferBody)},
            BINARY_MEDIA_TYPE: _BYTES,
        },
    }
}
INFER_HEADER: JsonDict = {
    "name": HEADER_LENGTH,
    "in": "header",
    "schema": {"type": "integer", "examples": [1000]},
    "description": "The bytes of the JSON, if the bytes of tensors follow it.",
}
INFER_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The outputs, as JSON or as JSON and the bytes of tensors",
        "content": {BINARY_MEDIA_TYPE: _BYTES},
    }
}
