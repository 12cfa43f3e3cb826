"""The progress of a training: which share of the job its parts are.

They are rough. The fit has the largest share, because only it can take hours.
"""

# The progress when the CSV has been read, the model fitted, and written; its check is the rest.
READ, FITTED, EXPORTED = 0.05, 0.9, 0.95


def share_of_fit(progress: float) -> float | None:
    """Return the share of the fit that is done; None outside of it, where no pace is known."""
    if not READ < progress < FITTED:
        return None
    return (progress - READ) / (FITTED - READ)
