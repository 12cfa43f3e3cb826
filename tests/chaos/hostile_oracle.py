"""Judge what the neighbours did to the well-behaved clients.

blamed    a job that failed, whoever counted it: nothing but a neighbour can have been the cause
refused   a request that got 429, a 5xx or no answer at all
slowed    the 99th centile of /predict is more than `MOST_SLOWED` times that of the quiet phase;
          of a run that is not timed, as on a machine that does other work, it is not judged
ended     a process of ours ended
weak      the neighbours had too little of the cores for the run to show anything, if it is timed
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos import figures
from tests.chaos.oracle import Entry

MOST_SLOWED = 3.0
MOST_REFUSED = 0.01  # of the requests
LEAST_ATTACK = 0.1  # cores that the neighbours compute on
SETTLING = 1.0  # seconds after the attacks begin, in which they open their connections


@dataclass
class Harm:
    """The lists name what was harmed; the waits are of /predict, in seconds.

    `attacked` is how many cores the neighbours computed on.
    """

    quiet: list[float] = field(default_factory=list)
    hostile: list[float] = field(default_factory=list)
    asked: int = 0
    refused: list[str] = field(default_factory=list)
    blamed: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    attacked: float = 0.0
    timed: bool = True

    @property
    def slowed(self) -> float | None:
        """How many times longer the 99th centile is under attack."""
        before = figures.quantile(self.quiet, 0.99)
        after = figures.quantile(self.hostile, 0.99)
        return after / before if before and after else None

    @property
    def holds(self) -> bool:
        """Whether nobody was harmed, and there was somebody to be harmed."""
        in_time = self.slowed is not None and self.slowed <= MOST_SLOWED
        in_time = in_time and self.attacked >= LEAST_ATTACK
        return (
            (in_time or not self.timed)
            and bool(self.quiet and self.hostile)
            and len(self.refused) <= MOST_REFUSED * self.asked
            and not self.blamed
            and not self.ended
        )


def judge_harm(
    asks: Sequence[Entry],
    calls: Sequence[Entry],
    jobs: Sequence[Entry],
    ended: Sequence[str],
    begin: float,
    end: float,
    attacked: float,
    *,
    timed: bool = True,
) -> Harm:
    """Judge by the answers to the client of /predict, and to the others; by the rows of their jobs.

    The attacks began at `begin` and ended at `end`, in seconds since 1970. `ended` are the
    processes that did. `attacked` and `timed` are those of `Harm`.
    """
    within = [ask for ask in asks if begin + SETTLING <= ask["at"] < end]
    both = [*within, *(call for call in calls if begin <= call["at"] < end)]
    return Harm(
        quiet=[ask["seconds"] for ask in asks if ask["at"] < begin and ask["status"] == 200],
        hostile=[ask["seconds"] for ask in within],
        asked=len(both),
        refused=[
            f"{call.get('what', 'steady predict')} {call['status']}"
            for call in both
            if is_refused(call["status"])
        ],
        blamed=[
            f"{row['id']}: {row['failures']} failures, {row['error']}"
            for row in jobs
            if row["failures"]
        ],
        ended=list(ended),
        attacked=attacked,
        timed=timed,
    )


def is_refused(status: int) -> bool:
    return status in (0, 429) or status >= 500
