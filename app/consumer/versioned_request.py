"""A request whose model was asked for by a name: its answer also tells the version."""

from dataclasses import dataclass

from app.amqp.message import IncomingMessage, Replyable
from app.protocol.replies import Failed, Reply, with_model


@dataclass(frozen=True)
class _Versioned(Reply):
    """A reply with the member `model`."""

    answer: Reply | None = None
    model: str | None = None

    def encode(self) -> bytes:
        """Return the JSON of the answer, with the member."""
        assert self.answer is not None
        return with_model(self.answer.encode(), self.model)


class VersionedRequest:
    """A request that tells in its answer which `model`, `name:version`, has answered."""

    def __init__(self, request: Replyable) -> None:
        """Create the request; whoever finds out the version sets `model`."""
        self.body = request.body
        self.model: str | None = None
        self._request = request

    @property
    def message(self) -> IncomingMessage:
        """The message that holds the request."""
        return self._request.message

    def reply(self, reply: Reply) -> None:
        """Send a reply if the sender asked for one."""
        self._request.reply(versioned(reply, self.model))

    def reject(self) -> None:
        """Send the message to the dead-letter queue."""
        self._request.reject()


def versioned(reply: Reply, model: str | None) -> Reply:
    """Return a reply that tells the `model`, unless it is an error or the model has no name."""
    if model is None or isinstance(reply, Failed):
        return reply
    return _Versioned(reply.status, reply.model_id, reply, model)
