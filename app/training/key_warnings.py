"""Warn about keys of a message that no option has."""

from app.models.manifest import FitWarning
from app.protocol.hints import home_of
from app.protocol.training_request import UNKNOWN_KEYS, TrainRequest
from app.protocol.wording import did_you_mean, quoted


def unknown_key_warnings(request: TrainRequest) -> list[FitWarning]:
    """Return the warning about the keys of a message that had no effect."""
    if not request.unknown_keys:
        return []
    keys = ", ".join(quoted(key) + _meant(key) for key in request.unknown_keys)
    said = f"the message has keys that are not known and have no effect: {keys}"
    return [FitWarning(type="unknown_keys", detail=said)]


def _meant(key: str) -> str:
    """Return what is probably meant, in brackets, or an empty text."""
    if home := home_of(TrainRequest, key):
        return f" ({home} has it)"
    meant = did_you_mean(key, TrainRequest.model_fields.keys() - {UNKNOWN_KEYS})
    return f" ({meant.removeprefix('; ')})" if meant else ""
