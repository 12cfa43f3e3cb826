"""Load several servers in turn, so that ratios can be taken within a round."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from benchmarks.harness import hey
from benchmarks.harness.servers import Bench
from benchmarks.reporting.figures import middle, shown

IN_FLIGHT = (1, 64)


def load_in_turn(
    bench: Bench, urls: Mapping[str, str], in_flight: int, headers: Mapping[str, str] | None = None
) -> list[dict[str, hey.Load]]:
    """Warm each of the `urls`, then load them in each round; return the loads by their names."""
    for url in urls.values():
        hey.warm(url, bench.body, in_flight, headers)
    return [
        {
            name: hey.load(url, bench.body, in_flight, bench.seconds, headers=headers)
            for name, url in urls.items()
        }
        for _ in range(bench.rounds)
    ]


def compared(
    bench: Bench, urls: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Return a row for each of `IN_FLIGHT`: the rates of the `urls`, and their ratios.

    The first of the `urls` is what the others are compared with; a ratio is the median of those of
    the rounds.
    """
    first, *others = urls
    rows = []
    for in_flight in IN_FLIGHT:
        rounds = load_in_turn(bench, urls, in_flight, headers)
        rates = {
            f"requests/s, {name}": middle([each[name].rate for each in rounds]) for name in urls
        }
        ratios = {
            f"{name} / {first}": round(
                median(each[name].rate / each[first].rate for each in rounds), 3
            )
            for name in others
        }
        errors = sum(load.errors for each in rounds for load in each.values())
        rows.append(shown({"in flight": in_flight, **rates, **ratios, "errors": errors}))
    return rows
