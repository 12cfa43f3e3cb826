"""The properties and headers of messages, as `docs/amqp.md` describes them.

AsyncAPI has one object for both: `$message.header#/replyTo` is the property `reply_to`.
"""

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

Text = str | SkipJsonSchema[None]  # a property that is absent is not null


class _Properties(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class _Asking(_Properties):
    """The properties of every request."""

    reply_to: Text = Field(
        None,
        description="Property `reply_to`: where replies go, a queue or `amq.rabbitmq.reply-to`. "
        "Without it there is no reply.",
    )
    correlation_id: Text = Field(
        None, description="Property `correlation_id`: replies return it unchanged."
    )
    user_id: Text = Field(
        None,
        description="Property `user_id`: the user of the connection, for whom the message acts. "
        "Messages through `exchange.model.requests` have to have it.",
    )
    content_encoding: Text = Field(
        None,
        description="Property `content_encoding`: how the body is encoded, such as `gzip`. "
        "Without it, the body is in UTF-8.",
    )
    compression: Text = Field(
        None, description="Header `compression`: how kombu compressed the body."
    )
    traceparent: Text = Field(
        None, description="Header `traceparent`: the span of the sender (W3C Trace Context)."
    )


class Training(_Asking):
    """The properties and headers of a training."""

    message_id: Text = Field(
        None,
        description="Property `message_id`: with it, a message that is published twice is one job.",
    )


class Prediction(_Asking):
    """The properties and headers of a prediction."""

    expiration: Text = Field(
        None,
        pattern=r"^\d+$",
        description="Property `expiration`: the milliseconds that the client waits. The message "
        "is dropped after that.",
    )


class Inference(Prediction):
    """The properties and headers of a request of the Open Inference Protocol."""

    model_id: str = Field(
        alias="model_id",
        description="Header `model_id`: the model, or `latest`, as in a prediction.",
    )


class Replying(_Properties):
    """The properties of a reply."""

    correlation_id: Text = Field(
        None, description="Property `correlation_id`: that of the request."
    )
    type: Text = Field(None, description="Property `type`: the status; JSON lines have none.")
