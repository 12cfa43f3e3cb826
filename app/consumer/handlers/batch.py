"""The handler of `queue.model.batch`: split a batch job, and put its parts together at the end."""

from dataclasses import dataclass
from typing import ClassVar

from app.amqp.message import IncomingMessage
from app.amqp.topology import BATCH_QUEUE
from app.consumer.batch_work import BatchWork
from app.consumer.handlers.claimed_work import Beat, ClaimedWork
from app.jobs.attempt import Claimed
from app.jobs.outcomes import BatchDone, Done


@dataclass(frozen=True)
class BatchHandler:
    """Runs the two ends of batch jobs."""

    queue: ClassVar[str] = BATCH_QUEUE
    prefetch: ClassVar[int] = 1
    claimed: ClaimedWork
    work: BatchWork

    def __call__(self, messages: list[IncomingMessage]) -> None:
        """Run the job of each message as far as it goes without its parts."""
        for message in messages:
            match self.claimed.run(message, self._work):
                case (Claimed(job), BatchDone(key)):
                    self.work.clean_up(job.id, key)

    def is_fast(self, _: IncomingMessage) -> bool:
        """Leave every job to the worker thread."""
        return False

    def _work(self, claimed: Claimed, beat: Beat) -> Done:
        if claimed.job.parts is None:
            return self.work.split(claimed.job, claimed.attempt, beat)
        return self.work.join(claimed.job, claimed.attempt, beat)
