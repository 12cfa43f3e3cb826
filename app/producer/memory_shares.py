"""The memory that a producer and its children may take together."""

from app.children import limits
from app.children.memory_sum import Share
from app.settings import Settings

_UNPARSED = 256_000  # which uvloop reads of a connection before it can be told to wait


def memory_shares(settings: Settings) -> list[Share]:
    """Return what all inspections that may run at a time take, and the bodies of requests."""
    copies = limits.FILE_COPIES * settings.max_model
    model = max(limits.MODEL_INSPECTION, limits.FOLDER_INSPECTION) + copies
    return [
        Share("inspections of models", model, limits.MODEL_INSPECTIONS, ("MAX_MODEL",)),
        Share("inspections of tables", limits.TABLE_INSPECTION, limits.TABLE_INSPECTIONS),
        Share("descriptions of data sets", limits.DESCRIPTION, limits.DESCRIPTIONS),
        Share("bodies", settings.max_in_flight_bytes, settings=("MAX_IN_FLIGHT_BYTES",)),
        Share("unparsed bytes", _UNPARSED, settings.max_connections, ("MAX_CONNECTIONS",)),
    ]
