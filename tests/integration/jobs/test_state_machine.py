"""The job table as a machine: whatever is done in whatever order, what it promises holds.

Hypothesis plays producers, relays, the broker, consumers (dead ones, too) and time. After each step
the rows are compared with a model of a few lines, and with the rows of the step before. At the end
everything is healed, and whatever was accepted has to end.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from app.database.engine import database_now
from app.database.tables import attempts_table, jobs_table, models_table
from app.jobs import outbox, shares
from app.jobs.record import JOB_COLUMNS, Job, read_jobs
from app.jobs.requeue import MAX_LOSSES
from app.jobs.store import JobStore
from app.protocol.types import JobKind, JobStatus
from tests.support.rows import ASKED, ERROR, INPUTS, REQUEST, expire, put, wait_for_the_clock

# Time passes only by the rules, however slow the machine is.
LEASE, SETTLED, DELAY = 9000.0, 1000.0, 5000.0
MAX_ATTEMPTS = 2

WHICH = st.integers(0, 15)
KEYS = [None, None, "key-1", "key-2"]
CALLERS = ["a", "a", None, "b"]
PUBLISHED = ["published", "refused", "crashed"]  # what became of a message

QUEUED, RUNNING = JobStatus.QUEUED, JobStatus.RUNNING
ENDS = (JobStatus.COMPLETED, JobStatus.ERROR, JobStatus.CANCELLED)
FIXED = (
    "kind",
    "dataset_id",
    "request",
    "created_at",
    "idempotency_key",
    "reply_to",
    "correlation_id",
    "caller",
)
SEEN = (
    "state",
    "attempt",
    "failures",
    "losses",
    "progress",
    "error",
    "result_key",
    "result",
    "ended_at",
)


@dataclass
class Known:
    """What the model says of a job."""

    state: JobStatus = QUEUED
    attempt: int = 0
    failures: int = 0
    losses: int = 0
    worker: str | None = None
    published: bool = True
    settled: bool = False  # published long ago, and its time in the retry queue is over
    waits: bool = False  # for its time in the retry queue
    lease: str = ""  # "good" or "over"
    key: str | None = None
    kind: JobKind = JobKind.TRAIN
    caller: str | None = None
    renewed: int = 0  # the step of the last renewal

    @property
    def consumer(self) -> str:
        return (self.worker or "").rpartition(":")[0]


@dataclass
class Message:
    """A message of the broker's."""

    job: str


@dataclass(frozen=True)
class Held:
    """An attempt, as its worker sees it: it may have lost the job long ago."""

    job: str
    attempt: int
    worker: str

    @property
    def result(self) -> tuple[str, str, dict[str, float], dict[str, str]]:
        key = f"models/{self.job}/{self.attempt}/"
        return key, "a" * 64, {"rmse": float(self.attempt)}, {"runtime": "onnx"}

    @property
    def answer(self) -> dict[str, str]:
        """What a job that predicts has instead."""
        return {"prediction": self.result[0]}


# What may happen, and what has to be there for it.
NEEDS = {
    "accept": lambda self: True,
    "cancel": lambda self: True,
    "take": lambda self: not all(self.known[job].published for job in self.some(QUEUED)),
    "publish": lambda self: self.taken,
    "give_back": lambda self: self.known,
    "err": lambda self: self.queue,
    "reconcile": lambda self: self.some(QUEUED),
    "let_time_pass": lambda self: self.some(QUEUED),
    "claim": lambda self: self.queue,
    "claim_again": lambda self: self.busy,
    "lose_a_connection": lambda self: self.busy,
    "stop_renewing": lambda self: self.some(RUNNING),
    "reap": lambda self: self.some(RUNNING),
    "look": lambda self: self.some(RUNNING),
    "find_lost": lambda self: self.looks,
    "give_way": lambda self: self.some(QUEUED),
    "give_back_a_slot": lambda self: self.some(RUNNING),
    **dict.fromkeys(
        ("renew", "retry", "release", "lose", "complete", "fail"), lambda self: self.attempts
    ),
}

OFTEN = [
    "claim",
    "err",
    "lose_a_connection",
    "stop_renewing",
    "look",
    "find_lost",
    "lose",
    "give_back_a_slot",
    "retry",
    "take",
    "let_time_pass",
    "reconcile",
]


