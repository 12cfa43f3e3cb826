import asyncio
import json

import pytest

from app import errors
from app.models.exact import Exact
from app.models.feature_counts import Outcome
from app.models.shadow_counts import Counts, Pair
from app.models.shadows import ShadowVersion
from app.producer.admission import AdmissionControl
from app.producer.shadow_calls import (
    MAX_ANSWER,
    MAX_BODY,
    MAX_CALLS,
    RATE,
    SECONDS,
    ShadowCalls,
)
from app.protocol.replies import Predicted

BASE = Exact("base", "churn", 1, ShadowVersion(1, 2, "other", 0.5))
PAIR = Pair("churn", 1, 2)
BODY = b'{"model_id": "base", "input_data": {"a": 1.5}, "split_key": "k", "job_id": "call"}'


def answer(prediction=1.0):
    return Predicted("m", prediction=prediction).encode()


class Predictions:
    """Answers when it is told to."""

    def __init__(self):
        self.asked = []
        self.reply = answer(3.0)
        self.open = asyncio.Event()
        self.open.set()

    async def predict(self, model, body, seconds):
        self.asked.append((model, json.loads(body), seconds))
        await self.open.wait()
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


class Tally:
    def __init__(self):
        self.counts, self.rows = {}, []
        self.changed = asyncio.Event()

    def add(self, pair, counts, rows=()):
        self.rows += rows
        self.counts[pair] = self.counts.get(pair, Counts()) + counts
        self.changed.set()

    def drop(self, pair):
        self.add(pair, Counts(dropped=1))

    async def stop(self):
        self.counts["stopped"] = Counts()


class World:
    def __init__(self, chance=lambda: 0.0):
        self.predictions, self.tally = Predictions(), Tally()
        self.callers = AdmissionControl(4, 1000)
        self.now = 1000.0
        clock = lambda: self.now  # noqa: E731
        self.features = {"base": frozenset({"a"}), "other": frozenset({"a", "b"})}
        self.calls = ShadowCalls(
            self.predictions, self.callers, self.tally, self.features_of, chance, clock
        )

    async def features_of(self, model_id):
        found = self.features[model_id]
        if isinstance(found, Exception):
            raise found
        return found

    @property
    def counts(self):
        return self.tally.counts.get(PAIR)

    async def counted(self, calls):
        """Wait until so many calls were compared, have failed or were dropped while they ran."""
        async with asyncio.timeout(60):
            while self.ended < calls:
                self.tally.changed.clear()
                await self.tally.changed.wait()

    @property
    def ended(self):
        counts = self.counts or Counts()
        return counts.calls + counts.failed + counts.dropped


def run(work, **more):
    async def main():
        await work(World(**more))

    asyncio.run(main())


def test_a_call_is_sent_once_more_without_its_labels_and_compared():
    async def work(world):
        world.calls.offer(BASE, BODY, answer())
        assert world.counts is None  # nobody waits
        await world.counted(1)

        sent = {"model_id": "other", "input_data": {"a": 1.5}, "extra": "ignore"}
        assert world.predictions.asked == [(("other", None), sent, SECONDS)]
        assert world.counts == Counts(1, 1, 1, 1, 2.0, 2.0)

    run(work)


@pytest.mark.parametrize(
    ("inputs", "rows"),
    [
        ({"input_data": [{"a": 1}, {"a": 2}]}, 2),
        ({"columns": ["a"], "data": [[1], [2]]}, 2),
        ({"input_data": {"a": [1, 2]}}, 2),
        ({"input_data": None, "image_data": ["x", "y"]}, 2),
        ({"input_data": {"a": 1}}, 1),
        ({"image_data": "x"}, 1),
    ],
)
def test_the_form_of_the_inputs_tells_what_a_row_is(inputs, rows):
    async def work(world):
        world.predictions.reply = answer([1.0, 2.0])
        body = json.dumps({"model_id": "base", **inputs}).encode()
        world.calls.offer(BASE, body, answer([1.0, 5.0]))
        await world.counted(1)

        assert world.counts == Counts(1, rows, 1, rows, 3.0, 3.0)

    run(work)


@pytest.mark.parametrize(
    ("inputs", "values"),
    [
        ({"columns": ["a"], "data": [[1], ["x"]]}, [{"a": 1}, {"a": "x"}]),
        ({"input_data": {"a": [1, 2]}}, [{"a": 1}, {"a": 2}]),
        ({"input_data": [[1], [2]]}, []),
        ({"image_data": ["x", "y"]}, []),
    ],
)
def test_rows_go_with_their_values_to_the_counts_by_feature(inputs, values):
    async def work(world):
        world.predictions.reply = answer([1.0, 2.0])
        body = json.dumps({"model_id": "base", **inputs}).encode()
        world.calls.offer(BASE, body, answer([1.0, 5.0]))
        await world.counted(1)

        outcomes = [
            Outcome(disagreed=False, difference=0.0),
            Outcome(disagreed=True, difference=3.0),
        ]
        assert world.tally.rows == list(zip(values, outcomes, strict=False))

    run(work)


@pytest.mark.parametrize("exact", [Exact("base"), Exact("base", "churn", 1)])
def test_a_call_without_a_shadow_is_not_sent(exact):
    async def work(world):
        world.calls.offer(exact, BODY, answer())
        await asyncio.sleep(0)

        assert not world.predictions.asked
        assert not world.tally.counts

    run(work)


