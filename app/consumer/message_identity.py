"""The identity of a message: that of its user, which the broker has checked."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

from app import errors
from app.amqp.message import IncomingMessage, reject_with_error
from app.amqp.permissions import owner_of_client
from app.amqp.topology import INVOKE_QUEUE, PREDICT_QUEUE, REQUEST_EXCHANGE, TRAIN_QUEUE
from app.auth.actor import Actor
from app.auth.amqp_owners import CLIENT_SCOPES
from app.auth.identity import ANYONE, DEFAULT_OWNER, Identity, Scope
from app.auth.shown_names import shown_answer

# The other queues need none, because their messages only repeat the id of an accepted job.
_SCOPES = {
    TRAIN_QUEUE: Scope.TRAIN,
    PREDICT_QUEUE: Scope.PREDICT,
    INVOKE_QUEUE: Scope.PREDICT,
}


def identity_of_message(message: IncomingMessage) -> Identity:
    """Return the identity that `Senders` has found; before that, the identity of anyone."""
    identity: Identity = message.identity or ANYONE
    return identity


def actor_of(message: IncomingMessage) -> Actor:
    """Return who sent a message, as the audit log names them."""
    name = f"user {message.user_id}" if message.user_id else "anyone"
    known = message.correlation_id
    request = known if isinstance(known, str) else None  # bytes are not text
    return Actor(name, identity_of_message(message).owner, None, request)


def show_names(message: IncomingMessage, owner: str) -> None:
    """Let the replies to a message name things as `owner` does, to whom they go."""
    if owner != DEFAULT_OWNER:
        message.shown = partial(shown_answer, owner)


def is_of_service(message: IncomingMessage) -> bool:
    """Tell whether a producer or consumer sent a message, so that its names are qualified ones."""
    return message.resend_as is not None


@dataclass(frozen=True)
class Senders:
    """The users who send messages.

    `login` is the user of this process. It and the `services` are those of producers and consumers.
    `owners` has the identities of the other users, besides `wrn-client-` and an owner's name.
    """

    login: str
    services: Collection[str] = ()
    owners: Mapping[str, Identity] = field(default_factory=dict)

    def are_services(self, message: IncomingMessage) -> bool:
        """Tell whether a producer or consumer sent a message."""
        user = message.user_id
        return message.exchange != REQUEST_EXCHANGE and (
            user == self.login or user in self.services
        )

    def admit(self, message: IncomingMessage) -> bool:
        """Find a message's identity; reply with the error and reject it if it lacks the scope."""
        try:
            self._identify(message)
            scope = _SCOPES.get(message.queue)
            if scope and scope not in identity_of_message(message).scopes:
                detail = f"user {message.user_id} lacks the scope {scope}, which {message.queue}"
                raise errors.Forbidden(f"{detail} needs", scope=scope)
        except errors.Forbidden as error:
            reject_with_error(message, error)
            return False
        return True

    def _identify(self, message: IncomingMessage) -> None:
        """Set the identity. Raises `errors.Forbidden` for a client without an owner.

        Whoever may write the default exchange keeps the plain contract: without a user, or with
        one that is not known here, it acts for the owner `default`.
        """
        user, is_client = message.user_id, message.exchange == REQUEST_EXCHANGE
        if user is None:
            if is_client:
                detail = f"{REQUEST_EXCHANGE} takes no message without the property user_id"
                raise errors.Forbidden(f"{detail}: set it to the name of your user")
        elif self.are_services(message):
            message.resend_as = self.login
        elif identity := self._identity(user):
            message.identity = identity
            show_names(message, identity.owner)
        elif is_client:
            raise errors.Forbidden(f"user {user} has no owner: AMQP_OWNERS names it")

    def _identity(self, user: str) -> Identity | None:
        if user in self.owners:
            return self.owners[user]
        owner = owner_of_client(user)
        return Identity(owner, CLIENT_SCOPES) if owner else None