class Machine(RuleBasedStateMachine):
    """What happens is a method; `which` says to whom, and `how` in which way."""

    def __init__(self, store):
        super().__init__()
        self.store = store
        self.known: dict[str, Known] = {}
        self.queue: list[Message] = []  # of the broker: the queue and its retry queues
        self.taken: list[outbox.OutboxEntry] = []  # in the hands of a relay
        self.attempts: list[Held] = []  # all there ever were
        self.busy: list[Held] = []  # those that a worker has in hand and believes in
        self.names = (f"consumer-{n // 2}:thread-{n % 2}" for n in count())
        self.looks: list[tuple[str, datetime, int]] = []  # of relays: a consumer's lease, and when
        self.now = 0  # counts the steps
        self.before: dict[str, Job] = {}
        with store.engine.connect() as connection:
            connection.execute(sa.delete(jobs_table))
            connection.execute(sa.delete(attempts_table))
            connection.execute(sa.delete(models_table))

    def some(self, state):
        return [job for job, known in self.known.items() if known.state is state]

    def attempt(self, which):
        """Mostly one of a job that has not ended, the newest first."""
        unended = [held for held in self.attempts if self.known[held.job].state not in ENDS]
        among = self.attempts if which > 12 or not unended else unended
        return among[-1 - which % len(among)]

    @initialize(jobs=st.integers(1, 3), copies=st.integers(1, 2))
    def begin(self, jobs, copies):
        """Something is there to be done, and some of it twice."""
        for which in range(jobs):
            self.accept(which, how=0)
        self.queue *= copies

    @rule(what=st.sampled_from(OFTEN + sorted(NEEDS)), which=WHICH, how=WHICH)
    def step(self, what, which, how):
        """One rule for all: of many, Hypothesis leaves out most, and then nothing gets far."""
        if not NEEDS[what](self):
            what = "claim" if self.queue else "accept"
        self.now += 1
        getattr(self, what)(which, how)

    # Producers, relays and the broker.

    def accept(self, which, how):
        key, then = KEYS[how % 4], PUBLISHED[how % 3]
        job = f"job-{min(which, len(self.known))}"  # an id that is taken, or the next
        used = {each.idempotency_key for each in self.before.values()}
        new = job not in self.known and (key is None or key not in used)
        row = ((JobKind.TRAIN, "d", REQUEST), (JobKind.PREDICT, None, ASKED))[which % 2]
        more = {"caller": CALLERS[how % 4], "idempotency_key": key}
        assert self.store.create(job, *row, inputs=INPUTS, **more) == new
        if not new:
            return
        self.known[job] = Known(kind=row[0], caller=more["caller"])
        if how % 5 == 0:  # it has lost many consumers
            self.known[job].losses = MAX_LOSSES - 2
            put(self.store, job, losses=MAX_LOSSES - 2)
        if then == "published":
            self.queue.append(Message(job))
        elif then == "refused":
            self.unpublish([job])

    def take(self, which, how):
        entries = outbox.take_unpublished(self.store)
        queued = {job: self.known[job] for job in self.some(QUEUED)}
        unpublished = [
            job
            for job, known in queued.items()
            if not known.published and not (known.waits and known.kind == JobKind.PREDICT)
        ]
        assert sorted(entry.job_id for entry in entries) == sorted(unpublished)
        for entry in entries:
            known = self.known[entry.job_id]
            assert (entry.delay > 0) == known.waits
            assert entry.kind == known.kind
            known.published, known.settled = True, False
        self.taken += entries

    def publish(self, which, how):
        """The next is published; or all that was taken goes back, or goes down with its relay."""
        then = PUBLISHED[how % 3]
        if then == "published":
            self.queue.append(Message(self.taken.pop(0).job_id))
            return
        if then == "refused":
            self.unpublish([entry.job_id for entry in self.taken])
        self.taken.clear()

    def give_back(self, which, how):
        """A relay that hung gives back what it took long ago."""
        self.unpublish([list(self.known)[which % len(self.known)]])

    def unpublish(self, jobs):
        self.store.mark_unpublished(*jobs)
        for known in (self.known[job] for job in jobs if self.known[job].state is QUEUED):
            known.published = known.settled = False

    def err(self, which, how):
        message = self.queue.pop(which % len(self.queue))
        if how % 3 == 0:  # else it is lost
            self.queue += [message, replace(message)]

    def reconcile(self, which, how):
        waiting = [job for job in self.some(QUEUED) if self.known[job].published]
        settled = {job for job in waiting if self.known[job].settled}
        missing = {}
        for kind, ready in self.ready().items():
            mine = [job for job in waiting if self.known[job].kind == kind]
            missing[kind] = max(0, min(len(mine) - ready, len(settled.intersection(mine))))
        assert outbox.reconcile(self.store, self.ready(), SETTLED) == sum(missing.values())
        again = {job for job in waiting if self.store.get(job).published_at is None}
        kinds = [self.known[job].kind for job in again]
        assert {kind: kinds.count(kind) for kind in missing} == missing
        assert again <= settled
        for job in again:
            self.known[job].published = self.known[job].settled = False

    def ready(self):
        """Count the messages of the queues, by kind."""
        kinds = [self.known[message.job].kind for message in self.queue]
        return {kind: kinds.count(kind) for kind in JobKind}

    # Consumers.

    def claim(self, which, how):
        self.claimed(self.queue.pop(which % len(self.queue)), next(self.names))

    def claimed(self, message, worker):
        known = self.known[message.job]
        attempt = self.store.claim(message.job, worker)
        if not (known.state is QUEUED or (known.state is RUNNING and known.worker == worker)):
            assert attempt is None
            return
        assert attempt == known.attempt + 1
        known.state, known.attempt, known.worker, known.lease = RUNNING, attempt, worker, "good"
        known.waits, known.renewed = False, self.now
        held = Held(message.job, attempt, worker)
        self.attempts.append(held)
        self.busy.append(held)

    def claim_again(self, which, how):
        """The answer to a claim got lost: what runs under the worker's name is its own."""
        held = self.busy.pop(which % len(self.busy))
        self.claimed(Message(held.job), held.worker)

    def lose_a_connection(self, which, how):
        """The broker delivers again; the consumer is dead, or has not noticed."""
        held = self.busy[which % len(self.busy)]
        self.queue.append(Message(held.job))
        self.busy.remove(held)

    def renew(self, which, how):
        held = self.attempt(which)
        progress = how / 100 if how % 2 else None
        renewed = self.store.renew({(held.job, held.attempt): progress})
        assert bool(renewed) == self.is_current(held)
        if renewed:
            self.known[held.job].lease, self.known[held.job].renewed = "good", self.now

    def is_current(self, held):
        known = self.known[held.job]
        return known.state is RUNNING and known.attempt == held.attempt

    def retry(self, which, how):
        held, delay = self.attempt(which), DELAY * (how % 2)
        if self.left(held, self.store.retry(held.job, held.attempt, ERROR, delay)):
            self.failed(self.known[held.job], waits=delay > 0)

    def lose(self, which, how):
        """The attempt is interrupted for another's sake."""
        held = self.attempt(which)
        if self.left(held, self.store.lose(held.job, held.attempt, ERROR)):
            self.lost(held.job)

    def release(self, which, how):
        held = self.attempt(which)
        known, in_flight = self.known[held.job], held in self.busy
        if self.left(held, self.store.release(held.job, held.attempt)):
            known.state, known.worker = QUEUED, None
            known.published, known.settled = True, False
        if in_flight:
            self.queue.append(Message(held.job))

    def complete(self, which, how):
        held = self.attempt(which)
        known = self.known[held.job]
        if known.key == held.result[0]:
            assert self.completed(held)
        elif self.left(held, self.completed(held)):
            known.state, known.key = JobStatus.COMPLETED, held.result[0]
            if how % 2:  # the answer got lost
                assert self.completed(held)
                assert not self.completed(replace(held, attempt=held.attempt + 1))

    def completed(self, held):
        if self.known[held.job].kind == JobKind.PREDICT:
            return self.store.complete_prediction(held.job, held.attempt, held.answer)
        return self.store.complete_training(held.job, held.attempt, *held.result)

    def fail(self, which, how):
        held = self.attempt(which)
        if self.left(held, self.store.fail(held.job, held.attempt, ERROR)):
            self.known[held.job].state = JobStatus.ERROR

    def left(self, held, applied):
        """The worker has done with an attempt, whether it still had the job or not."""
        assert applied == self.is_current(held)
        if held in self.busy:
            self.busy.remove(held)
        return applied

    @staticmethod
    def failed(known, *, waits):
        known.failures += 1
        known.state = JobStatus.ERROR if known.failures == MAX_ATTEMPTS else QUEUED
        known.worker, known.published, known.settled = None, False, False
        known.waits = waits and known.state is QUEUED

    def lost(self, job):
        """A loss is counted; then the job waits for longer than a test takes, or not at all."""
        known = self.known[job]
        waits = known.losses > 0
        known.losses += 1
        known.state = JobStatus.ERROR if known.losses == MAX_LOSSES else QUEUED
        known.worker, known.published, known.settled = None, False, False
        known.waits = waits and known.state is QUEUED
        if known.waits:
            put(self.store, job, run_after=DELAY)

    # Fair shares.

    def give_way(self, which, how):
        """A training that was delivered goes back, because another caller waits."""
        queued = self.some(QUEUED)
        job = queued[which % len(queued)]
        known = self.known[job]
        if known.kind is JobKind.TRAIN:
            assert self.store.give_way(job, DELAY)
            known.published, known.settled, known.waits = False, False, True

    def give_back_a_slot(self, which, how):
        """A relay releases a training of who runs most, for one who runs none and waits long."""
        trainings = {job: k for job, k in self.known.items() if k.kind is JobKind.TRAIN}
        running = {job: k.caller for job, k in trainings.items() if k.state is RUNNING}
        counts = Counter(running.values())
        most = max(counts.values(), default=0)
        waiting = [
            job
            for job, k in trainings.items()
            if k.state is QUEUED and k.settled and k.caller not in counts
        ]
        released = shares.give_one_back(self.store, SETTLED)
        if most < 2 or not waiting:
            assert released is None
            return
        assert counts[running[released]] == most
        began = {job: self.before[job].started_at for job in running}
        mine = [began[job] for job, caller in running.items() if caller == running[released]]
        assert began[released] == max(mine)
        known = self.known[released]
        known.state, known.worker, known.published, known.settled = QUEUED, None, False, False
        (served,) = [
            job
            for job in waiting
            if self.store.get(job).published_at != self.before[job].published_at
        ]
        self.known[served].settled = False

    # Users, time, and the reaper.

    def cancel(self, which, how):
        known = self.known.get(f"job-{which}", Known(JobStatus.CANCELLED))
        assert self.store.cancel(f"job-{which}") == (known.state not in ENDS)
        if known.state not in ENDS:
            known.state, known.waits = JobStatus.CANCELLED, False

    def stop_renewing(self, which, how):
        running = self.some(RUNNING)
        job = running[which % len(running)]
        self.known[job].lease = "over"
        put(self.store, job, lease_until=-1.0)
        self.looks.clear()  # time has passed for one row only

    def let_time_pass(self, which, how):
        """Enough for messages to settle, and maybe for retries to become due."""
        let_time_pass(self.store, long=how % 2)
        for known in map(self.known.get, self.some(QUEUED)):
            known.waits = known.waits and not how % 2
            known.settled = known.published and not known.waits

    def reap(self, which, how):
        lost = [job for job in self.some(RUNNING) if self.known[job].lease == "over"]
        assert self.store.requeue_expired_leases() == len(lost)
        for job in lost:
            self.lost(job)

    def look(self, which, how):
        """A relay reads the leases; whoever renews afterwards is not lost."""
        wait_for_the_clock(self.store)
        leases = self.store.leases()
        assert leases.keys() == {self.known[job].consumer for job in self.some(RUNNING)}
        self.looks += [(consumer, lease, self.now) for consumer, lease in leases.items()]
        wait_for_the_clock(self.store)

    def find_lost(self, which, how):
        consumer, lease, looked = self.looks.pop(which % len(self.looks))
        lost = [
            job
            for job in self.some(RUNNING)
            if self.known[job].consumer == consumer and self.known[job].renewed < looked
        ]
        assert self.store.requeue_lost(consumer, lease) == len(lost)
        for job in lost:
            self.lost(job)

    # What holds after each step.

    @invariant()
    def the_rows_are_as_the_model_and_as_promised(self):
        rows = {job.id: job for job in read_jobs(self.store.engine, sa.select(*JOB_COLUMNS))}
        self.agrees(rows)
        audit(self.before, rows)
        self.attempts_agree(rows)
        assert self.published() == {
            job: row.result_key for job, row in rows.items() if row.result_key
        }
        self.before = rows

    def published(self):
        """Return the key of each model's file."""
        with self.store.engine.connect() as connection:
            query = sa.select(models_table.c.model_id, models_table.c.file_key)
            return {row.model_id: row.file_key for row in connection.execute(query)}

    def agrees(self, rows):
        assert rows.keys() == self.known.keys()
        for job, known in self.known.items():
            row = rows[job]
            found = (row.state, row.attempt, row.failures, row.losses)
            assert found == (known.state, known.attempt, known.failures, known.losses)
            assert (row.result_key or (row.result or {}).get("prediction")) == known.key
            assert (self.store.inputs(job) is None) == row.ended
            if known.state in (QUEUED, RUNNING):
                assert (row.published_at is not None) == known.published
                assert row.worker == known.worker

    def attempts_agree(self, rows):
        """Each attempt has a row, and only that of a running job is open."""
        found = {job: [] for job in rows}
        with self.store.engine.connect() as connection:
            for each in connection.execute(sa.select(attempts_table)):
                found[each.job_id].append(each)
        for job, row in rows.items():
            mine = sorted(found[job], key=lambda each: each.attempt)
            assert [each.attempt for each in mine] == list(range(1, row.attempt + 1))
            still = [each.attempt for each in mine if each.ended_at is None]
            assert still == ([row.attempt] if row.state is RUNNING else [])
            assert [each.attempt for each in mine if each.outcome is None] == still
            if row.state is RUNNING:
                assert mine[-1].consumer == row.worker
            failed = [each for each in mine if each.outcome == "failed"]
            assert row.failures <= len(failed) <= row.failures + 1

    def teardown(self):
        """Heal everything; then nothing is stuck, and nothing that was accepted has no end."""
        self.taken.clear()
        self.queue += [Message(held.job) for held in self.busy]
        for _ in range(3):  # a message too many hides one that is missing, until it is gone
            for row in self.store.newest(100, RUNNING):
                expire(self.store, row.id)
            let_time_pass(self.store, long=True)
            self.store.requeue_expired_leases()
            outbox.reconcile(self.store, self.ready(), SETTLED)
            self.queue += [Message(entry.job_id) for entry in outbox.take_unpublished(self.store)]
            for message in self.queue:
                worker = next(self.names)
                attempt = self.store.claim(message.job, worker)
                if attempt is not None:
                    held = Held(message.job, attempt, worker)
                    assert self.completed(held)
            self.queue.clear()
        rows = {job.id: job for job in read_jobs(self.store.engine, sa.select(*JOB_COLUMNS))}
        audit(self.before, rows)
        assert rows.keys() == self.known.keys()
        assert {job: row.state for job, row in rows.items() if row.state not in ENDS} == {}


