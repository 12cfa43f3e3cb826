"""How well this producer meets the objectives of `POST /predict`, and how much it is asked.

deploy/prometheus/rules.yml has the same objectives for all producers, over 30 days.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

ROUTE = ("/predict", "POST")
ANSWERED_AIM = 0.999  # the share of the requests that get no 5xx
QUICK_AIM = 0.99  # the share of the answers that come within `QUICK_SECONDS`
QUICK_SECONDS = 0.1
RATE_SECONDS = 60.0

# By route, method and status: the counts of the buckets, and the sum of the seconds.
Observed = Mapping[tuple[str, ...], tuple[list[int], float]]


@dataclass(frozen=True)
class Objective:
    """A share of requests that is aimed at, and the one that is reached; None without a request."""

    name: str
    aim: float
    reached: float | None

    @property
    def met(self) -> bool:
        """Whether the share is as large as its aim."""
        return self.reached is None or self.reached >= self.aim


@dataclass(frozen=True)
class Objectives:
    """What a producer has counted since its start."""

    requests: int
    each: tuple[Objective, ...]


def objectives(observed: Observed, bounds: tuple[float, ...]) -> Objectives:
    """Return the shares by the buckets of a histogram; `QUICK_SECONDS` is among its `bounds`."""
    counts = {
        status: buckets
        for (*route, status), (buckets, _) in observed.items()
        if tuple(route) == ROUTE
    }
    requests = sum(map(sum, counts.values()))
    failed = sum(sum(buckets) for status, buckets in counts.items() if status.startswith("5"))
    answers = counts.get("200", [])
    quick = sum(answers[: bounds.index(QUICK_SECONDS) + 1])
    answered = 1 - failed / requests if requests else None
    in_time = quick / sum(answers) if answers else None
    return Objectives(
        requests,
        (
            Objective("Requests without a 5xx", ANSWERED_AIM, answered),
            Objective("Answers within 100 ms", QUICK_AIM, in_time),
        ),
    )


class Rate:
    """The rate of a count that grows, over the looks of the last `RATE_SECONDS`."""

    def __init__(self) -> None:
        """Begin without having looked."""
        self._looks: deque[tuple[float, int]] = deque()

    def look(self, now: float, count: int) -> float | None:
        """Return how much the count has grown in a second; None at the first look."""
        while self._looks and now - self._looks[0][0] > RATE_SECONDS:
            self._looks.popleft()
        self._looks.append((now, count))
        since, before = self._looks[0]
        return (count - before) / (now - since) if now > since else None
