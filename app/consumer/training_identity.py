"""Decide whether two messages of `queue.model.train` ask for the same training.

A training is named by the `model_id` in its body, or by its message's `message_id` and what it asks
for. A message without either is a training of its own, unless the broker delivers it again.
"""

import uuid

from app.amqp.message import IncomingMessage
from app.auth.identity import DEFAULT_OWNER
from app.auth.names import owner_of
from app.consumer.message_identity import identity_of_message
from app.jobs.reader import JobReader
from app.jobs.record import Job
from app.protocol.training_request import TrainRequest
from app.protocol.types import JobKind
from app.protocol.validation import validate

# How long after its job has ended a message may be delivered again: its ack was lost with a
# connection or a broker. A later one is taken for another message of which nothing was begun.
REDELIVERY_SECONDS = 3600.0
MAX_CALLER = 255  # characters of the column


def request_key(message: IncomingMessage, request: TrainRequest) -> str | None:
    """Return the key of the request that a message carries, or None if it has no `message_id`.

    It includes what is asked for, because two clients may count their messages from 1, and the
    owner, because two may ask the same of a shared data set. It has a blank, which the
    `Idempotency-Key` of an HTTP request never has.
    """
    if not message.message_id:
        return None
    named = f"{message.message_id!r}\n{request.model_id}\n{request.canonical()}"
    if (owner := identity_of_message(message).owner) != DEFAULT_OWNER:
        named = f"{owner}\n{named}"
    return f"message {uuid.uuid5(uuid.NAMESPACE_OID, named).hex}"


def training_id(message: IncomingMessage, request: TrainRequest, jobs: JobReader) -> str:
    """Return the id of a message's job, which may exist. Raises `errors.DatabaseUnavailable`."""
    if request.model_id:
        return request.model_id
    if key := request_key(message, request):
        return key.split()[1]
    if message.redelivered:
        asker = storable(message.reply_queue), storable(message.correlation_id)
        for job in jobs.trainings_of(request.dataset_id, *asker, REDELIVERY_SECONDS):
            asked = validate(TrainRequest, job.request)
            is_own = owner_of(job.id) == identity_of_message(message).owner
            if is_own and asked.model_id is None and asked.asks_the_same(request):
                return job.id
    return uuid.uuid4().hex


def difference(message: IncomingMessage, request: TrainRequest, job: Job) -> str | None:
    """Return why a message does not ask for the job that has its id, or None if it does."""
    asked = validate(TrainRequest, job.request) if job.kind is JobKind.TRAIN else None
    if asked is None:
        return f"{job.id} is taken"
    if not asked.asks_the_same(request):
        return f"{job.id} is another training"
    if message.message_id in (None, "", job.id):
        return None
    if job.idempotency_key != request_key(message, request):
        return f"{job.id} is taken by an earlier training; leave it out, or choose another"
    return None


def caller_of(message: IncomingMessage) -> str | None:
    """Return whose job a message's training is, as quotas count it, or None if that is unknown.

    It is the owner of the user; a user without one counts alone.
    """
    if message.identity:
        return identity_of_message(message).caller
    user = storable(message.user_id)
    return f"user {user}"[:MAX_CALLER] if user else None


def storable(name: object) -> str | None:
    """Return a name if a row can hold it: PostgreSQL rejects NUL, and bytes are not text."""
    return name if isinstance(name, str) and "\0" not in name else None
