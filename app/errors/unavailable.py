"""Errors of what is missing now: a server, a process, room. The same may succeed later."""

from app.errors.base import WarrenError


class Unavailable(WarrenError):
    """A dependency is unavailable; the same request may succeed later."""

    type = "unavailable"


class ChildKilled(Unavailable):
    """The process that fitted the model was killed."""

    type = "child_killed"


class ChildLost(ChildKilled):
    """The process that fitted the model was killed, and not for what it did."""

    type = "child_lost"


class ModelLost(Unavailable):
    """The process that answered for the model ended; another one answers the next request."""

    type = "model_lost"


class ModelKilled(ModelLost):
    """The same by a signal from outside, as where memory ends; the model is not at fault."""


class ConsumerLost(Unavailable):
    """The consumer that ran the job was lost."""

    type = "consumer_lost"


class Overloaded(Unavailable):
    """Too many requests arrive at a time; ask again in a moment."""

    type = "overloaded"


class MemoryTaken(Overloaded):
    """Other models take the memory of the consumer."""


class BrokerUnavailable(Unavailable):
    """RabbitMQ cannot be reached."""

    type = "broker_unavailable"


class Unroutable(BrokerUnavailable):
    """The queue does not exist: no consumer has declared it yet."""

    type = "unroutable"


class StorageUnavailable(Unavailable):
    """S3 cannot be reached."""

    type = "storage_unavailable"


class StorageFull(Unavailable):
    """There is no room to store more; the same request may succeed when something was deleted."""

    type = "storage_full"


class EndpointUnavailable(Unavailable):
    """A remote model cannot be reached, or is too busy.

    It has not begun to work on the request, unless `may_have_begun` is set.
    """

    type = "endpoint_unavailable"


class DatabaseUnavailable(Unavailable):
    """The job table cannot be reached."""

    type = "database_unavailable"
