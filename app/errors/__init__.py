"""The errors of Warren, one tree. `type` is the name of an error on the wire and in the table."""

from app.errors.base import FieldError as FieldError
from app.errors.base import WarrenError as WarrenError
from app.errors.base import escaped as escaped


class Invalid(FieldError):
    """The request is invalid; repeating it does not help."""

    type = "invalid"


class Malformed(Invalid):
    """The body is not valid JSON (RFC 8259), or its compressed data are damaged."""

    type = "malformed"


class Unsupported(Invalid):
    """The body has a form that is not read here: its media type, its charset or its encoding."""

    type = "unsupported"


class BadData(Invalid):
    """The data set does not fit the training request."""

    type = "bad_data"


class WrongQueue(Invalid):
    """Another queue serves the model: `queue` is its name, `seconds` the model's time limit."""

    type = "elsewhere"


class Unauthenticated(WarrenError):
    """The request has no valid key."""

    type = "unauthenticated"


class Forbidden(WarrenError):
    """The sender may not do this: it lacks a scope, or it is not known for whom it acts."""

    type = "forbidden"


class NotFound(FieldError):
    """There is no such thing."""

    type = "not_found"


class Gone(NotFound):
    """There was such a thing, it was deleted, and its id is never used again."""

    type = "gone"


class NotReady(FieldError):
    """The model exists but cannot answer: it is still in training, or its training failed."""

    type = "not_ready"


class TooLarge(FieldError):
    """The body exceeds the limit."""

    type = "too_large"


class FitFailed(WarrenError):
    """scikit-learn cannot carry out the request."""

    type = "fit_failed"


class FitOutOfMemory(WarrenError):
    """The fit needed more memory than allowed."""

    type = "out_of_memory"


class FitTimeout(WarrenError):
    """The fit took longer than allowed."""

    type = "out_of_time"


class ModelOutOfMemory(WarrenError):
    """The model needed more memory than allowed."""

    type = "model_out_of_memory"


class ModelQuarantined(WarrenError):
    """The model ended its process too often and is not run any more."""

    type = "quarantined"


class RateLimited(WarrenError):
    """The caller asks too often; `retry_after` is in how many seconds it may ask again."""

    type = "rate_limited"


class QuotaExceeded(WarrenError):
    """The caller has as much as it may have: of jobs, streams or bytes."""

    type = "quota_exceeded"


class Fenced(WarrenError):
    """The attempt no longer has the job: it was cancelled, or another attempt has begun."""

    type = "fenced"


class JobEnded(WarrenError):
    """The job has ended and cannot change any more."""

    type = "ended"


class Conflict(FieldError):
    """The request conflicts with something that exists."""

    type = "conflict"


class ShuttingDown(WarrenError):
    """The fit was stopped because its consumer is shutting down; another one may run it."""

    type = "interrupted"


class Misdirected(WarrenError):
    """The request is for a host that is not this server."""

    type = "misdirected"


class ForeignOrigin(WarrenError):
    """A page of an origin that is not allowed sent the call."""

    type = "foreign_origin"


class Corrupt(WarrenError):
    """The stored model differs from the published one."""

    type = "corrupt"


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


class EndpointFailed(WarrenError):
    """A remote model gave no usable answer, but it may have carried out the call."""

    type = "endpoint_failed"


class EndpointLost(EndpointFailed):
    """The connection to a remote model ended before the answer was complete."""

    type = "endpoint_lost"


class DatabaseUnavailable(Unavailable):
    """The job table cannot be reached."""

    type = "database_unavailable"


class DeadlineExceeded(WarrenError):
    """No answer came before the deadline."""

    type = "deadline_exceeded"
