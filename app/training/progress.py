"""Fit and tell meanwhile how far it is; the model is that of a plain `fit`, bit for bit.

scikit-learn's callbacks (`sklearn.callback`, new in 1.9) reach neither forests nor boosters. So a
forest grows in steps by `warm_start`, and a booster is asked to be `verbose` and what it prints
for each iteration is read. Of the rest only the beginning and the end are known.
"""

import contextlib
import io
import os
import re
from collections.abc import Callable
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

Report = Callable[[float], None]

# How far a job is, of 1, when its CSV has been read, its model been fitted, and been exported. The
# comparison with ONNX is the rest. Rough: only the fit can take hours, so it has the largest share.
READ, FITTED, EXPORTED = 0.05, 0.9, 0.95

# A step lasts the longer of these, so that what it costs to begin one stays small: a report can be
# no finer than a fiftieth of the time so far.
STEP_SECONDS = 0.3
STEP_SHARE = 0.02
PAUSE_SECONDS = 0.1  # at least, between two reports of a booster

_ITERATION = re.compile(r"\[(\d+)/(\d+)\] ")  # what a booster prints when it begins one


def fit_with_progress(
    estimator: BaseEstimator, x: npt.NDArray[Any], y: npt.NDArray[Any], report: Report
) -> None:
    """Fit `estimator`; report the share that is done, from 0 to 1, at most ten times a second.

    It rises from one report to the next. Of a booster that may stop early it is the share of the
    iterations that are allowed.
    """
    report(0.0)
    if isinstance(estimator, RandomForestClassifier | RandomForestRegressor):
        _grow(estimator, x, y, report)
    elif isinstance(estimator, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        _listen(estimator, x, y, report)
    else:
        estimator.fit(x, y)
    report(1.0)


def between(report: Report, start: float, end: float) -> Report:
    """Return what reports a part of the whole: 0 as `start`, 1 as `end`."""
    return lambda share: report(start + share * (end - start))


def _grow(forest: Any, x: npt.NDArray[Any], y: npt.NDArray[Any], report: Report) -> None:
    """Fit a forest a few trees at a time.

    Each step draws anew the seeds of the trees there are and goes on from there. So the generator
    that a `random_state` of None stands for must stand where it stood.
    """
    params = forest.get_params()
    total, grown = params["n_estimators"], 0
    drawn = np.random.get_state()
    step = least = 1 if params["n_jobs"] in (None, 1) else os.cpu_count() or 1
    with np.errstate(over="ignore"):  # what becomes infinite is refused, as it would be
        x = x.astype(np.float32)  # else each step does it
    begin = now = monotonic()
    try:
        forest.set_params(warm_start=True)
        while grown < total:
            target = min(grown + step, total)
            # The score takes all trees each time. It is refused without a bootstrap: at once.
            score = params["oob_score"] and (target == total or not params["bootstrap"])
            forest.set_params(n_estimators=target, oob_score=score)
            np.random.set_state(drawn)
            forest.fit(x, y)
            before, now = now, monotonic()
            speed = (target - grown) / max(now - before, 1e-6)
            step = max(least, int(speed * max(STEP_SECONDS, STEP_SHARE * (now - begin))))
            grown = target
            if grown < total:
                report(grown / total)
    finally:
        forest.set_params(**params)


def _listen(booster: Any, x: npt.NDArray[Any], y: npt.NDArray[Any], report: Report) -> None:
    """Fit a booster and read what it prints. Steps would cost it the predictions of all its trees.

    If scikit-learn comes to print otherwise, the model is the same and there is no progress.
    """
    verbose = booster.verbose
    try:
        with contextlib.redirect_stdout(_Iterations(report)):
            booster.set_params(verbose=2).fit(x, y)
    finally:
        booster.set_params(verbose=verbose)


class _Iterations(io.TextIOBase):
    """Takes what a booster prints."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._next = monotonic() + PAUSE_SECONDS

    def write(self, text: str) -> int:
        if found := _ITERATION.match(text):
            done, now = int(found[1]) - 1, monotonic()
            if done and now >= self._next:
                self._next = now + PAUSE_SECONDS
                self._report(done / int(found[2]))
        return len(text)
