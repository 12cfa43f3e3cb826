"""Load several servers in turn, in slices so short that all of them have the same machine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any, TypeVar

from benchmarks.harness import hey, processor
from benchmarks.harness.servers import Bench, Stack
from benchmarks.reporting.figures import middle, shown

IN_FLIGHT = (1, 64)
SLICE_SECONDS = 1.0

T = TypeVar("T")


@dataclass(frozen=True)
class Slice:
    """A load, and the microseconds of a core that the processes used for each answer."""

    load: hey.Load
    producer: float
    consumers: float


@dataclass(frozen=True)
class Requests:
    """What is sent to a stack: again and again the same."""

    stack: Stack
    body: bytes
    path: str = "/predict"
    headers: Mapping[str, str] | None = None

    def warm(self, in_flight: int) -> None:
        """Send some that nobody measures."""
        hey.warm(f"{self.stack.url}{self.path}", self.body, in_flight, self.headers)

    def send(self, in_flight: int, rate: float | None = None) -> Slice:
        """Send them for a slice of time, at most `rate` a second."""
        processes = [self.stack.producer_pid], self.stack.consumer_pids
        before = [processor.used(each) for each in processes]
        load = hey.load(
            f"{self.stack.url}{self.path}",
            self.body,
            in_flight,
            SLICE_SECONDS,
            headers=self.headers,
            rate=rate,
        )
        answers = max(1, load.total - load.errors)
        used = (processor.used(each) - then for each, then in zip(processes, before, strict=True))
        return Slice(load, *(1e6 * each / answers for each in used))


def in_turn(bench: Bench, sides: Mapping[str, Callable[[], T]]) -> list[dict[str, T]]:
    """Call each of the `sides` in each slice of the bench's time, every other time backwards."""
    slices = []
    for number in range(max(1, round(bench.rounds * bench.seconds / SLICE_SECONDS))):
        order = list(sides) if number % 2 else list(sides)[::-1]
        found = {name: sides[name]() for name in order}
        slices.append({name: found[name] for name in sides})
    return slices


def load_in_turn(
    bench: Bench, sides: Mapping[str, Requests], in_flight: int
) -> list[dict[str, Slice]]:
    """Warm each side, then load them in turn; return the slices by the sides' names."""
    for each in sides.values():
        each.warm(in_flight)
    return in_turn(bench, {name: partial(each.send, in_flight) for name, each in sides.items()})


def ratio(
    slices: Sequence[Mapping[str, Slice]], name: str, to: str, of: Callable[[Slice], float]
) -> float:
    """Return the median of the ratios of two sides within a slice."""
    return round(median(of(each[name]) / of(each[to]) for each in slices), 3)


MEASURES: dict[str, Callable[[Slice], float]] = {
    "requests/s": lambda each: each.load.rate,
    "producer, µs of a core a request": lambda each: each.producer,
    "consumer, µs of a core a request": lambda each: each.consumers,
}


def compared(bench: Bench, sides: Mapping[str, Requests]) -> list[dict[str, Any]]:
    """Return a row for each of `IN_FLIGHT` and `MEASURES`: medians of the sides, and ratios.

    The first of the `sides` is what the others are compared with.
    """
    first, *others = sides
    rows = []
    for in_flight in IN_FLIGHT:
        slices = load_in_turn(bench, sides, in_flight)
        for measure, of in MEASURES.items():
            values = {name: middle([of(each[name]) for each in slices]) for name in sides}
            ratios = {f"{name} / {first}": ratio(slices, name, first, of) for name in others}
            rows.append(shown({"in flight": in_flight, "": measure, **values, **ratios}))
        errors = {name: sum(each[name].load.errors for each in slices) for name in sides}
        rows.append(shown({"in flight": in_flight, "": "errors", **errors}))
    return rows
