"""The error of a fit that takes too much memory."""

from app import errors


def out_of_memory(memory: int) -> errors.FitOutOfMemory:
    """Return the error of a fit that needed more than its limit, `memory` bytes."""
    return errors.FitOutOfMemory(f"the fit needed more than {memory / 1e6:,.0f} MB of memory")
