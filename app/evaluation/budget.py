"""A bound on the time that a part of an evaluation takes."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from time import monotonic

import numpy as np

from app.evaluation.sampling import row_count, take_rows
from app.inference.predictor import Tensors
from app.inference.runtime import Answers

SHARE = 0.1  # of the fit's time
LEAST_SECONDS = 0.2  # even after a short fit
_PROBE = 100  # rows
_MARGIN = 0.8  # the share of the time to plan with, because runs vary
_RUN_ROWS, _RUN_CELLS = 2000, 2_000_000  # the most in one run of several variants

Clock = Callable[[], float]  # seconds, as `time.monotonic` returns them
Run = Callable[[Tensors], Answers]


class Budget:
    """The time for many runs of a model, each about as long as the one before."""

    def __init__(self, fit_seconds: float, clock: Clock = monotonic) -> None:
        """Begin the time: a tenth of that of the fit, or `LEAST_SECONDS` if that is more."""
        self.seconds = max(LEAST_SECONDS, SHARE * fit_seconds)
        self._clock = clock
        self._begin = clock()

    @property
    def left(self) -> float:
        """Return the seconds that are left."""
        return self.seconds - (self._clock() - self._begin)

    def affordable_rows(
        self, run: Run, inputs: Tensors, runs: int, most: int, least: int = _PROBE
    ) -> int:
        """Return how many rows, `least` to `most`, probably let `runs` runs end in time.

        If `inputs` has fewer rows than `least`, it is all of them. The method runs the model once,
        on up to 100 rows.
        """
        count = row_count(inputs)
        probe = min(count, _PROBE)
        begin = self._clock()
        run(take_rows(inputs, np.arange(probe)))
        per_row = max(self._clock() - begin, 1e-9) / probe
        affordable = int(_MARGIN * max(0.0, self.left) / (per_row * runs))
        return min(count, most, max(least, affordable))

    def answers(self, run: Run, variants: Iterable[Tensors]) -> Iterator[Answers]:
        """Yield the answers to variants of some rows, as many as there is time for.

        One run answers several variants of few rows, because each run has a fixed cost. A run gets
        as many variants as would end in time if each took as long as in the run before.
        """
        waiting = iter(variants)
        group = list(islice(waiting, 1))
        while group and self.left > 0:
            rows, cells = row_count(group[0]), sum(values.size for values in group[0].values())
            begin = self._clock()
            answered = run({name: np.concatenate([v[name] for v in group]) for name in group[0]})
            each = max(self._clock() - begin, 1e-9) / len(group)
            for place in range(len(group)):
                yield _part(answered, place * rows, (place + 1) * rows)
            together = max(1, min(_RUN_ROWS // rows, _RUN_CELLS // cells))
            group = list(islice(waiting, min(together, int(_MARGIN * max(0.0, self.left) / each))))


def _part(answers: Answers, start: int, end: int) -> Answers:
    probabilities = answers.probabilities
    return Answers(
        answers.predicted[start:end],
        None if probabilities is None else probabilities[start:end],
    )
