"""Which models were asked through this producer of late, and how they answered."""

from dataclasses import dataclass
from time import monotonic

from app import errors

MOST_MODELS = 1000
SECONDS = 900.0  # not asked for so long, a model is in use no longer

# No word about the model: the request was wrong, or it never came as far as that.
_NO_ANSWER = (errors.Invalid, errors.TooLarge, errors.Overloaded, errors.BrokerUnavailable)
_NO_MODEL = (errors.NotFound, errors.NotReady)


@dataclass(slots=True)
class ModelUsage:
    """How a model was used. `error` is the last one, `ok` whether its last answer was none.

    `elapsed` is of the last answer, in seconds; `at` is when it came, by the monotonic clock.
    """

    calls: int = 0
    errors: int = 0
    ok: bool = True
    elapsed: float = 0.0
    error: str | None = None
    at: float = 0.0


class ModelUsageTracker:
    """Counts calls by model, for at most `MOST_MODELS`."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self._uses: dict[str, ModelUsage] = {}

    def answered(self, model_id: str, began: float) -> None:
        """Count a call that began at `began`, by the monotonic clock, and was answered now."""
        use = self._uses.get(model_id) or self._added(model_id)
        use.calls += 1
        use.ok = True
        use.at = now = monotonic()
        use.elapsed = now - began

    def failed(
        self, model_id: str, began: float, error: errors.WarrenError, *, hurried: bool = False
    ) -> None:
        """Count a call that failed; what the caller did wrong is no failure of the model.

        Nor is that it was too slow for a `hurried` caller, who gave it less time than it has.
        """
        if isinstance(error, _NO_MODEL):
            return
        use = self._uses.get(model_id) or self._added(model_id)
        use.calls += 1
        use.at = now = monotonic()
        hurried = hurried and isinstance(error, errors.DeadlineExceeded)
        if not hurried and not isinstance(error, _NO_ANSWER):
            use.errors += 1
            use.ok = False
            use.elapsed = now - began
            use.error = error.detail

    def recent(self) -> dict[str, ModelUsage]:
        """Return what was used within the last `SECONDS`, and forget the rest."""
        since = monotonic() - SECONDS
        self._uses = {name: use for name, use in self._uses.items() if use.at >= since}
        return self._uses

    def _added(self, model_id: str) -> ModelUsage:
        if len(self._uses) >= MOST_MODELS and len(self.recent()) >= MOST_MODELS:
            del self._uses[min(self._uses, key=lambda name: self._uses[name].at)]
        use = self._uses[model_id] = ModelUsage()
        return use
