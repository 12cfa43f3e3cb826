"""Make the handlers of batch jobs: one that splits and joins, and some that score parts."""

from collections.abc import Callable
from functools import partial

from app.consumer.batch_work import BatchWork
from app.consumer.handlers import Handler
from app.consumer.handlers.batch import BatchHandler
from app.consumer.handlers.batch_part import BatchPartHandler
from app.consumer.handlers.claimed_work import ClaimedWork
from app.consumer.held_table_model import HeldTableModel
from app.inference.loader import ModelLoader
from app.inference.memory_budget import MemoryBudget
from app.inference.table_model import PART_RUN_SECONDS, find_of_main_output
from app.jobs.attempt import JobAttempts
from app.jobs.lease import LeaseKeeper
from app.jobs.log_writer import JobLogWriter
from app.models.record import ModelRecord
from app.protocol.types import JobKind
from app.settings import Settings
from app.storage.model_files import ModelStore


def batch_handlers(
    settings: Settings,
    host: str,
    num_threads: int,
    *,
    find: Callable[[str], ModelRecord],
    work: BatchWork,
    leases: LeaseKeeper,
    log_writer: JobLogWriter,
    model_files: ModelStore,
    budget: MemoryBudget,
) -> dict[str, Handler]:
    """Return the handlers by the names of their threads; `num_threads` of them score parts.

    Each of these has models of its own, which `find` names and `model_files` holds, and take
    their memory from the `budget`. `host` begins the names of the workers.
    """

    def claimed(kind: JobKind, name: str) -> ClaimedWork:
        attempts = JobAttempts(work.jobs, f"{host}:{name}", work.retry, log_writer=log_writer)
        return ClaimedWork(kind, attempts, leases, work.retry)

    loader = ModelLoader(
        partial(find_of_main_output, find),
        model_files,
        settings.max_pixels,
        budget=budget,
        run_seconds=PART_RUN_SECONDS,
        spares=False,  # a part that is scored again must run the same rows together
    )
    handlers: dict[str, Handler] = {
        "batch": BatchHandler(claimed(JobKind.BATCH, "batch"), work),
    }
    for name in (f"part-{number}" for number in range(num_threads)):
        held = HeldTableModel(partial(loader, isolated=True))
        handlers[name] = BatchPartHandler(claimed(JobKind.PART, name), work, held)
    return handlers
