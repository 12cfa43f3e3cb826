"""The errors of Warren, one tree. `type` is the name of an error on the wire and in the table."""

from app.errors.base import FieldError as FieldError
from app.errors.base import WarrenError as WarrenError
from app.errors.base import escaped as escaped
from app.errors.unavailable import BrokerUnavailable as BrokerUnavailable
from app.errors.unavailable import ChildKilled as ChildKilled
from app.errors.unavailable import ChildLost as ChildLost
from app.errors.unavailable import ConsumerLost as ConsumerLost
from app.errors.unavailable import DatabaseUnavailable as DatabaseUnavailable
from app.errors.unavailable import EndpointUnavailable as EndpointUnavailable
from app.errors.unavailable import MemoryTaken as MemoryTaken
from app.errors.unavailable import ModelKilled as ModelKilled
from app.errors.unavailable import ModelLost as ModelLost
from app.errors.unavailable import Overloaded as Overloaded
from app.errors.unavailable import StorageFull as StorageFull
from app.errors.unavailable import StorageUnavailable as StorageUnavailable
from app.errors.unavailable import Unavailable as Unavailable
from app.errors.unavailable import Unroutable as Unroutable


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


class EndpointFailed(WarrenError):
    """A remote model gave no usable answer, but it may have carried out the call."""

    type = "endpoint_failed"


class EndpointLost(EndpointFailed):
    """The connection to a remote model ended before the answer was complete."""

    type = "endpoint_lost"


class DeadlineExceeded(WarrenError):
    """No answer came before the deadline."""

    type = "deadline_exceeded"
