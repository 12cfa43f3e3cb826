"""A request to `POST /predict/parallel`: the message for each of its models."""

import uuid
from dataclasses import dataclass

from app import errors
from app.inference import ensemble
from app.models.exact import Exact
from app.producer.routing.body import encode_message
from app.producer.schemas.requests import ParallelBody
from app.producer.services import Services

Models = dict[str, Exact | errors.FieldError]

_HEAD = 1000  # bytes, more than a message has besides the inputs


@dataclass(frozen=True)
class ParallelCall:
    """A request, with a message for each model; `count` is the length of a list of inputs.

    `models` are the exact models by their references in the request, or the errors of those that
    cannot be asked. `dataset_id` is a qualified name.
    """

    owner: str
    models: Models
    bodies: dict[str, bytes]
    model_ids: list[str]
    job_id: str
    dataset_id: str | None
    seconds: float | None
    combine: ensemble.CombineMethod | None
    count: int | None


async def qualified_models(
    services: Services, owner: str, asked: ParallelBody
) -> tuple[Models, str | None]:
    """Return the `models` of a call and its data set. Raises `errors.NotFound` for the data set."""
    models: Models = {}
    for name in asked.model_ids:
        try:
            models[name] = await services.access.exact(owner, name, key=asked.split_key)
        except errors.FieldError as error:
            models[name] = error
    dataset_id = asked.dataset_id
    return models, dataset_id and await services.access.dataset(owner, dataset_id)


def prepare_call(
    services: Services,
    asked: ParallelBody,
    size: int,
    owner: str,
    models: Models,
    dataset_id: str | None,
) -> ParallelCall:
    """Encode the message for each model, of a body of `size` bytes. Raises `errors.TooLarge`."""
    encoded = asked.encode_inputs().encode()
    _check_size(services, len(models), size + len(models) * (len(encoded) + _HEAD))
    job_id = asked.job_id or uuid.uuid4().hex
    head = {"dataset_id": dataset_id, "job_id": job_id}
    return ParallelCall(
        owner=owner,
        models=models,
        bodies={
            name: encode_message(encoded, model_id=model.model_id, **head)
            for name, model in models.items()
            if isinstance(model, Exact)
        },
        model_ids=asked.model_ids,
        job_id=job_id,
        dataset_id=dataset_id,
        seconds=asked.seconds,
        combine=asked.combine,
        count=len(asked.rows or asked.images) if asked.many else None,
    )


def _check_size(services: Services, models: int, size: int) -> None:
    """Raise `errors.TooLarge` for a request that would exceed the limits on its own."""
    most = services.settings.max_in_flight
    if models > most:
        raise errors.TooLarge("model_ids", f"at most {most} at a time", limit=most)
    limit = services.settings.max_in_flight_bytes
    if size > limit:
        raise errors.TooLarge(
            "body",
            f"for {models} models it becomes {size} bytes, but at most {limit} may be in flight; "
            "use fewer models or fewer inputs at a time",
            limit=limit,
        )