def let_time_pass(store, *, long):
    """Let what is in the queues have been there for some time, if `long` for that of a retry."""
    times = {
        jobs_table.c.published_at: jobs_table.c.published_at.is_not(None),
        jobs_table.c.run_after: jobs_table.c.run_after < database_now(2 * DELAY if long else 0.0),
    }
    with store.engine.connect() as connection:
        for column, moves in times.items():
            update = sa.update(jobs_table).where(jobs_table.c.state == QUEUED, moves)
            connection.execute(update.values({column: database_now(-SETTLED - 1.0)}))


def audit(before, rows):
    """Compare rows with those of the step before."""
    for job, old in before.items():
        new = rows[job]  # no row is ever lost
        if old.ended:
            assert new == old
        assert old.result_key in (None, new.result_key)  # one publication at most
        assert new.attempt >= old.attempt
        assert new.failures >= old.failures
        assert new.losses >= old.losses
        assert all(getattr(new, name) == getattr(old, name) for name in FIXED)
        changed = [name for name in SEEN if getattr(new, name) != getattr(old, name)]
        assert new.version > old.version if changed else new.version >= old.version
    for row in rows.values():
        assert row.failures <= MAX_ATTEMPTS
        assert row.losses <= MAX_LOSSES
        assert row.failures <= row.attempt
        assert row.ended == (row.ended_at is not None) == (row.state in ENDS)
        result = row.result_key if row.kind is JobKind.TRAIN else row.result
        assert (row.state is JobStatus.COMPLETED) == (result is not None)
        if row.ended:
            assert row.run_after is None
        if row.state is RUNNING:
            assert row.worker
            assert row.lease_until is not None


@pytest.mark.timeout(600)  # a failure is made smaller before it is shown
def test_whatever_is_done_in_whatever_order_what_the_table_promises_holds(database_url):
    store = JobStore(database_url, lease=LEASE, max_attempts=MAX_ATTEMPTS)
    # One connection, and no power will be cut: more steps in a second.
    store.engine = sa.create_engine(
        database_url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.StaticPool
    )
    sqlite = store.engine.dialect.name == "sqlite"
    if sqlite:
        sa.event.listen(store.engine, "connect", lambda c, _: c.execute("PRAGMA synchronous = OFF"))
    try:
        run_state_machine_as_test(
            lambda: Machine(store),
            settings=settings(
                max_examples=200 if sqlite else 80,
                stateful_step_count=50,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate, Phase.shrink],
            ),
        )
    finally:
        store.close()
