"""Spans: who is whose parent, what is on the wire, and nothing without a provider."""

import asyncio
import re
from time import monotonic, time_ns

import pytest
from opentelemetry.trace import StatusCode

from app import errors
from app.observability import tracing
from app.observability.messaging_spans import process_span, send_span
from app.observability.traceparent import Traceparent, text_of
from tests.support.spans import OTHER, SENT, UNRECORDED, ids, named, recorded, trace_of


def test_without_a_provider_there_are_no_spans() -> None:
    with tracing.span("a") as made, send_span("", "q"), process_span("", "q", [SENT], None):
        tracing.annotate({"a": 1})
        tracing.add_span("b", 0.0, 1.0)

        assert made is None
        assert tracing.traceparent() is None
        assert tracing.trace_ids() is None
    assert not tracing.is_on()


def test_a_span_is_below_the_current_one() -> None:
    with recorded() as spans:
        with tracing.span("outer", parents=[]), tracing.span("inner"):
            tracing.annotate({"rows": 3})
        found = named(spans)

    trace, outer, above = ids(found["outer"])
    assert above is None
    assert ids(found["inner"])[::2] == (trace, outer)
    assert found["inner"].attributes == {"rows": 3}


def test_what_is_on_the_wire_names_the_span_and_goes_on() -> None:
    with recorded() as spans:
        with tracing.span("here", parents=[]):
            sent = tracing.traceparent()
            seen = tracing.trace_ids()
        assert sent
        with tracing.span("there", parents=[sent]):
            pass
        found = named(spans)

    trace, here, _ = ids(found["here"])
    assert seen == (trace, here)
    assert sent.startswith(f"00-{trace}-{here}-")
    assert ids(found["there"])[::2] == (trace, here)


@pytest.mark.parametrize(
    ("parents", "trace", "links"),
    [
        ([SENT], SENT, []),
        ([SENT, OTHER], SENT, [OTHER]),
        ([UNRECORDED, SENT, OTHER], SENT, [OTHER]),
        (["junk", "", "00-0-0-01", SENT], SENT, []),
    ],
)
def test_of_several_parents_the_first_that_is_recorded_counts(
    parents: list[str], trace: str, links: list[str]
) -> None:
    with recorded() as spans:
        with tracing.span("own", parents=[]), tracing.span("joined", parents=parents):
            pass
        found = named(spans)["joined"]

    assert ids(found)[0] == trace_of(trace)
    assert [f"{each.context.trace_id:032x}" for each in found.links] == [*map(trace_of, links)]


@pytest.mark.parametrize("parents", [[], ["junk"], ["00-0-0-01"], [""]])
def test_without_a_parent_that_is_one_a_trace_begins(parents: list[str]) -> None:
    with recorded() as spans:
        with tracing.span("own", parents=[]), tracing.span("other", parents=parents):
            pass
        found = named(spans)

    assert ids(found["other"])[2] is None
    assert ids(found["other"])[0] != ids(found["own"])[0]


@pytest.mark.parametrize("parents", [[UNRECORDED], ["junk", UNRECORDED, UNRECORDED]])
def test_what_the_caller_does_not_record_is_not_recorded(parents: list[str]) -> None:
    with recorded() as spans:
        with tracing.span("own", parents=[]):
            with tracing.span("a", parents=parents) as made, tracing.span("below"):
                tracing.annotate({"a": 1})
                tracing.add_span("b", 0.0, 1.0)
                assert made is None
                assert tracing.traceparent() == UNRECORDED
                assert tracing.trace_ids() == tuple(UNRECORDED.split("-")[1:3])
                with tracing.span("recorded", parents=[SENT]):
                    assert trace_of(tracing.traceparent() or "") == trace_of(SENT)
            with tracing.span("again"):
                pass
        found = named(spans)

    assert {*found} == {"own", "recorded", "again"}
    assert not found["own"].attributes


def test_a_trace_that_begins_is_recorded_by_chance() -> None:
    with recorded(share=0.0) as spans:
        with tracing.span("a", parents=[]), tracing.span("below"):
            sent = tracing.traceparent()
            assert tracing.trace_ids()
        with tracing.span("b", parents=[SENT]):
            pass
        with tracing.span("c", parents=[sent or ""]):
            assert tracing.traceparent() == sent
        assert [*named(spans)] == ["b"]
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", sent or "")


