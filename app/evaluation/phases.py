"""How long the phases of a training take."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from app.evaluation.budget import Clock


class Phases:
    """The seconds of each phase, by its name, in the order in which they began."""

    def __init__(
        self,
        clock: Clock = monotonic,
        on_end: Callable[[str, float, float], None] = lambda *_: None,
    ) -> None:
        """Begin without phases; `on_end` is called with the name, begin and end of each block."""
        self.seconds: dict[str, float] = {}
        self._clock = clock
        self._on_end = on_end

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time of the block to a phase, also if it raises."""
        begin = self._clock()
        self.seconds.setdefault(name, 0.0)
        try:
            yield
        finally:
            end = self._clock()
            self.seconds[name] += end - begin
            self._on_end(name, begin, end)
