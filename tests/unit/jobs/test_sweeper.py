"""How the sweeper goes on, whatever a sweep does."""

import logging
import threading

from app import errors
from app.jobs.sweeper import Sweeper

SECONDS = 30.0


def test_each_sweep_is_repeated_until_it_deletes_nothing(caplog):
    left, swept = [3, 2, 0], threading.Event()

    def last() -> int:
        swept.set()
        return 0

    sweeper = Sweeper({"old jobs": lambda: left.pop(0) if left else 0, "others": last}, 0.001)
    with caplog.at_level(logging.INFO):
        sweeper.start()
        assert swept.wait(SECONDS)
        sweeper.stop()
        sweeper.join(SECONDS)

    assert not left
    assert [record.message for record in caplog.records] == [
        "deleted 3 old jobs",
        "deleted 2 old jobs",
    ]


def test_a_sweep_that_fails_does_not_end_the_others(caplog):
    rounds, again = [], threading.Event()

    def away() -> int:
        raise errors.StorageUnavailable("S3 is away")

    def broken() -> int:
        raise KeyError("a bug")

    def last() -> int:
        rounds.append(1)
        if len(rounds) > 2:
            again.set()
        return 0

    sweeper = Sweeper({"files": away, "jobs": broken, "others": last}, 0.001)
    sweeper.start()
    assert again.wait(SECONDS)
    sweeper.stop()
    sweeper.join(SECONDS)

    assert "files are not swept now: S3 is away" in caplog.text
    assert "jobs cannot be swept" in caplog.text
