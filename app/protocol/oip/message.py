"""How inference requests and their answers travel in messages.

Between producers and consumers both are JSON, so that a line of a message may hold one: the bytes
behind the protocol's JSON are base64 there. The messages of other clients are the protocol's own
bodies, and their headers name the model and the length of the JSON.
"""

import base64
import binascii
import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from app import errors
from app.protocol import strict_json
from app.protocol.oip.forms import check_infer, parse_infer
from app.protocol.oip.request import InferRequest
from app.protocol.oip.rows import InferPrediction, located, to_prediction
from app.protocol.prediction_fields import AskedModel
from app.protocol.replies import Failed, parse_reply
from app.protocol.requests import RequestBody
from app.protocol.types import BINARY_MEDIA_TYPE as BINARY_MEDIA_TYPE
from app.protocol.types import JSON_MEDIA_TYPE
from app.protocol.validation import validate
from app.protocol.wire_errors import error_from_wire
from app.protocol.wording import quoted

OIP_MEDIA_TYPE = "application/vnd.oip+json"
HEADER_LENGTH = "Inference-Header-Content-Length"
MODEL_ID = "model_id"

# How a request between producers and consumers begins; the protocol's JSON and a bracket follow.
_WRAPPED = re.compile(rb'\{"model_id":"([!#-\[\]-~]+)",(?:"raw":"([A-Za-z0-9+/=]*)",)?"infer":')
# A reply between them; what the protocol calls the model is its name here.
_REPLY = re.compile(
    rb'\{"status":"TASK_COMPLETED","model_id":"([^"\\]+)"'
    rb'(?:,"model":"([^"\\]+):([0-9]+)")?(?:,"raw":"([^"]*)")?,"infer":\{'
)


class Asked(RequestBody):
    """The model of an inference request."""

    model_id: AskedModel


class Answer(NamedTuple):
    """A body of the protocol, and the bytes of its JSON if others follow."""

    body: bytes
    header_length: int | None

    @property
    def media_type(self) -> str:
        """Return the media type of the body."""
        return JSON_MEDIA_TYPE if self.header_length is None else BINARY_MEDIA_TYPE


@dataclass(frozen=True)
class InferHead:
    """What the properties of a message of the protocol say, as any client may write them."""

    content_type: str
    model_id: object
    header_length: object

    def headers(self) -> dict[str, Any]:
        """Return the headers of the message, without values that are never right."""
        named = {MODEL_ID: self.model_id, HEADER_LENGTH: self.header_length}
        return {name: value for name, value in named.items() if isinstance(value, str | int)}


def infer_head(content_type: str, headers: Mapping[str, Any] | None) -> InferHead | None:
    """Return the head of a message of the protocol, None for a message that is none."""
    named = {str(name).lower(): value for name, value in (headers or {}).items()}
    length = named.get(HEADER_LENGTH.lower())
    if content_type == OIP_MEDIA_TYPE or (content_type == BINARY_MEDIA_TYPE and length is not None):
        return InferHead(content_type, named.get(MODEL_ID), length)
    return None


def split_body(body: bytes, header_length: object) -> tuple[bytes, memoryview]:
    """Return the JSON of a body and the bytes behind it. Raises `errors.Invalid`."""
    if header_length is None:
        return body, memoryview(b"")
    written = str(header_length)
    length = int(written) if written.isascii() and written.isdecimal() and len(written) < 10 else -1
    if not 0 <= length <= len(body):
        said = f"must be a number of bytes, at most the {len(body)} of the body"
        raise errors.Invalid(HEADER_LENGTH, f"{said}, not {quoted(written)}")
    return body[:length], memoryview(body)[length:]


def parse_body(body: bytes, header_length: object) -> InferRequest:
    """Parse a body of the protocol. Raises `errors.Invalid`, `Malformed` or `TooLarge`."""
    return parse_infer(*split_body(body, header_length))


def check_body(body: bytes, header_length: object) -> int:
    """Return the rows of a body that `parse_body` accepts. Raises as that does."""
    return check_infer(*split_body(body, header_length))


def parse_message(body: bytes, head: InferHead) -> InferPrediction:
    """Parse a client's message. Raises `errors.Invalid`, `Malformed` or `TooLarge`."""
    if head.model_id is None:
        raise errors.Invalid(MODEL_ID, "this header is missing; it names the model")
    asked = validate(Asked, {MODEL_ID: head.model_id})
    return to_prediction(parse_body(body, head.header_length), asked.model_id)


def wrap(body: bytes, header_length: object, model_id: str) -> bytes:
    """Return the message of a body that `check_body` accepts."""
    header, raw = split_body(body, header_length)
    parts = [b'{"model_id":"', model_id.encode(), b'",']
    if header_length is not None:
        parts += [b'"raw":"', base64.b64encode(raw), b'",']
    return b"".join((*parts, b'"infer":', header.removeprefix(codecs.BOM_UTF8), b"}"))


def is_wrapped(message: bytes) -> bool:
    """Tell whether a message looks like one of `wrap`."""
    return message.endswith(b"}") and _WRAPPED.match(message) is not None


def unwrap(message: bytes) -> InferPrediction | None:
    """Parse what `wrap` returned; return None for a message that does not look like that.

    Raises `errors.Invalid`, `Malformed` or `TooLarge`, because other clients may write the like.
    """
    if not (head := _WRAPPED.match(message)) or not message.endswith(b"}"):
        return None
    model_id, raw = head.groups(b"")
    try:
        behind = base64.b64decode(raw) if raw else b""
    except binascii.Error:
        raise errors.Invalid("raw", "must be base64") from None
    infer = parse_infer(message[head.end() : -1], behind)
    return to_prediction(infer, _asked_model(model_id))


@lru_cache(1024)  # a message names the same one again and again
def _asked_model(model_id: bytes) -> str:
    return validate(Asked, {MODEL_ID: model_id.decode()}).model_id


def answer_of(reply: bytes) -> Answer:
    """Return the body of the protocol for a consumer's reply, which may be an error."""
    if head := _REPLY.match(reply):
        model_id, name, version, raw = head.groups()
        model = b'"model_name":"%s"' % (name or model_id)
        if version:
            model += b',"model_version":"%s"' % version
        body = b"{%s,%s" % (model, reply[head.end() : -1])
        if raw is None:
            return Answer(body, None)
        return Answer(body + base64.b64decode(raw), len(body))
    found = parse_reply(reply)
    error = error_from_wire(found.error) if isinstance(found, Failed) else errors.WarrenError()
    if isinstance(error, errors.FieldError):
        error = located(error)
    return Answer(strict_json.dumps({"error": error.detail}), None)