def test_chance_below_the_share_sends_a_call():
    chances = iter([0.5, 0.9, 0.499])

    async def work(world):
        for _ in range(3):
            world.calls.offer(BASE, BODY, answer())
        await world.counted(1)

        assert len(world.predictions.asked) == 1
        assert world.counts.dropped == 0

    run(work, chance=lambda: next(chances))


def test_calls_beyond_the_limit_are_dropped_until_there_is_room():
    async def work(world):
        world.predictions.open.clear()
        for _ in range(MAX_CALLS + 3):
            world.calls.offer(BASE, BODY, answer())
        assert world.counts == Counts(dropped=3)
        world.predictions.open.set()
        await world.counted(MAX_CALLS + 3)
        await asyncio.sleep(0)  # the tasks end
        world.calls.offer(BASE, BODY, answer())
        await world.counted(MAX_CALLS + 4)

        assert (world.counts.calls, world.counts.dropped) == (MAX_CALLS + 1, 3)

    run(work)


def test_only_so_many_calls_are_sent_a_second():
    async def work(world):
        most = int(RATE)
        for number in range(most):
            world.calls.offer(BASE, BODY, answer())
            await world.counted(number + 1)
            await asyncio.sleep(0)
        assert world.counts.dropped == 0
        world.calls.offer(BASE, BODY, answer())
        assert (world.counts.calls, world.counts.dropped) == (most, 1)
        world.now += 1 / RATE
        for _ in range(2):
            world.calls.offer(BASE, BODY, answer())
        await world.counted(most + 3)

        assert (world.counts.calls, world.counts.dropped) == (most + 1, 2)

    run(work)


def test_large_requests_and_answers_are_dropped():
    async def work(world):
        world.calls.offer(BASE, BODY + b" " * MAX_BODY, answer())
        world.calls.offer(BASE, BODY, answer() + b" " * MAX_ANSWER)
        assert world.counts == Counts(dropped=2)
        world.predictions.reply = answer() + b" " * MAX_ANSWER
        world.calls.offer(BASE, BODY, answer())
        await world.counted(3)

        assert world.counts == Counts(dropped=3)

    run(work)


def test_none_is_sent_while_more_than_half_of_the_callers_may_be_there():
    async def work(world):
        with world.callers.admit(), world.callers.admit():
            with world.callers.admit():
                world.calls.offer(BASE, BODY, answer())
            assert world.counts == Counts(dropped=1)
            world.calls.offer(BASE, BODY, answer())
            await world.counted(2)

        assert (world.counts.calls, world.counts.dropped) == (1, 1)

    run(work)


@pytest.mark.parametrize(
    "reply",
    [errors.DeadlineExceeded("5 s"), errors.NotFound("model_id", "no"), answer([1.0]), b"{}"],
    ids=["late", "refused", "other rows", "no answer"],
)
def test_what_the_shadow_does_not_answer_is_counted_as_failed(reply):
    async def work(world):
        world.predictions.reply = reply
        body = b'{"model_id": "base", "input_data": [{"a": 1}, {"a": 2}]}'
        world.calls.offer(BASE, body, answer([1.0, 2.0]))
        await world.counted(1)

        assert world.counts == Counts(failed=1)

    run(work)


def test_a_bug_is_logged_and_counted(caplog):
    async def work(world):
        world.predictions.reply = KeyError("bug")
        world.calls.offer(BASE, BODY, answer())
        await world.counted(1)

        assert world.counts == Counts(failed=1)

    run(work)
    assert "the call of the shadow churn:2 failed" in caplog.text


def test_calls_in_flight_are_given_up_at_the_end():
    async def work(world):
        world.predictions.open.clear()
        world.calls.offer(BASE, BODY, answer())
        await asyncio.sleep(0)
        await world.calls.stop()

        assert world.predictions.asked
        assert world.tally.counts == {"stopped": Counts()}

    run(work)


@pytest.mark.parametrize(
    ("extra", "base", "counted"),
    [
        ("ignore", frozenset({"a"}), {"a", "b"}),  # the shadow reads b
        ("ignore", None, {"a", "b", "note"}),  # an endpoint may read all
        (None, frozenset({"a"}), {"a", "b", "note"}),  # the version has accepted them
    ],
)
def test_of_rows_with_fields_of_the_caller_only_features_are_counted(extra, base, counted):
    async def work(world):
        world.features["base"] = base
        body = {"model_id": "base", "input_data": {"a": 1, "b": 2, "note": 3}, "extra": extra}
        world.calls.offer(BASE, json.dumps(body).encode(), answer())
        await world.counted(1)

        ((values, _),) = world.tally.rows
        assert set(values) == counted

    run(work)


def test_a_call_whose_features_cannot_be_read_is_counted_without_them():
    async def work(world):
        world.features["base"] = errors.StorageUnavailable("S3 is away")
        body = {"model_id": "base", "input_data": {"a": 1, "note": 3}, "extra": "ignore"}
        world.calls.offer(BASE, json.dumps(body).encode(), answer())
        await world.counted(1)

        assert world.counts.calls == 1
        assert [each.values for each in world.tally.rows] == [{}]

    run(work)
