"""The errors of the client, one tree. `type` is the name that the server has for an error."""

from collections.abc import Mapping
from typing import Any, ClassVar


class WarrenError(Exception):
    """Something that was asked of Warren failed.

    `detail` says what was wrong and what to do, and `field` names the member of the request that it
    is about. `status` is that of HTTP, and `problem` the server's whole problem document (RFC
    9457); both are None if the server did not answer. `retry_after` are the seconds after which the
    server would be asked again.
    """

    type: ClassVar[str] = "error"

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        problem: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Keep what is known; `detail` is the text of the error."""
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.problem = dict(problem) if problem else None
        self.retry_after = retry_after

    @property
    def field(self) -> str | None:
        """The member of the request that was wrong, if it was one."""
        found = (self.problem or {}).get("field")
        return found if isinstance(found, str) else None


class Misconfigured(WarrenError):
    """The address, the key, the certificate authority or the profile cannot be used."""

    type = "misconfigured"


class Unreachable(WarrenError):
    """No answer came from the server."""

    type = "unreachable"


class UnexpectedAnswer(WarrenError):
    """The answer is not one of Warren."""

    type = "unexpected_answer"


class Unsendable(WarrenError):
    """The data cannot be sent without a loss; nothing was sent."""

    type = "unsendable"


class MissingPackage(WarrenError):
    """A package that this call needs is not installed."""

    type = "missing_package"


class WaitTimeout(WarrenError):
    """The job had not ended in time; it goes on."""

    type = "wait_timeout"


class JobEndedBadly(WarrenError):
    """The job ended without a result; `job` is the job."""

    type = "job_ended_badly"

    def __init__(self, detail: str, job: Any) -> None:
        """Keep the job beside the text."""
        super().__init__(detail, problem=job.error)
        self.job = job


class JobFailed(JobEndedBadly):
    """The job failed; `__cause__` is the error of its last attempt."""

    type = "job_failed"


class JobCancelled(JobEndedBadly):
    """The job was cancelled."""

    type = "job_cancelled"


class Invalid(WarrenError):
    """The request is invalid; repeating it does not help."""

    type = "invalid"


class Malformed(Invalid):
    """The body is not valid JSON, or its compressed data are damaged."""

    type = "malformed"


class Unsupported(Invalid):
    """The body has a form that is not read there."""

    type = "unsupported"


class BadData(Invalid):
    """The data set does not fit the training."""

    type = "bad_data"


class Unauthenticated(WarrenError):
    """The request has no valid key."""

    type = "unauthenticated"


class Forbidden(WarrenError):
    """The key does not allow this."""

    type = "forbidden"


class NotFound(WarrenError):
    """There is no such thing."""

    type = "not_found"


class Gone(NotFound):
    """There was such a thing, and it was deleted."""

    type = "gone"


class NotReady(WarrenError):
    """The model cannot answer yet, or its training failed."""

    type = "not_ready"


class TooLarge(WarrenError):
    """The body exceeds the limit."""

    type = "too_large"


class FitFailed(WarrenError):
    """scikit-learn could not carry out the training."""

    type = "fit_failed"


class FitOutOfMemory(WarrenError):
    """The training needed more memory than allowed."""

    type = "out_of_memory"


class FitTimeout(WarrenError):
    """The training took longer than allowed."""

    type = "out_of_time"


class ModelOutOfMemory(WarrenError):
    """The model needed more memory than allowed for these rows."""

    type = "model_out_of_memory"


class ModelQuarantined(WarrenError):
    """The model ended its process too often and is not run for a while."""

    type = "quarantined"


class RateLimited(WarrenError):
    """The caller asks too often."""

    type = "rate_limited"


class QuotaExceeded(WarrenError):
    """The caller has as many jobs, streams or bytes as it may have."""

    type = "quota_exceeded"


class JobEnded(WarrenError):
    """The job has ended and cannot change any more."""

    type = "ended"


class Conflict(WarrenError):
    """The request conflicts with something that exists."""

    type = "conflict"


class Corrupt(WarrenError):
    """The stored model differs from the published one."""

    type = "corrupt"


class Unavailable(WarrenError):
    """A part of Warren is unavailable; the same request may succeed later."""

    type = "unavailable"


class EndpointFailed(WarrenError):
    """A remote model gave no usable answer, but it may have carried out the call."""

    type = "endpoint_failed"


class EndpointLost(EndpointFailed):
    """The connection to a remote model ended before its answer was complete."""

    type = "endpoint_lost"


class DeadlineExceeded(WarrenError):
    """No answer came before the server's deadline."""

    type = "deadline_exceeded"
