"""Explain in plain words why a fit cannot be carried out."""

import re
from collections.abc import Collection, Mapping

from app import errors

_TOO_LARGE = "infinity, or a number that is too large for the estimator; scale or remove it"
_FEW_OF_A_CLASS = (
    "a class has too few rows to learn from: this estimator needs {0} of each class; add rows, or "
    "lower test_size"
)
# By scikit-learn's messages; the braces take the groups of the pattern.
_SENTENCES = {
    re.compile(pattern): sentence
    for pattern, sentence in {
        r"n_samples=(\d+), test_size=([\d.]+) .* the resulting train set will be empty": (
            "too few rows: of {0}, test_size {1} leaves none to learn from; add rows, or lower "
            "test_size"
        ),
        r"test_size=(\d+) should be either positive and smaller than the number of samples (\d+)": (
            "too few rows: of {1}, test_size {0} leaves none to learn from; add rows, or lower "
            "test_size"
        ),
        r"only one class is left in the training rows": (
            "only one class is left in the training rows; add rows of the others, or lower "
            "test_size"
        ),
        r"Input X contains (?:infinity|NaN)": f"a feature holds {_TOO_LARGE}",
        r"Input y contains (?:infinity|NaN)": f"the target holds {_TOO_LARGE}",
        r"^Input contains (?:infinity|NaN)|array must not contain infs"
        r"|dual coefficients or intercepts are not finite": f"a column holds {_TOO_LARGE}",
        r"Interaction constraints": (
            "interaction_cst takes lists of the places of columns, from 0, such as [[0, 1], [2]]"
        ),
        r"loss='(\w+)' is only suitable for a binary": (
            'the loss "{0}" takes two classes only; leave it out'
        ),
        r"quantile must be": 'the loss "quantile" needs quantile, a number from 0 to 1',
        r"iteration over a 0-d array": "a param holds an object where a list is needed",
        r"Categorical feature .* is expected to have a cardinality <= (\d+)": (
            "categorical_features takes columns of at most {0} different values, and one has more"
        ),
        r"[Cc]ategorical_features": (
            "categorical_features takes a list of the names of columns of numbers, of their places "
            "from 0, or of true or false for each"
        ),
        r"Requesting (\d+)-fold cross-validation": _FEW_OF_A_CLASS,
        r"splits n_splits=(\d+) greater than the number of samples": _FEW_OF_A_CLASS,
        r"n_splits=(\d+) cannot be greater than the number of members": _FEW_OF_A_CLASS,
        r"class/es in training fold": (
            "a class has too few rows to calibrate; add rows, or leave calibrate out"
        ),
        r"number of classes has to be greater than one|data contains only one class": (
            "a class has too few rows to learn from; add rows, or lower test_size"
        ),
        r"least populated class": (
            "a class has a single row, which cannot be split for early stopping; add rows, or set "
            "early_stopping to false"
        ),
        r"n_neighbors = (\d+), n_samples_fit = (\d+)": (
            "n_neighbors is {0}, but the rows that are left to learn from are {1}; lower "
            "n_neighbors, or add rows"
        ),
        r"Solver (\S+) supports only 'l2' or None penalties, got (\S+) penalty": (
            'the solver "{0}" has only the penalties "l2" and null, not "{1}"; the solver "saga" '
            "has them all"
        ),
        r"Only 'saga' solver supports elasticnet": (
            'only the solver "saga" has the penalty "elasticnet"'
        ),
        r"l1_ratio must be specified": (
            'the penalty "elasticnet" needs l1_ratio, a number from 0 to 1'
        ),
        r"'liblinear' solver does not support multiclass": (
            'the solver "liblinear" takes two classes only; choose another solver'
        ),
        r"not supported for the liblinear solver": 'the solver "liblinear" needs a penalty',
        r"supports only dual=False": "dual has to be false for this solver",
        r"Out of bag estimation only available": "oob_score needs bootstrap to be true",
        r"Fewer non-zero entries in p than size": (
            "a tree learns from more rows than have a weight above 0; lower max_samples, or set "
            "bootstrap to true"
        ),
        r"Floating-point under-/overflow occurred": (
            "numbers became too large in the fit; scale the columns, or lower eta0"
        ),
        r"Solver produced non-finite parameter weights": (
            "numbers became too large in the fit; scale the columns"
        ),
        r"validation set is too small|into a train set and a validation set": (
            "the rows are too few for early stopping; add rows, or raise validation_fraction"
        ),
        r"Unsupported set of arguments.*penalty='(\w+)', loss='(\w+)', dual=(?:True|False)": (
            'the penalty "{0}" and the loss "{1}" do not go together with this dual; set dual to '
            '"auto", or leave them out'
        ),
        r"learning_rate is 'optimal'": 'alpha has to be above 0 if learning_rate is "optimal"',
        r"Learning rate '(\w+)' only works with loss": (
            'the learning_rate "{0}" does not go with this loss; choose "adaptive"'
        ),
        r"`max_samples?` cannot be set": "max_samples needs bootstrap to be true",
        r"Must provide either V or VI": (
            'the metric "mahalanobis" needs metric_params with the covariances of the features, V'
        ),
        r"takes exactly 1 positional argument \(0 given\)": (
            'the metric "seuclidean" needs metric_params with the variances of the features, V'
        ),
        r"Haversine distance": (
            'the metric "haversine" takes two features, the latitude and the longitude in radians'
        ),
        r"n_jobs == 0": "n_jobs cannot be 0; leave it out",
        r"not a valid scoring value": (
            'scoring takes "loss", or the name of a metric of scikit-learn, such as "r2"'
        ),
        r"Negative values in data": "this metric needs features without negative numbers",
        r"(?:[Nn]egative|non-negative|positive).*(?:Poisson|poisson|gamma|loss)"
        r"|requires (?:strictly )?(?:positive|non-negative) y": (
            "this loss or criterion needs a target of numbers above 0"
        ),
        r"\[\w+\]: at least one target label is negative|[Ll]abel must be (?:non|positive)"
        r"|Label must be|label must be|`base_score` must be": (
            "this loss or criterion needs a target of numbers above 0"
        ),
        r"bagging_freq > 0|Random forest mode": (
            'the boosting_type "rf" needs a subsample_freq of at least 1, and a subsample below 1'
        ),
        r"sum of y is not strictly positive": (
            "this loss or criterion needs a target of numbers above 0"
        ),
        r"break_ties must be False": 'break_ties needs decision_function_shape to be "ovr"',
        r"[Mm]onoton\w+ constraints are not supported \w+ multiclass": (
            "monotonic_cst takes two classes only; leave it out"
        ),
        r"[Mm]onotonic": "monotonic_cst does not fit: give -1, 0 or 1 for each column of numbers",
        r"solver can be used only when positive=True": (
            'the solver "lbfgs" needs positive to be true'
        ),
        r"When positive=True, only 'lbfgs'|does not support positive fitting": (
            'positive needs the solver "lbfgs" or "auto"'
        ),
        r"Number of targets and number of penalties": "alpha has to be a single number",
        r"unexpected keyword argument '(\w+)'": "a param holds the key {0}, which is not known",
        r"could not convert string to float: '(.{1,40})'": (
            'a param holds "{0}" where a number is needed'
        ),
        r"argument must be a (?:string|bytes).* number": (
            "a param holds a list or an object where a number is needed"
        ),
        r"too large to convert|cannot convert float infinity|Maximum allowed dimension": (
            "a number among the params is too large"
        ),
    }.items()
}
_PYTHON = re.compile(
    r"\b(?:None|True|False|NoneType|str|int|float|bool|dict|tuple|list|dtype|numpy|np|sklearn)\b"
    r"|\w\(|[<>{}\[\]`=]|Error|\bX\b|instance|object|type|argument|iterable|callable"
)


