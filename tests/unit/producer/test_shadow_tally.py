import asyncio
import threading

import pytest

from app import errors
from app.models.feature_counts import ComparedRow, Outcome, count_rows
from app.models.shadow_counts import Counts, Pair
from app.producer import shadow_tally
from app.producer.shadow_tally import MAX_PAIRS, MAX_ROWS, ShadowTally

PAIR, OTHER = Pair("churn", 1, 2), Pair("churn", 2, 3)
ONE = Counts(calls=1)
NEVER = 3600.0
ROW = ComparedRow({"a": 1.5}, Outcome(disagreed=True))


@pytest.fixture
def written(monkeypatch):
    """What was written; `failing` are the errors of the next writes."""

    class Written(list):
        def __init__(self):
            self.failing, self.done, self.by_feature = [], threading.Event(), []
            self.failing_by_feature = []

    found = Written()

    def write(engine, pair, counts):
        if found.failing:
            raise found.failing.pop(0)
        found.append((pair, counts))
        found.done.set()

    def write_features(engine, pair, features):
        if found.failing_by_feature:
            raise found.failing_by_feature.pop(0)
        found.by_feature.append((pair, features))

    monkeypatch.setattr(shadow_tally, "add_counts", write)
    monkeypatch.setattr(shadow_tally, "add_features", write_features)
    return found


async def until_written(written):
    assert await asyncio.to_thread(written.done.wait, 60)


def test_counts_are_written_together_at_the_end(written):
    async def main():
        tally = ShadowTally(None, NEVER)
        for pair in (PAIR, OTHER, PAIR):
            tally.add(pair, ONE)
        assert written == []
        await tally.stop()

    asyncio.run(main())
    assert written == [(PAIR, ONE + ONE), (OTHER, ONE)]


def test_counts_are_written_after_some_seconds(written):
    async def main():
        tally = ShadowTally(None, 0.0)
        for _ in range(2):
            written.done.clear()
            tally.add(PAIR, ONE)
            await until_written(written)
        await tally.stop()

    asyncio.run(main())
    assert sum((counts for _, counts in written), Counts()) == ONE + ONE


def test_counts_wait_for_the_database(written):
    written.failing.append(errors.DatabaseUnavailable("away"))

    async def main():
        tally = ShadowTally(None, 0.0)
        tally.add(PAIR, ONE)
        await until_written(written)
        await tally.stop()

    asyncio.run(main())
    assert written == [(PAIR, ONE)]


def test_the_end_does_not_wait_for_the_database(written):
    written.failing.extend([errors.DatabaseUnavailable("away")] * 2)

    async def main():
        tally = ShadowTally(None, NEVER)
        tally.add(PAIR, ONE)
        await tally.stop()
        tally.add(PAIR, ONE)
        await tally.stop()

    asyncio.run(main())
    assert written == []
    assert len(written.failing) == 1


def test_a_bug_loses_only_the_counts_of_its_pair(written, caplog):
    written.failing.append(KeyError("bug"))

    async def main():
        tally = ShadowTally(None, NEVER)
        tally.add(PAIR, ONE)
        tally.add(OTHER, ONE)
        await tally.stop()

    asyncio.run(main())
    assert written == [(OTHER, ONE)]
    assert "the counts of the shadow of churn are lost" in caplog.text


def test_there_are_only_so_many_pairs(written):
    async def main():
        tally = ShadowTally(None, NEVER)
        for version in range(MAX_PAIRS + 5):
            tally.add(Pair("churn", version, version + 1), ONE)
        tally.add(Pair("churn", 0, 1), ONE)
        tally.drop(Pair("churn", MAX_PAIRS, MAX_PAIRS + 1))
        await tally.stop()

    asyncio.run(main())
    assert len(written) == MAX_PAIRS
    assert written[0][1] == ONE + ONE


def test_calls_that_are_not_sent_are_counted_with_the_others(written):
    async def main():
        tally = ShadowTally(None, NEVER)
        for each in (PAIR, PAIR, OTHER, PAIR):
            tally.drop(each)
        tally.add(PAIR, ONE)
        await tally.stop()

    asyncio.run(main())
    assert written == [(PAIR, Counts(calls=1, dropped=3)), (OTHER, Counts(dropped=1))]


def test_calls_that_are_not_sent_wait_for_the_database(written):
    written.failing.append(errors.DatabaseUnavailable("away"))

    async def main():
        tally = ShadowTally(None, 0.0)
        tally.drop(PAIR)
        await until_written(written)
        await tally.stop()

    asyncio.run(main())
    assert written == [(PAIR, Counts(dropped=1))]


def test_nothing_is_written_without_counts(written):
    asyncio.run(ShadowTally(None, 0.0).stop())

    assert written == []


def test_rows_are_counted_by_feature_when_they_are_written(written):
    async def main():
        tally = ShadowTally(None, NEVER)
        tally.add(PAIR, ONE, [ROW, ROW])
        tally.add(OTHER, ONE)
        tally.add(PAIR, ONE, [ROW])
        await tally.stop()

    asyncio.run(main())
    assert written == [(PAIR, ONE + ONE), (OTHER, ONE)]
    assert written.by_feature == [(PAIR, count_rows([ROW] * 3))]


def test_only_so_many_rows_wait_to_be_counted_by_feature(written):
    async def main():
        tally = ShadowTally(None, NEVER)
        tally.add(PAIR, ONE, [ROW] * (MAX_ROWS - 1))
        tally.add(OTHER, ONE, [ROW] * 5)
        tally.add(OTHER, ONE, [ROW] * 5)
        await tally.stop()

    asyncio.run(main())
    assert written == [(PAIR, ONE), (OTHER, ONE + ONE)]
    assert written.by_feature[1] == (OTHER, count_rows([ROW]))


def test_counts_are_written_once_if_those_by_feature_cannot_be(written):
    written.failing_by_feature.append(errors.DatabaseUnavailable("away"))

    async def main():
        tally = ShadowTally(None, 0.0)
        tally.add(PAIR, ONE, [ROW])
        tally.add(OTHER, ONE)
        while len(written) < 2:
            written.done.clear()
            await until_written(written)
        await tally.stop()

    asyncio.run(main())
    assert written == [(PAIR, ONE), (OTHER, ONE)]
    assert written.by_feature == []
