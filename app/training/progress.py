"""Fit an estimator and report its progress; the model equals that of a plain `fit`, bit for bit.

scikit-learn's callbacks (`sklearn.callback`, new in 1.9) support neither forests nor boosters. So a
forest grows in steps by `warm_start`, the verbose output of histogram boosting is parsed for its
iterations, and gradient boosting calls a function at the end of each. Of other estimators the
progress is not known, so they report none.
"""

import contextlib
import io
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from app.protocol.estimators import CLASS_NAMES, Progress
from app.training.estimators import spec_of

Report = Callable[[float], None]
Weights = npt.NDArray[np.float64] | None
Clock = Callable[[], float]  # seconds, as `time.monotonic` returns them


@dataclass(frozen=True)
class ReportIntervals:
    """How often progress is reported.

    A step of a forest takes `step_seconds`, or `step_share` of the time so far if that is longer,
    so that the cost of beginning a step stays small. A booster reports at most every
    `pause_seconds`.
    """

    step_seconds: float = 0.3
    step_share: float = 0.02
    pause_seconds: float = 0.1


DEFAULT_INTERVALS = ReportIntervals()

_ITERATION = re.compile(r"\[(\d+)/(\d+)\] ")  # a booster prints it at the start of each


def fit_with_progress(
    estimator: BaseEstimator,
    x: npt.NDArray[Any],
    y: npt.NDArray[Any],
    report: Report,
    *,
    sample_weight: Weights = None,
    intervals: ReportIntervals = DEFAULT_INTERVALS,
    clock: Clock = monotonic,
) -> None:
    """Fit `estimator` to `x` [rows, columns] and `y` [rows]; report the share done, up to 1.

    `sample_weight` [rows] is not given to the estimator if it is None.

    The first report is about work that is done, not the beginning. The shares rise, and by default
    come at most ten times a second. For a booster that may stop early they are shares of the
    iterations allowed. An estimator without steps reports none. Raises what the estimator's `fit`
    raises.
    """
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    if not reports_steps(estimator):
        estimator.fit(x, y, **weights)
        return
    kind = spec_of(estimator).progress
    assert kind is not None
    _FITS[kind](estimator, x, y, weights, report, intervals, clock)
    report(1.0)


def reports_steps(estimator: BaseEstimator) -> bool:
    """Tell whether the progress of an estimator's fit is known."""
    known = type(estimator).__name__ in CLASS_NAMES  # a calibrated one is not
    return known and spec_of(estimator).progress is not None


def between(report: Report, start: float, end: float) -> Report:
    """Return a `Report` that maps the shares of a part to those of the whole, `start` to `end`."""
    return lambda share: report(start + share * (end - start))


def in_turn(report: Report, count: int) -> list[Report]:
    """Return a `Report` for each of so many parts, which are equal shares of the whole."""
    return [between(report, part / count, (part + 1) / count) for part in range(count)]


def _fit_forest(
    forest: Any,
    x: npt.NDArray[Any],
    y: npt.NDArray[Any],
    weights: dict[str, Any],
    report: Report,
    intervals: ReportIntervals,
    clock: Clock,
) -> None:
    """Fit a forest a few trees at a time.

    Each step draws the seeds of the existing trees again before those of new ones. A
    `random_state` of None means numpy's global generator, so its state is restored before each
    step.
    """
    params = forest.get_params()
    total, grown = params["n_estimators"], 0
    drawn = np.random.get_state()
    step = least = 1 if params["n_jobs"] in (None, 1) else os.cpu_count() or 1
    with np.errstate(over="ignore"):  # the forest rejects infinities
        x = x.astype(np.float32)  # once, instead of in each step
    begin = now = clock()
    try:
        forest.set_params(warm_start=True)
        while grown < total:
            target = min(grown + step, total)
            # Each score costs all trees, so only the last step computes it. Without a bootstrap
            # the first step sets it, so that scikit-learn rejects it at once.
            score = params["oob_score"] and (target == total or not params["bootstrap"])
            forest.set_params(n_estimators=target, oob_score=score)
            np.random.set_state(drawn)
            forest.fit(x, y, **weights)
            before, now = now, clock()
            speed = (target - grown) / max(now - before, 1e-6)
            seconds = max(intervals.step_seconds, intervals.step_share * (now - begin))
            step = max(least, int(speed * seconds))
            grown = target
            if grown < total:
                report(grown / total)
    finally:
        forest.set_params(**params)


def _fit_booster(
    booster: Any,
    x: npt.NDArray[Any],
    y: npt.NDArray[Any],
    weights: dict[str, Any],
    report: Report,
    intervals: ReportIntervals,
    clock: Clock,
) -> None:
    """Fit a booster and parse its verbose output.

    It is not fitted in steps, because each step would predict with all its trees. If a later
    scikit-learn prints another format, the model is the same without progress.
    """
    verbose = booster.verbose
    try:
        with contextlib.redirect_stdout(IterationParser(report, intervals.pause_seconds, clock)):
            booster.set_params(verbose=2).fit(x, y, **weights)
    finally:
        booster.set_params(verbose=verbose)


def _fit_monitored(
    booster: Any,
    x: npt.NDArray[Any],
    y: npt.NDArray[Any],
    weights: dict[str, Any],
    report: Report,
    intervals: ReportIntervals,
    clock: Clock,
) -> None:
    """Fit a booster that calls `monitor` at the end of each iteration."""
    total, paced = booster.n_estimators, _Paced(report, intervals.pause_seconds, clock)

    def monitor(iteration: int, *_: object) -> bool:
        if iteration + 1 < total:
            paced((iteration + 1) / total)
        return False  # True would end the fit

    booster.fit(x, y, monitor=monitor, **weights)


_FITS: Mapping[Progress, Callable[..., None]] = {
    "trees": _fit_forest,
    "printed": _fit_booster,
    "monitor": _fit_monitored,
}


class _Paced:
    """A `Report` that passes on at most one share in `pause_seconds`."""

    def __init__(self, report: Report, pause_seconds: float, clock: Clock) -> None:
        """Begin to wait for the first one."""
        self._report = report
        self._pause_seconds = pause_seconds
        self._clock = clock
        self._next = clock() + pause_seconds

    def __call__(self, share: float) -> None:
        """Report a share, or leave it out."""
        if (now := self._clock()) >= self._next:
            self._next = now + self._pause_seconds
            self._report(share)


class IterationParser(io.TextIOBase):
    """A stream that takes a booster's verbose output and reports the share of iterations done."""

    def __init__(
        self,
        report: Report,
        pause_seconds: float = DEFAULT_INTERVALS.pause_seconds,
        clock: Clock = monotonic,
    ) -> None:
        """Report at most once in `pause_seconds`."""
        self._paced = _Paced(report, pause_seconds, clock)

    def write(self, text: str) -> int:
        """Take text; return the number of its characters."""
        found = _ITERATION.match(text)
        if found and (done := int(found[1]) - 1):
            self._paced(done / int(found[2]))
        return len(text)
