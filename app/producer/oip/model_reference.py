"""The model that a path of the Open Inference Protocol names, perhaps with a version."""

from functools import lru_cache

from app import errors
from app.protocol.oip.message import Asked
from app.protocol.validation import validate


@lru_cache(1024)  # a client asks for the same one again and again
def model_reference(model_id: str, version: str | None = None) -> str:
    """Return what a request calls the model; a version is `model_id:version`.

    Raises `errors.Invalid`, or `NotFound` for a version that no model can have.
    """
    name = validate(Asked, {"model_id": model_id}).model_id
    if version is None:
        return name
    try:
        return validate(Asked, {"model_id": f"{name}:{version}"}).model_id
    except errors.Invalid:
        said = f"model {name} has no version {version}"
        raise errors.NotFound("model_version", said) from None
