"""Conditions on a metric, such as `r2>=0.4`, and orders of a list, such as `-metrics.r2`."""

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

METRICS = "metrics."  # in front of the name of a metric that a list is sorted by
METRIC_NAME = r"[a-z][a-z0-9_]{0,63}"
_CONDITION = re.compile(rf"({METRIC_NAME})(>=|<=|>|<)(.{{1,32}})")
_HOLDS: dict[str, Callable[[Any, float], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True)
class MetricCondition:
    """A bound of a metric."""

    name: str
    comparison: str
    bound: float

    @classmethod
    def parse(cls, text: object) -> Self:
        """Return the condition that a text says. Raises `ValueError`."""
        found = _CONDITION.fullmatch(text) if isinstance(text, str) else None
        try:
            bound = float(found[3]) if found else math.nan
        except ValueError:
            bound = math.nan
        if found is None or not math.isfinite(bound):
            raise ValueError("write a metric, one of >=, <=, > and <, and a number: r2>=0.4")
        return cls(found[1], found[2], bound)

    def holds(self, value: Any) -> Any:
        """Compare a value, or a column of a query, with the bound."""
        return _HOLDS[self.comparison](value, self.bound)
