"""The report of a run with hostile neighbours."""

from collections import Counter, defaultdict
from statistics import median
from typing import Any

from tests.chaos import report
from tests.chaos.hostile_oracle import LEAST_ATTACK, MOST_REFUSED, MOST_SLOWED, Harm
from tests.chaos.memory import MemoryWatch
from tests.chaos.report import Run, fixed, latencies, table

MB = 1e-6


def render(
    run: Run,
    harm: Harm,
    attacks: list[dict[str, Any]],
    watch: MemoryWatch,
    cores: dict[str, float],
    control: tuple[list[float], list[float]],
) -> str:
    """Return the page.

    `cores` tells on how many of them each computed during the attacks; `control` are the waits of
    the idle echo, before the attacks and during them.
    """
    kinds = len({each["attack"] for each in attacks})
    holds = run.verdict.holds and harm.holds
    broken = {"blamed": harm.blamed, "ended": harm.ended}
    return report.page(
        [
            report.heading(f"Hostile neighbours with attacks of {kinds} kinds", run, holds),
            report.machine(run),
            report.promises(run),
            _harm(harm),
            _cores(cores, control),
            _memory(watch),
            _attacks(attacks),
            report.evidence(report.broken(run.verdict) | broken),
        ]
    )


def _harm(harm: Harm) -> str:
    slowed = f"at most {MOST_SLOWED:g}" if harm.timed else "not judged"
    rows = [
        ("/predict in the quiet phase, p50 / p99, ms", latencies(harm.quiet)),
        ("/predict under attack, p50 / p99, ms", latencies(harm.hostile)),
        (f"**the p99 is longer by a factor** ({slowed})", fixed(harm.slowed, 1)),
        (
            f"**refused or not answered under attack** (at most {MOST_REFUSED:.0%})",
            f"{len(harm.refused)} of {harm.asked}",
        ),
        ("these by their status (0: no answer)", report.counted(Counter(harm.refused))),
        ("**failures counted for jobs**", len(harm.blamed)),
        ("**processes that ended**", len(harm.ended)),
    ]
    return table(("The well-behaved clients", ""), rows)


def _cores(cores: dict[str, float], control: tuple[list[float], list[float]]) -> str:
    rows = [
        ("an echo between two idle processes, quiet, p50 / p99, ms", latencies(control[0])),
        ("the same under attack", latencies(control[1])),
        *((f"cores on which computed: {name}", fixed(each, 2)) for name, each in cores.items()),
        ("**the neighbours, at least**", fixed(LEAST_ATTACK, 2)),
    ]
    return table(("The machine under attack", ""), rows)


def _memory(watch: MemoryWatch) -> str:
    ends = Counter(kill["service"] for kill in watch.kills)
    rows = [
        (
            name, fixed(peak.own, 0, MB), fixed(peak.child, 0, MB), fixed(peak.together, 0, MB),
            ends[name],
        )
        for name, peak in watch.peaks.items()
    ]  # fmt: skip
    head = ("Memory", "itself, peak MB", "largest child", "together", "ended at the limit")
    return table(head, rows)


def _attacks(attacks: list[dict[str, Any]]) -> str:
    outcomes = defaultdict[str, Counter[str]](Counter)
    seconds = defaultdict[str, list[float]](list)
    for each in attacks:
        outcomes[each["attack"]][each["outcome"]] += each["count"]
        if "seconds" in each:
            seconds[each["attack"]].append(each["seconds"])
    rows = [
        (name, report.counted(counts), _waits(seconds[name]))
        for name, counts in sorted(outcomes.items())
    ]
    head = ("Attack", "what it got (0: no answer)", "after, median / max, s")
    return table(head, rows)


def _waits(seconds: list[float]) -> str:
    return f"{median(seconds):.2f} / {max(seconds):.2f}" if seconds else "-"
