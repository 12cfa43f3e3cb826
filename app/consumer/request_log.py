"""Log the start and the end of a request that names a job."""

import logging
from time import perf_counter

from app.amqp.message import IncomingMessage, Replyable
from app.observability import logs
from app.protocol.replies import Failed, Reply
from app.protocol.types import JobStatus

log = logging.getLogger(__name__)


class LoggedRequest:
    """A request that logs START when it is made, and END with its first reply."""

    def __init__(self, request: Replyable, job_id: str, what: str) -> None:
        """Log the start; `what` is that of `logs.log_task`."""
        self.body = request.body
        self._request = request
        self._job_id = job_id
        self._what = what
        self._began = perf_counter()
        self._ended = False
        with logs.job_context(job_id):
            log.info("START %s", what)

    @property
    def message(self) -> IncomingMessage:
        """The message that holds the request."""
        return self._request.message

    def reply(self, reply: Reply) -> None:
        """Send a reply if the sender asked for one, and log the end."""
        self._request.reply(reply)
        self.end(reply.status, reply.error["type"] if isinstance(reply, Failed) else "")

    def reject(self) -> None:
        """Send the message to the dead-letter queue."""
        self._request.reject()

    def end(self, status: JobStatus, error: str = "") -> None:
        """Log the end, once; `error` is its type."""
        if not self._ended:
            self._ended = True
            with logs.job_context(self._job_id):
                logs.log_end(log, self._what, status, self._began, error)
