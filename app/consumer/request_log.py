"""A request with a job: its way through the consumer is logged."""

import logging
from time import perf_counter

from app.amqp.message import IncomingMessage, Replyable
from app.observability import logs
from app.protocol.replies import Reply
from app.protocol.types import JobStatus

logger = logging.getLogger(__name__)


class LoggedRequest:
    """A part that logs START when it is made, and END with its first reply."""

    def __init__(self, part: Replyable, job_id: str, what: str) -> None:
        """Note a part of a job; `what` is as `logs.log_task` has it."""
        self.body = part.body
        self._part = part
        self._job_id = job_id
        self._what = what
        self._began = perf_counter()
        self._ended = False
        with logs.job_context(job_id):
            logger.info("START %s", what)

    @property
    def delivery(self) -> IncomingMessage:
        """Return the message."""
        return self._part.delivery

    def reply(self, reply: Reply) -> None:
        """Send a reply to whoever asked for one."""
        self._part.reply(reply)
        self.end(reply.status, reply.fields.get("error", {}).get("type", ""))

    def reject(self) -> None:
        """Send the message to the dead-letter queue."""
        self._part.reject()

    def end(self, status: JobStatus, error: str = "") -> None:
        """Log the end, once; `error` is its type."""
        if not self._ended:
            self._ended = True
            with logs.job_context(self._job_id):
                logs.log_end(logger, self._what, status, self._began, error)
