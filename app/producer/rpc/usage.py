"""Count recent predictions by model, for the health report."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from app import errors

MAX_MODELS = 1000
SECONDS = 900.0  # after so long without a call, a model is not in use

# Errors that say nothing about the model: the request was wrong, or never reached it.
_NO_ANSWER = (errors.Invalid, errors.TooLarge, errors.Overloaded, errors.BrokerUnavailable)
_NO_MODEL = (errors.NotFound, errors.NotReady)


@dataclass(slots=True)
class ModelUsage:
    """How a model answered its calls.

    `ok` tells whether the last answer was a success, `elapsed` how many seconds it took, and `at`
    when it came, by the tracker's clock. `error` is the detail of the last error.
    """

    calls: int = 0
    errors: int = 0
    ok: bool = True
    elapsed: float = 0.0
    error: str | None = None
    at: float = 0.0


class ModelUsageTracker:
    """Counts calls by model, for at most `MAX_MODELS`."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Start without calls. `clock` returns monotonic seconds."""
        self.clock = clock
        self._uses: dict[str, ModelUsage] = {}

    def answered(self, model_id: str, began: float) -> None:
        """Count a call that began at `began`, by the clock, and was answered now."""
        use = self._uses.get(model_id) or self._added(model_id)
        use.calls += 1
        use.ok = True
        use.at = now = self.clock()
        use.elapsed = now - began

    def failed(
        self, model_id: str, began: float, error: errors.WarrenError, *, hurried: bool = False
    ) -> None:
        """Count a call that failed now; only a failure of the model counts among its errors.

        A missed deadline does not count if the caller was `hurried`, because it gave the model less
        time than the model's own deadline.
        """
        if isinstance(error, _NO_MODEL):
            return
        use = self._uses.get(model_id) or self._added(model_id)
        use.calls += 1
        use.at = now = self.clock()
        hurried = hurried and isinstance(error, errors.DeadlineExceeded)
        if not hurried and not isinstance(error, _NO_ANSWER):
            use.errors += 1
            use.ok = False
            use.elapsed = now - began
            use.error = error.detail

    def recent(self) -> dict[str, ModelUsage]:
        """Return the models that got a call within the last `SECONDS`, and forget the others."""
        since = self.clock() - SECONDS
        self._uses = {name: use for name, use in self._uses.items() if use.at >= since}
        return self._uses

    def _added(self, model_id: str) -> ModelUsage:
        if len(self._uses) >= MAX_MODELS and len(self.recent()) >= MAX_MODELS:
            del self._uses[min(self._uses, key=lambda name: self._uses[name].at)]
        use = self._uses[model_id] = ModelUsage()
        return use
