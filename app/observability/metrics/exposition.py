"""What a process answers to a scrape: its metrics in the text format or in OpenMetrics."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.observability.metrics import catalogue
from app.observability.metrics.families import Counter, Gauge, Histogram, Labels, Read

_OPENMETRICS = "application/openmetrics-text"


class _Families(Collector):
    """Renders the metrics of a process; of the gauges those that have a value."""

    def __init__(self, process: str, gauges: Mapping[Gauge, Read]) -> None:
        self._process = process
        self._gauges = gauges

    def describe(self) -> Iterable[Metric]:
        """Describe nothing, because reading the gauges takes time."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics in the order of the catalogue."""
        for family in catalogue.FAMILIES:
            if self._process not in family.of:
                continue
            match family:
                case Counter():
                    yield _counter(family)
                case Histogram():
                    yield _histogram(family)
                case Gauge() if values := self._gauges[family]():
                    yield _gauge(family, values)


class Exposition:
    """The metrics of this process, in the only registry that it has."""

    def __init__(self, process: str, gauges: Mapping[Gauge, Read]) -> None:
        """Serve the metrics of a kind of process; `gauges` has each gauge of it.

        A gauge whose reading is empty, because a service is away, is left out of the answer.
        """
        self._registry = CollectorRegistry()
        self._registry.register(_Families(process, gauges))
        ProcessCollector(registry=self._registry)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return the metrics and their media type: OpenMetrics if the header `Accept` has it."""
        # The library fails at parameters of another form, and repeats any version as its own.
        encode, media_type = choose_encoder(_OPENMETRICS if _OPENMETRICS in accept else "")
        return encode(self._registry), media_type


def _counter(family: Counter) -> Metric:
    made = CounterMetricFamily(family.name, family.meaning, labels=family.labels)
    for labels, count in sorted(family.read().items()):
        made.add_metric(labels, count)
    return made


def _histogram(family: Histogram) -> Metric:
    made = HistogramMetricFamily(family.name, family.meaning, labels=family.labels)
    ends = [*map(str, family.bounds), "+Inf"]
    for labels, (counts, total) in sorted(family.read().items()):
        made.add_metric(labels, list(zip(ends, accumulate(counts), strict=True)), total)
    return made


def _gauge(family: Gauge, values: Mapping[Labels, float]) -> Metric:
    made = GaugeMetricFamily(family.name, family.meaning, labels=family.labels)
    for labels, value in sorted(values.items()):
        made.add_metric(labels, value)
    return made
