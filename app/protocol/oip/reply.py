"""Replies to inference requests, between consumers and producers."""

import base64
from dataclasses import dataclass, field

from app import errors
from app.protocol import strict_json
from app.protocol.label_keys import Label
from app.protocol.oip.outputs import chosen, outputs_of
from app.protocol.oip.rows import InferPrediction
from app.protocol.replies import Failed, Predicted, Reply
from app.protocol.types import JobStatus

_STATUS = JobStatus.COMPLETED.encode()


@dataclass(frozen=True, kw_only=True)
class Inferred(Reply):
    """`{"status", "model_id", "raw"?, "infer"}`; `oip.message.answer_of` reads it.

    `infer` is the JSON of the protocol without the model's name, and `raw` the bytes behind it.
    """

    status: JobStatus = field(default=JobStatus.COMPLETED, init=False)
    infer: bytes
    raw: bytes | None

    def encode(self) -> bytes:
        """Return the body as JSON."""
        name = strict_json.encode(self.model_id).encode()
        raw = b"" if self.raw is None else b',"raw":"%s"' % base64.b64encode(self.raw)
        return b'{"status":"%s","model_id":%s%s,"infer":%s}' % (_STATUS, name, raw, self.infer)


def infer_reply(
    request: InferPrediction, reply: Reply, labels: list[Label] | None = None
) -> Inferred | Reply:
    """Return the reply to an inference request, of a prediction or of its error.

    `labels` are those of a classifier whose labels are known.
    """
    if not isinstance(reply, Predicted):
        return reply
    infer = request.infer
    try:
        outputs = chosen(outputs_of(reply.members(), labels), infer.outputs)
    except errors.Invalid as error:
        return Failed.of(error, reply.model_id)
    encoded = [each.encode(binary=infer.is_binary(each.name)) for each in outputs]
    header = b'"outputs":[%s]}' % b",".join(each for each, _ in encoded)
    if infer.id is not None:
        header = b'"id":%s,%s' % (strict_json.encode(infer.id).encode(), header)
    is_binary = any(infer.is_binary(each.name) for each in outputs)
    raw = b"".join(each for _, each in encoded) if is_binary else None
    return Inferred(reply.model_id, infer=b"{" + header, raw=raw)
