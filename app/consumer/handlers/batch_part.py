"""The handler of `queue.model.batch.part`: score the parts of batch jobs."""

from dataclasses import dataclass
from typing import ClassVar

from app.amqp.message import IncomingMessage
from app.amqp.topology import BATCH_PART_QUEUE
from app.consumer.batch_work import BatchWork
from app.consumer.handlers.claimed_work import Beat, ClaimedWork
from app.consumer.held_table_model import HeldTableModel
from app.jobs.attempt import Claimed
from app.jobs.outcomes import Done


@dataclass(frozen=True)
class BatchPartHandler:
    """Scores parts, one at a time, with a model that only it uses."""

    queue: ClassVar[str] = BATCH_PART_QUEUE
    prefetch: ClassVar[int] = 1
    claimed: ClaimedWork
    work: BatchWork
    model: HeldTableModel

    def __call__(self, messages: list[IncomingMessage]) -> None:
        """Score the part of each message."""
        for message in messages:
            self.claimed.run(message, self._work, self.model.stop)

    def is_fast(self, _: IncomingMessage) -> bool:
        """Leave every part to the worker thread."""
        return False

    def _work(self, claimed: Claimed, beat: Beat) -> Done:
        return self.work.score(claimed.job, claimed.attempt, self.model, beat)
