"""A handler that gets only the messages whose senders may send them."""

from app.amqp.message import IncomingMessage
from app.auth.names import SEPARATOR
from app.consumer.handlers import Deferred, Handler
from app.consumer.message_identity import Senders

_SEPARATOR = SEPARATOR.encode()


class AdmittedHandler:
    """Passes to a handler the messages that `senders` admits; the others have got their reply."""

    def __init__(self, handler: Handler, senders: Senders) -> None:
        """Create the handler, which has the queue of the other one."""
        self.queue = handler.queue
        self.prefetch = handler.prefetch
        self._handler = handler
        self._senders = senders

    def is_fast(self, message: IncomingMessage) -> bool:
        """Tell whether a message is fast; a client's name of another owner has to be looked up."""
        if _SEPARATOR in message.body and not self._senders.are_services(message):
            return False
        return self._handler.is_fast(message)

    def __call__(self, messages: list[IncomingMessage]) -> list[Deferred] | None:
        """Handle the messages that are admitted."""
        admitted = [each for each in messages if self._senders.admit(each)]
        return self._handler(admitted) if admitted else None
