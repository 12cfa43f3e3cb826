"""Requests and replies as messages of the document, with examples that run."""

from dataclasses import dataclass, field
from typing import Any

from app import errors
from app.amqp.topology import INVOKE_QUEUE, PREDICT_QUEUE, TRAIN_QUEUE
from app.producer.asyncapi.properties import Inference, Prediction, Replying, Training
from app.producer.asyncapi.schemas import LINES, RECEIVED, reference
from app.producer.schemas.oip import InferResponse, ProtocolError
from app.producer.schemas.requests import PREDICT_EXAMPLE
from app.protocol import replies, strict_json
from app.protocol.examples import REMOTE_MODEL_ID, ROW, TRAIN_EXAMPLE
from app.protocol.oip.body import InferBody
from app.protocol.oip.message import OIP_MEDIA_TYPE
from app.protocol.requests import PredictRequest
from app.protocol.training_request import TrainRequest
from app.protocol.types import JSON_MEDIA_TYPE, LATEST, NDJSON_MEDIA_TYPE, JobStatus

BINDING = {"bindingVersion": "0.3.0"}  # the newest that the schema of AsyncAPI 3.1.0 knows
_CORRELATION_ID = "3f1c2a60-7a5e-4c3b-9d51-6a0e3f0e9b11"


@dataclass(frozen=True, eq=False)
class Message:
    """A message: the names of its schemas, and an example of its body for each name.

    `headers` are those that its examples need.
    """

    name: str
    summary: str
    payload: str
    properties: str
    examples: dict[str, Any]
    content_type: str = JSON_MEDIA_TYPE
    status: JobStatus | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """Return the Message Object."""
        return {
            "name": self.name,
            "summary": self.summary,
            "contentType": self.content_type,
            "headers": reference(self.properties),
            "correlationId": {"location": "$message.header#/correlationId"},
            "payload": reference(self.payload),
            "examples": [
                {
                    "name": name,
                    "headers": {"correlationId": _CORRELATION_ID, **self.headers},
                    "payload": body,
                }
                for name, body in self.examples.items()
            ],
            "bindings": {
                "amqp": ({"messageType": self.status.value} if self.status else {}) | BINDING
            },
        }


@dataclass(frozen=True)
class Request:
    """What a queue takes, and the replies to it."""

    name: str
    title: str
    summary: str
    messages: tuple[Message, ...]
    replies: tuple[Message, ...]
    durable: bool  # published as persistent and mandatory, because it is a job

    @property
    def bindings(self) -> dict[str, Any]:
        """The AMQP binding of its operations."""
        return {"deliveryMode": 2 if self.durable else 1, "mandatory": self.durable} | BINDING


def _lines(*values: Any) -> str:
    return "\n".join(strict_json.encode(each) for each in values)


def _asking(name: str, summary: str, kind: type, properties: type, **more: Any) -> Message:
    return Message(name, summary, kind.__name__, properties.__name__, **more)


def _reply(name: str, summary: str, sent: replies.Reply, payload: str | None = None) -> Message:
    schema = payload or type(sent).__name__
    example = {name: sent.to_wire()}
    return Message(name, summary, schema, Replying.__name__, example, status=sent.status)


def _tensor(name: str, value: float) -> dict[str, Any]:
    return {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}


_MODEL = "dea1f4d61b254b4a9481d38ab356a394"
_ANSWER = replies.Predicted(_MODEL, prediction=208.64, pred_proba=208.64)
_NO_MODEL = errors.NotFound("model_id", "there is no model nobody")
_RECEIVED = replies.Reply(JobStatus.RECEIVED, _MODEL)
_UNKNOWN = {"model_id": "nobody", "input_data": ROW}

