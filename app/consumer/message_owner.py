"""The owner for whom a message was sent, and the names in it.

The producer sends qualified names, and has written the row of each training before. A message
without a row is of another client: it calls its own things as it does over HTTP, and names of other
owners only if they are shared.
"""

from collections.abc import Callable, Collection

from app import errors
from app.amqp.message import IncomingMessage, parse_or_reject, reject_with_error
from app.auth.grants import Grants, Kind, readable
from app.auth.names import new_name, owner_of
from app.consumer.message_identity import identity_of_message, is_of_service
from app.protocol.references import Reference
from app.protocol.requests import PredictRequest
from app.protocol.training_request import TrainRequest


def owner_of_message(message: IncomingMessage) -> str:
    """Return the owner for whom a client sent a message; see `message_identity`."""
    return identity_of_message(message).owner


def may_be_of(message: IncomingMessage, job_id: str) -> bool:
    """Tell whether a message may be that of a job: a client has those of its own owner only.

    Messages without an identity may be of each job. They come from services, and from users of the
    default exchange, as those of a relay without owners do.
    """
    return message.identity is None or owner_of(job_id) == owner_of_message(message)


def asked_model(
    message: IncomingMessage, request: PredictRequest, grants: Grants | None
) -> tuple[str, str | None]:
    """Return the qualified reference to the model, perhaps `latest`, and name of the data set.

    Those of a service are qualified. Raises `errors.NotFound` for a model or a data set of another
    owner that is not shared; without `grants` none is shared.
    """
    model_id, dataset_id = request.model_id, request.dataset_id
    if is_of_service(message):
        return model_id, dataset_id
    owner, readers = owner_of_message(message), _readers(grants)
    if dataset_id is not None:
        dataset_id = readable(Kind.DATASET, owner, dataset_id, "dataset_id", readers)
    asked = Reference.parse(model_id)
    base = readable(Kind.MODEL, owner, asked.base, "model_id", readers)
    return asked._replace(base=base).text, dataset_id


def read_training(message: IncomingMessage) -> TrainRequest | None:
    """Return the training that a message asks for, or reject the message."""
    request = parse_or_reject(message, TrainRequest)
    if request is None:
        return None
    try:
        request = qualify(request, owner_of_message(message))
    except errors.Invalid as error:
        reject_with_error(message, error)
        return None
    if request.model_id and not may_be_of(message, request.model_id):
        reject_with_error(message, _not_own(request.model_id))
        return None
    return request


def qualify(request: TrainRequest, owner: str) -> TrainRequest:
    """Return a training with qualified names; those that are qualified stay.

    Raises `errors.Invalid` if the owner's name leaves no room for one.
    """
    names = {"dataset_id": new_name(owner, request.dataset_id, "dataset_id")}
    if request.model_id:
        names["model_id"] = new_name(owner, request.model_id, "model_id")
    return request.model_copy(update=names)


def check_names(
    message: IncomingMessage, request: TrainRequest, job_id: str, grants: Grants | None
) -> None:
    """Raise `errors.Invalid` if the sender may not use a name; without `grants` none is shared."""
    owner = owner_of_message(message)
    if owner_of(job_id) != owner:
        raise _not_own(job_id)
    try:
        readable(Kind.DATASET, owner, request.dataset_id, "dataset_id", _readers(grants))
    except errors.NotFound as error:
        raise errors.Invalid("dataset_id", f"there is no data set {request.dataset_id}") from error


def _readers(grants: Grants | None) -> Callable[[Kind, str], Collection[str]]:
    return grants.readers if grants else lambda *_: ()


def _not_own(job_id: str) -> errors.Invalid:
    return errors.Invalid("model_id", f"{job_id} is a name of another owner")