@pytest.mark.parametrize("parents", [[], ["junk"], ["00-0-0-01"]])
def test_a_request_without_a_parent_that_is_one_is_left_out_by_chance(parents: list[str]) -> None:
    async def request() -> tuple[bool, str | None, str | None, tuple[str, str] | None]:
        is_out = tracing.leave_out(parents)
        return is_out, tracing.traceparent(), tracing.traceparent(), tracing.trace_ids()

    with recorded(share=1.0):
        assert asyncio.run(request()) == (False, None, None, None)
    with recorded(share=0.0):
        is_out, sent, again, seen = asyncio.run(request())
        _, other, _, _ = asyncio.run(request())
    assert is_out
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", sent or "")
    assert sent == again
    assert seen == tuple((sent or "").split("-")[1:3])
    assert other != sent


def test_what_joins_requests_goes_on_from_those_that_are_recorded() -> None:
    async def request(parents: list[str]) -> Traceparent | None:
        tracing.leave_out(parents)
        return tracing.as_parent()

    async def left_out() -> list[Traceparent | None]:
        return await asyncio.gather(*(request(each) for each in ([], [], [UNRECORDED])))

    with recorded(share=0.0) as spans:
        parents = [each for each in asyncio.run(left_out()) if each is not None]
        assert len(parents) == 3
        with tracing.span("left out", parents=parents):
            sent = tracing.traceparent()
        with tracing.span("left out", parents=parents[::-1]):
            assert tracing.traceparent() == UNRECORDED
        assert sent == text_of(parents[0])
        with tracing.span("joined", parents=[*parents, SENT]):
            pass
        assert trace_of(SENT) == ids(named(spans)["joined"])[0]


def test_attributes_of_what_is_not_recorded_are_not_made() -> None:
    def attributes() -> dict[str, int]:
        made.append(1)
        return {"rows": 3}

    made: list[int] = []
    with recorded(share=0.0) as spans:
        with (
            tracing.span("a", attributes=attributes, parents=[]),
            tracing.span("below", attributes=attributes),
        ):
            assert not tracing.current()
        assert not made
        with tracing.span("b", attributes=attributes, parents=[SENT]):
            assert tracing.current()
        assert named(spans)["b"].attributes == {"rows": 3}


def test_without_a_trace_there_is_nothing_to_be_below_of() -> None:
    with recorded() as spans:
        with tracing.span("S3") as made:
            assert made is None
            assert tracing.traceparent() is None
            assert tracing.trace_ids() is None
        assert spans.get_finished_spans() == ()


def test_no_work_is_left_out_of_the_next_tasks_trace() -> None:
    async def request(parents: list[str]) -> str | None:
        assert tracing.leave_out(parents) is (parents == [UNRECORDED])
        return tracing.traceparent()

    async def both() -> list[str | None]:
        return await asyncio.gather(request([UNRECORDED]), request([SENT]))

    with recorded():
        assert asyncio.run(both()) == [UNRECORDED, None]


@pytest.mark.parametrize(
    ("error", "kind"),
    [(errors.NotFound("model_id", "secret"), "not_found"), (ValueError("secret"), "ValueError")],
)
def test_an_error_is_recorded_by_its_type_alone(error: Exception, kind: str) -> None:
    with recorded() as spans:
        with pytest.raises(type(error)), tracing.span("a", parents=[]):
            raise error
        found = named(spans)["a"]

    assert found.status.status_code is StatusCode.ERROR
    assert found.attributes == {"error.type": kind}
    assert "secret" not in found.to_json()


def test_a_span_of_the_past_lies_where_the_other_clock_says() -> None:
    begin = monotonic()
    before = time_ns()
    with recorded() as spans:
        with tracing.span("fit", parents=[]):
            tracing.add_span("split", begin - 2.0, begin - 0.5)
        found = named(spans)

    split = found["split"]
    assert split.parent == found["fit"].context
    assert split.start_time
    assert split.end_time
    assert split.end_time - split.start_time == pytest.approx(1.5e9, abs=2)
    assert split.start_time == pytest.approx(before - 2e9, abs=1e9)


def test_messages_have_the_names_of_the_conventions() -> None:
    with recorded() as spans:
        with (
            tracing.span("request", parents=[]),
            send_span("work", "queue.model.train", conversation_id="c", message_id="m"),
        ):
            pass
        with process_span("", "queue.model.predict", [SENT, OTHER], None):
            pass
        found = named(spans)

    sent, processed = found["send queue.model.train"], found["process queue.model.predict"]
    assert (sent.kind.name, processed.kind.name) == ("PRODUCER", "CONSUMER")
    assert sent.attributes == {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "work:queue.model.train",
        "messaging.rabbitmq.destination.routing_key": "queue.model.train",
        "messaging.message.conversation_id": "c",
        "messaging.message.id": "m",
    }
    assert processed.attributes == {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "queue.model.predict",
        "messaging.rabbitmq.destination.routing_key": "queue.model.predict",
        "messaging.batch.message_count": 2,
    }
