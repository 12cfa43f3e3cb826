"""Where spans go, and how many."""

import pytest

from app.observability import span_export, tracing
from tests.support.collector import collector


@pytest.mark.parametrize(("share", "count"), [(1.0, 20), (0.0, 0)])
def test_a_share_of_the_traces_goes_to_the_collector(share: float, count: int) -> None:
    with collector() as found:
        span_export.export_spans(f"{found.url}/", share, "warren-test")
        try:
            for _ in range(20):
                with tracing.span("one", attributes={"rows": 3}, parents=[]):
                    pass
            tracing.flush()
        finally:
            tracing.use(None)

    assert [(each.service, each.span.name) for each in found.collected] == [
        ("warren-test", "one")
    ] * count
    assert all(each.attributes == {"rows": 3} for each in found.collected)


def test_without_a_collector_no_spans_are_made() -> None:
    span_export.export_spans("", 1.0, "warren-test")

    assert not tracing.is_on()
