"""A request with a job: its way through the consumer is logged."""

import logging
from time import perf_counter

from app import log
from app.consumer.delivery import Delivery, Part
from app.messages import Reply, Status

logger = logging.getLogger(__name__)


class Noted:
    """A part that logs START when it is made, and END with its first reply."""

    def __init__(self, part: Part, job_id: str, what: str) -> None:
        """Note a part of a job; `what` is as `log.task` has it."""
        self.body = part.body
        self._part = part
        self._job_id = job_id
        self._what = what
        self._began = perf_counter()
        self._ended = False
        with log.job(job_id):
            logger.info("START %s", what)

    @property
    def delivery(self) -> Delivery:
        """Return the message."""
        return self._part.delivery

    def reply(self, reply: Reply) -> None:
        """Send a reply to whoever asked for one."""
        self._part.reply(reply)
        self.end(reply.status, reply.fields.get("error", {}).get("type", ""))

    def reject(self) -> None:
        """Send the message to the dead-letter queue."""
        self._part.reject()

    def end(self, status: Status, error: str = "") -> None:
        """Log the end, once; `error` is its type."""
        if not self._ended:
            self._ended = True
            with log.job(self._job_id):
                log.end(logger, self._what, status, self._began, error)