RECEIVED_REPLY = _reply("received", "The training has been checked.", _RECEIVED, RECEIVED)
TRAINED_REPLY = _reply(
    "trained",
    "The model is published.",
    replies.TrainCompleted(_MODEL, metrics={"rmse": 53.0, "mae": 43.14, "r2": 0.47}),
)
PREDICTED_REPLY = _reply("predicted", "The model has answered.", _ANSWER)
FAILED_REPLY = _reply(
    "failed", "The request or its job failed.", replies.Failed.of(_NO_MODEL, "nobody")
)
CANCELLED_REPLY = _reply("cancelled", "A client cancelled the job.", replies.Cancelled(_MODEL))
LINES_REPLY = Message(
    "predictedLines",
    "A reply in each line, in the order of the requests.",
    LINES,
    Replying.__name__,
    {"predictedLines": _lines(_ANSWER.to_wire(), _ANSWER.to_wire())},
    NDJSON_MEDIA_TYPE,
)
TRAIN = _asking(
    "train",
    "A training.",
    TrainRequest,
    Training,
    examples={
        "forest": TRAIN_EXAMPLE,
        "unknown data set": {**TRAIN_EXAMPLE, "dataset_id": "nowhere"},
    },
)
PREDICT = _asking(
    "predict",
    "Rows or images for a model that was trained or uploaded.",
    PredictRequest,
    Prediction,
    examples={
        "row": PREDICT_EXAMPLE,
        "rows": {"model_id": LATEST, "input_data": [ROW, ROW]},
        "unknown model": _UNKNOWN,
    },
)
PREDICT_LINES = Message(
    "predictLines",
    "Many predictions, each as `predict` in a line of its own.",
    LINES,
    Prediction.__name__,
    {"lines": _lines(PREDICT_EXAMPLE, PREDICT_EXAMPLE)},
    NDJSON_MEDIA_TYPE,
)
INFER = Message(
    "infer",
    "The same in the Open Inference Protocol v2. The header `model_id` names the model.",
    InferBody.__name__,
    Inference.__name__,
    {
        "tensors": {"id": "7", "inputs": [_tensor(name, value) for name, value in ROW.items()]},
        "one of many features": {"id": "8", "inputs": [_tensor("age", 0.04)]},
    },
    OIP_MEDIA_TYPE,
    headers={"model_id": LATEST},
)
INFERRED_REPLY = Message(
    "inferred",
    "The model has answered in the Open Inference Protocol.",
    InferResponse.__name__,
    Replying.__name__,
    {"inferred": {"model_name": _MODEL, "id": "7", "outputs": [_tensor("prediction", 208.64)]}},
    OIP_MEDIA_TYPE,
    JobStatus.COMPLETED,
)
NOT_INFERRED_REPLY = Message(
    "notInferred",
    "A request of the Open Inference Protocol failed.",
    ProtocolError.__name__,
    Replying.__name__,
    {"notInferred": {"error": _NO_MODEL.detail}},
    OIP_MEDIA_TYPE,
    JobStatus.ERROR,
)
INVOKE = _asking(
    "invoke",
    "Rows or images for a model behind an endpoint.",
    PredictRequest,
    Prediction,
    examples={
        "row": {"model_id": REMOTE_MODEL_ID, "input_data": ROW},
        "unknown model": _UNKNOWN,
    },
)

# By the queue; there is one for each of `PUBLIC_QUEUES`.
REQUESTS = {
    TRAIN_QUEUE: Request(
        "train",
        "Trainings",
        "Train a model. The first reply says that the request has been checked, the second how "
        "the training ended. It is accepted when the broker confirms the message.",
        (TRAIN,),
        (RECEIVED_REPLY, TRAINED_REPLY, FAILED_REPLY, CANCELLED_REPLY),
        durable=True,
    ),
    PREDICT_QUEUE: Request(
        "predict",
        "Predictions",
        "Ask a model that was trained or uploaded. There is one reply.",
        (PREDICT, PREDICT_LINES, INFER),
        (PREDICTED_REPLY, LINES_REPLY, FAILED_REPLY, INFERRED_REPLY, NOT_INFERRED_REPLY),
        durable=False,
    ),
    INVOKE_QUEUE: Request(
        "invoke",
        "Predictions of endpoints",
        "Ask a model behind an endpoint. There is one reply.",
        (INVOKE,),
        (PREDICTED_REPLY, FAILED_REPLY),
        durable=False,
    ),
}
REPLIES = tuple(dict.fromkeys(reply for each in REQUESTS.values() for reply in each.replies))