def explain_fit(error: Exception) -> str | None:
    """Return the meaning of an error of a fit; None if only a programmer could understand it."""
    text = " ".join(str(error).split())
    for pattern, sentence in _SENTENCES.items():
        if found := pattern.search(text):
            return sentence.format(*found.groups())
    return text if is_plain(text) else None


def without_test_rows(why: str) -> str:
    """Return an explanation without its advice to lower `test_size`, where no row tests."""
    return re.sub(r"(?:, or|;) lower test_size$", "", why)


def field_of(why: str, params: Collection[str]) -> str | None:
    """Return the field that an explanation names: one of the `params`, or `test_size`; or None."""
    words = re.findall(r"\w+", why)
    named = next((f"params.{word}" for word in words if word in params), None)
    return named or ("test_size" if "test_size" in words else None)


def cannot_fit(name: str, params: Mapping[str, object] | None, error: Exception) -> str:
    """Say that an estimator cannot be fitted, why, and what to do; `params` are those asked for."""
    said = f"{name} cannot be fitted with these params" if params else f"{name} cannot be fitted"
    if why := explain_fit(error):
        return f"{said}: {why}"
    todo = "change them, or leave them out" if params else "the consumer's log says why"
    return f"{said}; {todo}"


def out_of_memory(limit: int) -> errors.FitOutOfMemory:
    """Return the error of a fit that needed more than its limit of bytes."""
    return errors.FitOutOfMemory(
        f"the fit needed more than {limit / 1e6:,.0f} MB of memory; ask for fewer trees, rows, "
        "columns or labels, or for more by max_memory, which the consumer limits"
    )


def out_of_time(limit: float) -> errors.FitTimeout:
    """Return the error of a fit that took longer than its limit of seconds."""
    return errors.FitTimeout(
        f"the fit took longer than {limit:g} s; ask for fewer trees, iterations, rows or columns, "
        "or for more time by max_seconds, which the consumer limits"
    )


def is_plain(text: str) -> bool:
    """Tell whether a message of a library has no words that only programmers understand."""
    return bool(text) and not _PYTHON.search(text)
