"""Keep the warnings of scikit-learn, in plain words.

Their `type` is the name of the class of the warning, such as `ConvergenceWarning`, because users
look that up.
"""

import logging
import re
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from app.models.manifest import FitWarning
from app.training.fit_messages import is_plain

log = logging.getLogger(__name__)

_UNCONVERGED = (
    "before it converged, so its answers may be far from the best ones; raise max_iter, or scale "
    "the features"
)
# By the messages of the libraries: what to tell, and the field that it is about. The braces take
# the groups of the pattern.
_SENTENCES: dict[re.Pattern[str], tuple[str, str | None]] = {
    re.compile(pattern): told
    for pattern, told in {
        r"With alpha=0, this algorithm": (
            "with an alpha of 0 the solver does not converge well; choose linear_regression, or "
            "raise alpha",
            "params.alpha",
        ),
        r"failed to converge after (\d+) iteration": (
            f"the solver stopped after {{0}} iterations, {_UNCONVERGED}",
            "params.max_iter",
        ),
        r"Solver terminated early \(max_iter=(\d+)\)": (
            f"the solver stopped after {{0}} iterations, {_UNCONVERGED}",
            "params.max_iter",
        ),
        r"converge": (f"the solver stopped {_UNCONVERGED}", "params.max_iter"),
        r"Line Search failed": (
            "the solver stopped early, because no step improved the model; scale the features",
            "params.solver",
        ),
        r"[Ii]ll-conditioned matrix|Singular matrix": (
            "some features are nearly sums of others, so the coefficients are not reliable; leave "
            "such features out, or raise alpha",
            "features",
        ),
        r"(?:overflow|invalid value|divide by zero) encountered": (
            "numbers became too large or too small in the fit; scale the features",
            "features",
        ),
        r"`probability` parameter was deprecated": (
            "scikit-learn 1.11 will not have probability any more; leave it out, and set calibrate "
            'to "sigmoid"',
            "params.probability",
        ),
        r"parameter `criterion` is deprecated": (
            "criterion has no effect, and scikit-learn 1.11 will not have it any more; leave it "
            "out",
            "params.criterion",
        ),
        r"`\"friedman_mse\"` for": (
            'scikit-learn 1.11 will not have "friedman_mse" any more; use "squared_error", which '
            "is the same",
            "params.criterion",
        ),
        r"'penalty' was deprecated|penalty is deprecated": (
            "scikit-learn 1.10 will not have penalty any more; use l1_ratio, which is 0 for the "
            'penalty "l2" and 1 for "l1", and a very large C for none',
            "params.penalty",
        ),
        r"Setting penalty=None will ignore": (
            "without a penalty, C and l1_ratio have no effect",
            "params.penalty",
        ),
        r"l1_ratio parameter is only used": (
            'l1_ratio has no effect, because the penalty is not "elasticnet"',
            "params.l1_ratio",
        ),
        r"'l1_ratio=None' was deprecated": (
            "scikit-learn 1.10 will not take null for l1_ratio; give a number from 0 to 1",
            "params.l1_ratio",
        ),
        r"'n_jobs' has no effect": (
            "n_jobs has no effect, and scikit-learn 1.10 will not have it any more; leave it out",
            "params.n_jobs",
        ),
        r"no more leaves that meet the split requirements|no meaningful features": (
            "boosting ended early, because no leaf could be split into two of enough rows; add "
            "rows, or lower min_child_samples",
            "params.min_child_samples",
        ),
        r"`booster=dart` is deprecated": (
            'a later XGBoost will not have the booster "dart" any more; leave booster out, which '
            "gives the same trees",
            "params.booster",
        ),
        r"`booster=gblinear` is deprecated": (
            'a later XGBoost will not have the booster "gblinear" any more; choose a linear '
            "estimator, such as ridge or logistic_regression",
            "params.booster",
        ),
        r"Parameters: \{ (.+) \} are not used": (
            "the booster does not use {0}; leave out what it does not use",
            "params",
        ),
        r"max_samples \((\d+)\) is greater than the total number of samples \((\d+)\)": (
            "max_samples is {0}, but there are {1} rows to learn from, so each tree takes them all",
            "params.max_samples",
        ),
        r"do not have OOB scores": (
            "there are too few trees for the score of rows out of the bag; raise n_estimators",
            "params.n_estimators",
        ),
        r"Parameter p is found in metric_params": (
            "metric_params has p, so the param p has no effect",
            "params.p",
        ),
        r"for 0 < p < 1, Minkowski": (
            'with p below 1 there is no true distance, so the algorithm is "brute"',
            "params.p",
        ),
        r"least populated class in y has only (\d+) members?, which is less than n_splits=(\d+)": (
            "the smallest class has fewer rows, {0}, than the cross-validation has parts, {1}",
            "target",
        ),
        r"Number of classes in training fold": (
            "a part of the cross-validation was fitted without one of the classes, so calibrated "
            "probabilities are not reliable; add rows of the rare classes",
            "target",
        ),
        r"R\^2 score is not well-defined": (
            "there is one test row, and r2 needs two; raise test_size",
            "test_size",
        ),
        r"(?:Precision|Recall|F-score|F-measure) is ill-defined": (
            "a class is never predicted, or has no test row, so its part of f1 counts as 0",
            "target",
        ),
    }.items()
}
# About how this project calls the libraries, or said by a warning of its own.
_INTERNAL = re.compile(
    r"recommended for warm_start|feature names|utils\.parallel|column-vector"
    r"|greater than 50% of the number of samples|do not sum to one"
    r"|No further splits with positive gain"
)


@contextmanager
def library_warnings(params: Collection[str]) -> Iterator[list[FitWarning]]:
    """Collect the warnings of the block in the list, each once, when the block ends.

    A warning that a library will change counts only if it names one of `params`, those that the
    request names: it is about this project's calls otherwise.
    """
    found: list[FitWarning] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")  # each text once for each place
        yield found
    for each in caught:
        text = " ".join(str(each.message).split())
        if _INTERNAL.search(text) or (_about_a_change(each.category) and not _named(text, params)):
            log.debug("%s: %s", each.category.__name__, text)
            continue
        log.warning("%s: %s", each.category.__name__, text)
        warning = _explain(each.category.__name__, text)
        if warning.detail not in (other.detail for other in found):
            found.append(warning)


def _explain(kind: str, text: str) -> FitWarning:
    for pattern, (sentence, field) in _SENTENCES.items():
        if match := pattern.search(text):
            return FitWarning(type=kind, detail=sentence.format(*match.groups()), field=field)
    told = text if is_plain(text) else "scikit-learn warned; the consumer's log has its words"
    return FitWarning(type=kind, detail=told)


def _about_a_change(category: type[Warning]) -> bool:
    changes = (FutureWarning, DeprecationWarning, PendingDeprecationWarning)
    return issubclass(category, changes)


def _named(text: str, params: Collection[str]) -> bool:
    return not set(re.findall(r"\w+", text)).isdisjoint(params)
